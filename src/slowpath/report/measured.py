"""What a run measured after cures, in the report of the run before: beside what was predicted.

What a run measures is of all cures together that were made before it. So the step of the plan that
has exactly these gets the figures; where there is none, they stand for themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slowpath.report.model import FindingReport, Measured, Report

if TYPE_CHECKING:
    from slowpath.report.compare_proof import Proof


def steps_of(report: Report, numbers: Collection[int]) -> int:
    """Return how many steps of the plan exactly these cures are; 0: they are no part of it.

    Cures outside of the plan were predicted to change nothing that one would notice, so they may
    be among them; those without a prediction may not.
    """
    planned = [stage["finding"] for stage in report["simulation"].get("plan", [])]
    reached = 0
    while reached < len(planned) and planned[reached] in numbers:
        reached += 1
    priced = {finding["number"] for finding in report["findings"] if finding["predicted"]}
    rest = set(numbers) - set(planned[:reached])
    return 0 if rest & set(planned) or rest - priced else reached


def alone(report: Report, finding: FindingReport) -> Measured | None:
    """Return what a run measured with the cure of this finding and no other."""
    rows = report["simulation"].get("measured", [])
    return next((row for row in rows if row["findings"] == [finding["number"]]), None)


def beside_the_plan(report: Report) -> Iterator[Measured]:
    """Yield what was measured of cures that are no step of the plan."""
    for row in report["simulation"].get("measured", []):
        if not row["steps"]:
            yield row


def put_measured(report: Report, proof: Proof, run: str) -> bool:
    """Write what `run` measured into the report of the run before; tell whether that is new.

    Of two runs with the same cures the last that is written counts.
    """
    simulation = report["simulation"]
    measured: Measured = {
        "run": run,
        "findings": proof["findings"],
        "steps": steps_of(report, proof["findings"]),
        "p95_ms": proof["measured_p95_ms"],
        "rps": proof["measured_rps"],
        "predicted_p95_ms": proof["predicted_p95_ms"],
        "predicted_rps": proof["predicted_rps"],
    }
    known = simulation.get("measured", [])
    if measured in known:
        return False
    same = (measured["run"], measured["findings"])
    rows = [row for row in known if row["run"] != same[0] and row["findings"] != same[1]]
    simulation["measured"] = [*rows, measured]
    stages = simulation.get("plan", [])
    for stage in stages:
        stage.pop("measured_p95_ms", None)
        stage.pop("measured_rps", None)
    for row in simulation["measured"]:
        if row["steps"]:
            stages[row["steps"] - 1]["measured_p95_ms"] = row["p95_ms"]
            stages[row["steps"] - 1]["measured_rps"] = row["rps"]
    return True


def cures_in(run: dict[str, Any], of: str, report: Report) -> list[FindingReport] | None:
    """Return the findings of the run `of` that were cured for this run, if it says so itself."""
    cured = run.get("cured") or {}
    if cured.get("run") != of:
        return None
    places = [_place(one) for one in cured.get("findings") or ()]
    return [finding for finding in report["findings"] if _place(finding) in places]


def _place(finding: Any) -> tuple[Any, ...]:
    return tuple(finding.get(key) for key in ("cause", "path", "line", "function"))


def was_cured(
    before: dict[str, Any], after: dict[str, Any], gone: Sequence[FindingReport], root: Path
) -> bool:
    """Tell whether something was changed between two runs that could have cured these findings.

    That is the command, the revision, or a file of theirs; a finding at the edge of being one
    is gone in the next run though nobody did anything.

    Args:
        before: its `run.json`, as `after`.
        root: what paths are relative to.
    """
    if not str(before.get("started")) < str(after.get("started")):
        return False
    for what in ("command", "git_revision"):
        if before.get(what) != after.get(what):
            return True
    try:
        began, again = (
            datetime.fromisoformat(str(run["started"])).timestamp() for run in (before, after)
        )
    except ValueError:
        return False
    hops = [hop for one in gone for hop in (one, *one["chain"], *filter(None, [one["entry"]]))]
    return any(began < _changed(root / hop["path"]) < again for hop in hops)


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
