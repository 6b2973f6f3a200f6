"""Findings as data: where, what it costs whom, the proof, and the source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from slowpath.causes import Finding, catalogue
from slowpath.ledger import Blame, Ledger
from slowpath.report.figures import round_ms
from slowpath.report.model import Charged, FindingReport, InCode, Place
from slowpath.report.source import excerpt


def finding_of(finding: Finding, number: int, ledger: Ledger, root: Path) -> FindingReport:
    """Describe a finding, the `number`-th of the report; paths become relative to `root`."""
    cause, blame = finding.cause, finding.blame
    started = str(ledger.recording.run.get("started") or "")
    measured = len(ledger.requests)
    return {
        "number": number,
        "cause": cause.slug,
        "title": cause.title,
        "message": plain(finding.message, root),
        "why": cause.why,
        "advice": cause.advice,
        "path": relative(finding.path, root),
        "line": finding.line,
        "end_line": finding.end_line or finding.line,
        "function": finding.function,
        "source": excerpt(root / finding.path, finding.line, started),
        "endpoints": _endpoints(blame, ledger) if blame else [],
        "requests": blame.requests if blame else 0,
        "charged_ms_per_request": (
            round_ms(blame.total_ns / measured) if blame and measured else None
        ),
        "share_of_p95": round(blame.share_of_p95, 6) if blame else None,
        "predicted": None,
        "evidence": plain(finding.evidence, root),
        "culprit": finding.culprit,
        "confidence": finding.confidence,
        "entry": _entry(finding, root),
        "chain": [_place(hop.path, hop.line, hop.function, root) for hop in finding.chain],
        "seen_by": list(finding.seen_by),
        "cure": str(cause.cure),
    }


def in_code_of(finding: Finding, root: Path, started: str = "") -> InCode:
    """Describe what only a scan saw; paths become relative to `root`.

    Args:
        started: when the run began (ISO 8601).
    """
    return {
        "cause": finding.cause.slug,
        "title": finding.cause.title,
        "message": plain(finding.message, root),
        "path": relative(finding.path, root),
        "line": finding.line,
        "function": finding.function,
        "confidence": finding.confidence,
        "entry": _entry(finding, root),
        "chain": [_place(hop.path, hop.line, hop.function, root) for hop in finding.chain],
        "end_line": finding.end_line or finding.line,
        "culprit": finding.culprit,
        "source": excerpt(root / finding.path, finding.line, started),
    }


def as_finding(seen: InCode, number: int) -> FindingReport:
    """Describe what only a scan saw as a finding without a cost."""
    cause = catalogue().get(seen["cause"])
    found: FindingReport = {
        "number": number,
        "cause": seen["cause"],
        "title": seen["title"],
        "message": seen["message"],
        "why": cause.why if cause else "",
        "advice": cause.advice if cause else "",
        "path": seen["path"],
        "line": seen["line"],
        "end_line": seen.get("end_line", seen["line"]),
        "function": seen["function"],
        "source": seen.get("source"),
        "endpoints": [],
        "requests": 0,
        "charged_ms_per_request": None,
        "share_of_p95": None,
        "predicted": None,
        "evidence": {},
        "culprit": seen.get("culprit", ""),
        "confidence": seen["confidence"],
        "entry": seen["entry"],
        "chain": seen["chain"],
        "seen_by": ["scan"],
        "cure": seen.get("cure") or (str(cause.cure) if cause else "none"),
    }
    if "fix" in seen:
        found["fix"] = seen["fix"]
    return found


def _entry(finding: Finding, root: Path) -> dict[str, Any] | None:
    entry = finding.entry
    return asdict(entry) | {"path": relative(entry.path, root)} if entry else None


def relative(path: str, root: Path) -> str:
    """Return a path as seen from `root` if it lies beneath, else as it is."""
    try:
        return Path(path).relative_to(root).as_posix()
    except ValueError:
        return path


def plain(value: Any, root: Path) -> Any:
    """Turn a value of a finding's evidence into one that JSON knows, with paths from `root`."""
    if isinstance(value, Enum):
        return plain(value.value, root)
    if isinstance(value, np.generic):
        return plain(value.item(), root)
    if isinstance(value, float):
        return round(value, 6) if np.isfinite(value) else None
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, Mapping):
        return {plain(str(key), root): plain(item, root) for key, item in value.items()}
    if hasattr(value, "_asdict"):  # a NamedTuple, such as a Site
        return plain(value._asdict(), root)
    if isinstance(value, list | tuple | set | frozenset | np.ndarray):
        return [plain(item, root) for item in value]
    text = str(value)
    return text.replace(f"{root}/", "") if root != Path(root.anchor) else text


def _place(path: str, line: int, function: str, root: Path) -> Place:
    return {"path": relative(path, root), "line": line, "function": function}


def _endpoints(blame: Blame, ledger: Ledger) -> list[Charged]:
    """List the endpoints that a finding costs time, the one that it costs most first."""
    rows = ledger.root[ledger.latency(ledger.root)]
    total_ns = np.bincount(
        ledger.endpoint_of[rows["request"]],
        (rows["end"] - rows["start"]).astype(np.float64),
        len(ledger.endpoints),
    )
    found: list[Charged] = []
    for index, ns in sorted(blame.by_endpoint.items(), key=lambda item: -item[1]):
        endpoint = ledger.endpoints[index]
        found.append(
            {
                "method": endpoint.method,
                "route": endpoint.route,
                "charged_ms_per_request": round_ms(ns / max(1, len(endpoint.requests))),
                "share": round(ns / total_ns[index], 6) if total_ns[index] else 0.0,
            }
        )
    return found
