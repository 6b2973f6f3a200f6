"""From a recording, its ledger and the findings to the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from slowpath.causes import Finding, catalogue
from slowpath.codemod import Project
from slowpath.ledger import Ledger
from slowpath.recording import Recording
from slowpath.report.blind import FEW, blind_of, hints_of, hook_states
from slowpath.report.figures import endpoints_of, load_of
from slowpath.report.findings import finding_of, in_code_of
from slowpath.report.fixes import put_fixes
from slowpath.report.model import VERSION, FindingReport, Load, Probe, Report
from slowpath.report.words import counted, percent

#: With a larger share of errors, the figures tell how fast the app fails.
MOSTLY_ERRORS = 0.5


def build(
    recording: Recording,
    ledger: Ledger,
    findings: Iterable[Finding],
    root: Path | None = None,
    in_code: Iterable[Finding] = (),
) -> Report:
    """Put the report together; findings keep their order.

    Args:
        root: paths beneath it are told relative to it; the working folder by default.
        in_code: what only a scan saw.
    """
    root = (root or Path.cwd()).absolute()
    started = str(recording.run.get("started") or "")
    load = load_of(ledger)
    endpoints = endpoints_of(ledger)
    found = [finding_of(finding, i, ledger, root) for i, finding in enumerate(findings, 1)]
    seen = [in_code_of(finding, root, started) for finding in in_code]
    put_fixes([*found, *seen], Project(root))
    return {
        "version": VERSION,
        "run": recording.run,
        "verdict": verdict(load, found, measured=len(ledger.requests)),
        "hints": [] if ledger.requests else hints_of(recording),
        "notes": [str(note) for note in recording.run.get("notes") or []],
        "load": load,
        "endpoints": endpoints,
        "simulation": {"replay_error": None},
        "findings": found,
        "in_code": seen,
        "looked_for": sorted(slug for slug, cause in catalogue().items() if cause.part("detect")),
        "blind": blind_of(recording, endpoints),
        "probe": _probe(recording, ledger),
    }


def verdict(load: Load, findings: Sequence[FindingReport], measured: int) -> str:
    """Say in a sentence or two what the run showed."""
    if not measured:
        return "Nothing was recorded, so there is nothing to say about the app yet."
    if load["errors"] > MOSTLY_ERRORS:
        return (
            f"THESE FIGURES MEAN LITTLE: {percent(load['errors'])} of "
            f"{counted(load['requests'], 'request')} failed. They tell how fast the app fails."
        )
    if not findings and measured < FEW:
        return f"Nothing found, but {counted(measured, 'request')} cannot tell much: send more."
    if not findings:
        return "Nothing found: no line is charged with enough time to be worth a change."
    first = findings[0]
    where = f"{first['path']}:{first['line']}"
    if first["share_of_p95"] is None:
        text = f"{first['title']}: {where}, seen in the code; this run charges it nothing."
    else:
        text = (
            f"{first['title']}: {where} is charged {percent(first['share_of_p95'])} of the time "
            "of the slowest requests."
        )
    rest = len(findings) - 1
    return f"{text} {counted(rest, 'more finding')} below." if rest else text


def _probe(recording: Recording, ledger: Ledger) -> Probe:
    served = Counter(request.process for request in ledger.requests)
    return {
        "dropped": sum(int(process.meta.get("dropped") or 0) for process in recording.processes),
        "hooks": hook_states(recording.processes),
        "overhead_ms_per_request": ledger.overhead_ms(),
        "processes": [
            {
                "pid": process.pid,
                "python": str(process.meta.get("python") or ""),
                "requests": served[index],
                "dropped": int(process.meta.get("dropped") or 0),
                "torn_bytes": process.torn_bytes,
            }
            for index, process in enumerate(recording.processes)
        ],
    }
