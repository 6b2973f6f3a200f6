"""Gates for pipelines: `p95>+10%`, `errors>1%`, `new-findings>0`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from operator import ge, gt, le, lt

from slowpath.errors import UserError
from slowpath.report.compare import Comparison, signed
from slowpath.report.words import number

_OPERATORS: dict[str, Callable[[float, float], bool]] = {">": gt, ">=": ge, "<": lt, "<=": le}
_UNITS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("p50", "p95", "p99"), ("ms", "%")),
    "rps": ("/s", "%"),
    "errors": ("%",),
    "new-findings": (),
}
_FORM = re.compile(
    r"(?P<metric>[a-z0-9-]+?)\s*(?P<operator>[<>]=?)\s*(?P<sign>[+-]?)(?P<value>\d+(?:\.\d+)?)"
    r"\s*(?P<unit>%|ms|/s)?"
)


@dataclass(frozen=True)
class Gate:
    """A condition under which a comparison fails.

    Attributes:
        is_change: the bound is a change (it was written with a sign), else a figure of the second
            run.
        bound: in the metric's own unit, or a share where `unit` is "%".
    """

    text: str
    metric: str
    operator: str
    is_change: bool
    bound: float
    unit: str


@dataclass(frozen=True)
class Outcome:
    """What came of a gate, and the sentence that says so."""

    gate: str
    failed: bool
    why: str


def parse(text: str) -> Gate:
    """Read a gate.

    Raises:
        UserError: it is none.
    """
    found = _FORM.fullmatch(text.strip())
    if found is None or found["metric"] not in _UNITS:
        raise UserError(
            f"--fail-if {text!r} is no condition; write one such as 'p95>+10%', 'p95>500ms', "
            f"'rps<-5%', 'errors>1%' or 'new-findings>0' (known: {', '.join(_UNITS)})."
        )
    metric, unit, sign = found["metric"], found["unit"] or "", found["sign"]
    if unit and unit not in _UNITS[metric]:
        raise UserError(f"--fail-if {text!r}: {metric} is not told in {unit}.")
    if unit == "%" and not sign and metric != "errors":
        raise UserError(f"--fail-if {text!r}: a change needs its sign, such as {metric}>+10%.")
    if metric == "errors" and not unit:
        raise UserError(f"--fail-if {text!r}: errors are a share, such as errors>1%.")
    value = float(found["value"]) * (-1 if sign == "-" else 1)
    bound = value / 100 if unit == "%" else value
    return Gate(text.strip(), metric, found["operator"], bool(sign), bound, unit)


def judge(gate: Gate, comparison: Comparison) -> Outcome:
    """Tell whether a comparison passes.

    A change fails only if it is certain: its interval must not hold "no change". Without an
    interval (too few requests) what was measured decides.
    """
    passes = _OPERATORS[gate.operator]
    if gate.metric == "new-findings":
        count = len(comparison["new"])
        return Outcome(gate.text, passes(count, gate.bound), f"new findings: {count}")
    one = next(one for one in comparison["overall"] if one["metric"] == gate.metric)
    if one["after"] is None or (gate.is_change and one["change"] is None):
        return Outcome(gate.text, True, f"{gate.metric} is unknown")
    if not gate.is_change:
        value = one["after"]
        shown = f"{number(value * 100)}%" if gate.metric == "errors" else number(value)
        return Outcome(gate.text, passes(value, gate.bound), f"{gate.metric} is {shown}")
    before, after, change = one["before"] or 0.0, one["after"], one["change"] or 0.0
    is_share = gate.unit == "%"
    value = change if is_share else after - before
    shown = signed(value) if is_share else f"{value:+.3g} {gate.unit}".rstrip()
    why = f"{gate.metric} changed by {shown}"
    if not passes(value, gate.bound):
        return Outcome(gate.text, False, why)
    low, high = one["low"], one["high"]
    if low is not None and high is not None:
        if low <= 0 <= high:
            return Outcome(
                gate.text, False, f"{why}, but that may be noise ({signed(low)} to {signed(high)})"
            )
        return Outcome(gate.text, True, f"{why} ({signed(low)} to {signed(high)})")
    return Outcome(gate.text, True, f"{why}; too few requests to tell noise apart")
