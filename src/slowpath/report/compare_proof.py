"""What was predicted of the cures that were made since, beside what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from slowpath.report.measured import steps_of
from slowpath.report.model import FindingReport, Report
from slowpath.report.words import counted, ms


class ProofStep(TypedDict):
    """A finding of the run before that was cured, and what was predicted for its cure.

    `p95_ms` and `rps` are with the steps above it taken as well; None where the plan, which is
    cumulative, does not say. `alone` is p95 with this cure alone, `low` and `high` its bounds.
    """

    cause: str
    path: str
    line: int
    p95_ms: float | None
    rps: float | None
    alone: float | None
    low: float | None
    high: float | None


class Proof(TypedDict):
    """A prediction of the run before for exactly what was cured, and what the run after measured.

    `findings` are the numbers of what was cured in the run before. `low` and `high` bound the
    prediction where it has an interval; `error` is relative to what was measured. `note` says why
    there is no prediction to hold against it, or how far to trust it.
    """

    findings: list[int]
    steps: list[ProofStep]
    before_p95_ms: float
    predicted_p95_ms: float | None
    low: float | None
    high: float | None
    predicted_rps: float | None
    measured_p95_ms: float
    measured_rps: float
    error: float | None
    note: str
    sentence: str


def proof_of(before: Report, cured: Sequence[FindingReport], after: Report) -> Proof | None:
    """Hold what was predicted against what was measured; None if no cure with a price was made.

    A prediction counts only for exactly the cures that were made: that of the one finding that was
    cured, or the step of the plan whose cures they are.
    """
    was, now = before["load"]["p95_ms"], after["load"]["p95_ms"]
    if not cured or was is None or now is None or not any(one["predicted"] for one in cured):
        return None
    stages = before["simulation"].get("plan", [])
    numbers = {finding["number"] for finding in cured}
    places: dict[int, int] = {}
    for at, stage in enumerate(stages):
        if stage["finding"] not in numbers:
            break
        places[stage["finding"]] = at
    ordered = sorted(cured, key=lambda one: (places.get(one["number"], len(places)), one["number"]))
    steps: list[ProofStep] = []
    for one in ordered:
        step = places.get(one["number"])
        price = one["predicted"] or {}
        steps.append(
            {
                "cause": one["cause"],
                "path": one["path"],
                "line": one["line"],
                "p95_ms": None if step is None else stages[step]["p95_ms"],
                "rps": None if step is None else stages[step]["rps"],
                "alone": price.get("p95_ms"),
                "low": price.get("low"),
                "high": price.get("high"),
            }
        )
    predicted = low = high = rps = None
    if len(cured) == 1:
        price = cured[0]["predicted"] or {}
        predicted, rps = price.get("p95_ms"), price.get("rps")
        low, high = price.get("low"), price.get("high")
    elif reached := steps_of(before, numbers):
        predicted, rps = stages[reached - 1]["p95_ms"], stages[reached - 1]["rps"]
    error = None if predicted is None or not now else predicted / now - 1
    return {
        "findings": sorted(numbers),
        "steps": steps,
        "before_p95_ms": was,
        "predicted_p95_ms": predicted,
        "low": low,
        "high": high,
        "predicted_rps": rps,
        "measured_p95_ms": now,
        "measured_rps": after["load"]["rps"],
        "error": error,
        "note": _note(before, predicted),
        "sentence": _sentence(len(cured), was, predicted, low, high, now, error),
    }


def _note(before: Report, predicted: float | None) -> str:
    if predicted is None:
        return (
            "The plan of the run before says what its cures give in its own order; of those that "
            "were made together it has no prediction."
        )
    if not before["simulation"].get("trusted", True):
        return "The run before said that its predictions are not to be trusted."
    return ""


def _sentence(
    count: int,
    was: float,
    predicted: float | None,
    low: float | None,
    high: float | None,
    now: float,
    error: float | None,
) -> str:
    """Say it in a sentence."""
    if predicted is None or error is None:
        return f"Measured p95: {ms(now)} ms, from {ms(was)} ms before."
    bounds = "" if low is None or high is None else f" ({ms(low)} to {ms(high)})"
    cures = "this cure" if count == 1 else f"these {counted(count, 'cure')}"
    if abs(error) < 0.005:
        off = "as measured"
    else:
        off = f"{abs(error) * 100:.0f}% {'above' if error > 0 else 'below'} what was measured"
    return (
        f"For {cures} p95 was predicted to go from {ms(was)} to {ms(predicted)} ms{bounds}; "
        f"it went to {ms(now)} ms. The prediction was {off}."
    )
