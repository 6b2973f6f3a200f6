"""A scan for programs: version 1 of the contract; keys are added, never changed."""

from __future__ import annotations

import json
from typing import Any

from slowpath.causes.base import Finding
from slowpath.report.scan_result import Result


def render(result: Result) -> str:
    return json.dumps(document(result), indent=2)


def document(result: Result) -> dict[str, Any]:
    """The scan as plain data; `chain` leads from the entry to the line found."""
    return {
        "version": 1,
        "findings": [finding(each) for each in result.findings],
        "files": result.files,
        "lines": result.lines,
        "errors": [{"path": path, "message": message} for path, message in result.errors],
        "unused_ignores": [
            {"path": path, "line": line, "causes": list(slugs)}
            for path, line, slugs in result.unused_ignores
        ],
        "hidden": {"possible": result.possible, "known": result.known},
    }


def finding(found: Finding) -> dict[str, Any]:
    entry = found.entry
    return {
        "cause": found.cause.slug,
        "path": found.path,
        "line": found.line,
        "end_line": found.end_line or found.line,
        "function": found.function,
        "culprit": found.culprit,
        "confidence": found.confidence,
        "entry": None
        if entry is None
        else {
            "kind": entry.kind,
            "path": entry.path,
            "line": entry.line,
            "function": entry.function,
        },
        "chain": [
            {"path": hop.path, "line": hop.line, "function": hop.function} for hop in found.chain
        ],
        "message": found.message,
        "cure": str(found.cause.cure),
    }
