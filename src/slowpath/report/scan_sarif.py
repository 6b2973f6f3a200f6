"""A scan as SARIF 2.1.0, for code scanning services and editors."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any
from urllib.parse import quote

from slowpath import __version__
from slowpath.causes.base import Cause, Finding
from slowpath.report.scan_result import Result

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {"certain": "error", "likely": "warning", "possible": "note"}


def render(result: Result) -> str:
    return json.dumps(document(result), indent=2)


def document(result: Result) -> dict[str, Any]:
    """One run; its rules are the causes that were found, its code flows the chains."""
    causes = {found.cause.slug: found.cause for found in result.findings}
    order = {slug: position for position, slug in enumerate(sorted(causes))}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "slowpath",
                        "version": __version__,
                        "rules": [_rule(causes[slug]) for slug in order],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(result, found, order) for found in result.findings],
                "invocations": [
                    {
                        "executionSuccessful": True,
                        "toolExecutionNotifications": [
                            {
                                "level": "warning",
                                "message": {"text": message},
                                "locations": [_location(result, path, 1, 1)],
                            }
                            for path, message in result.errors
                        ],
                    }
                ],
            }
        ],
    }


def _rule(cause: Cause) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "id": cause.slug,
        "shortDescription": {"text": cause.title},
        "fullDescription": {"text": f"{cause.why} {cause.advice}"},
        "defaultConfiguration": {"level": "warning"},
        "help": {"text": cause.page or cause.advice, "markdown": cause.page or cause.advice},
    }
    if cause.links:
        rule["helpUri"] = cause.links[0]
    return rule


def _result(result: Result, found: Finding, order: dict[str, int]) -> dict[str, Any]:
    steps = [
        {"location": _location(result, hop.path, hop.line, hop.line, hop.function)}
        for hop in found.chain
    ]
    made: dict[str, Any] = {
        "ruleId": found.cause.slug,
        "ruleIndex": order[found.cause.slug],
        "level": _LEVELS.get(found.confidence, "note"),
        "message": {"text": found.message},
        "locations": [
            _location(result, found.path, found.line, found.end_line or found.line, found.function)
        ],
        "partialFingerprints": {"slowpath/v1": fingerprint(found)},
        "properties": {"confidence": found.confidence, "culprit": found.culprit},
    }
    if steps:
        made["codeFlows"] = [{"threadFlows": [{"locations": steps}]}]
    return made


def _location(
    result: Result, path: str, line: int, end_line: int, function: str = ""
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(os.fsencode(result.shown_path(path)))},
            "region": {"startLine": max(line, 1), "endLine": max(end_line, line, 1)},
        }
    }
    if function:
        made["logicalLocations"] = [{"fullyQualifiedName": function, "kind": "function"}]
    return made


def fingerprint(found: Finding) -> str:
    """The same for a finding that only moved to another line."""
    text = "\0".join((found.cause.slug, found.path, found.function, found.culprit))
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:32]
