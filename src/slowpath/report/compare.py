"""Two runs beside each other: what changed, and what may be noise.

Intervals come from a bootstrap that resamples blocks of time rather than requests: requests of one
moment wait for the same thing and are far from independent. They tell the noise within the two
runs; that a machine is another one tomorrow, no interval of two runs can tell.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from slowpath.ledger import Ledger
from slowpath.report.compare_proof import Proof, proof_of
from slowpath.report.figures import failed, measured_calls
from slowpath.report.measured import cures_in
from slowpath.report.model import FindingReport, Report
from slowpath.report.stacks import NONE, Stacks
from slowpath.report.words import counted, ms, number, percent
from slowpath.traffic.client_log import is_failure

BLOCKS, LEAST_BLOCKS = 20, 5
#: Below this, percentiles are chance.
LEAST_REQUESTS = 20
RESAMPLES = 1000
#: Half of what an interval leaves out, in percent.
TAIL = 2.5
#: A change that is certainly smaller than this is none.
SMALL = 0.05
MOST_ENDPOINTS = 60
_PERCENTILES = {"p50": 50.0, "p95": 95.0, "p99": 99.0}
#: What must be the same for a comparison to mean something, by the word for it.
_CONDITIONS = ("python", "platform", "cpus")
_TRAFFIC = ("kind", "users", "rate", "duration_s")

Floats = npt.NDArray[np.float64]


class Difference(TypedDict):
    """One figure of both runs.

    `change` is relative to `before`; of `failed`, a share, it is the difference. `low` and `high`
    bound it (95 %); None where there are too few requests to tell. `verdict` is "better", "worse",
    "same" (certainly within 5 %) or "unclear".
    """

    metric: str
    label: str
    before: float | None
    after: float | None
    change: float | None
    low: float | None
    high: float | None
    verdict: str


class FindingChange(TypedDict):
    """A finding that is new, gone or in both runs; `predicted` as in its own report."""

    cause: str
    path: str
    line: int
    function: str
    message: str
    share_of_p95: float | None
    predicted: dict[str, float] | None


class Comparison(TypedDict):
    """What two runs differ in; `notes` say why the comparison may mislead.

    `proof` holds what the first run predicted for what was cured against the second.
    """

    before: str
    after: str
    verdict: str
    notes: list[str]
    overall: list[Difference]
    endpoints: list[Difference]
    new: list[FindingChange]
    gone: list[FindingChange]
    kept: list[FindingChange]
    proof: Proof | None


@dataclass(frozen=True)
class Side:
    """One of the two runs."""

    name: str
    report: Report
    ledger: Ledger
    stacks: Stacks = NONE


@dataclass(frozen=True)
class Sample:
    """Latencies (ms) of some requests, in blocks of time.

    Attributes:
        latency_ms: ascending; shape (n,).
        block: of each, 0 to `blocks` - 1.
        failed: whether each failed.
        seconds: how long the run was measured.
    """

    latency_ms: Floats
    block: npt.NDArray[np.int64]
    failed: npt.NDArray[np.bool_]
    seconds: float
    blocks: int = BLOCKS

    @classmethod
    def of(
        cls, start_ns: Sequence[int], took_ns: Sequence[int], bad: Sequence[bool], seconds: float
    ) -> Sample:
        """Make a sample; blocks are equal parts of the time that requests began in."""
        start = np.array(start_ns, np.int64)
        took = np.array(took_ns, np.float64) / 1e6
        order = np.argsort(took, kind="stable")
        if len(start):
            edges = np.linspace(start.min(), start.max() + 1, BLOCKS + 1)[1:-1]
            block = np.searchsorted(edges, start, side="right")
        else:
            block = np.zeros(0, np.int64)
        return cls(took[order], block[order], np.array(bad, np.bool_)[order], seconds)

    def figure(self, metric: str) -> float | None:
        """Return a metric: p50, p95, p99 (ms), rps (a second) or errors (a share)."""
        count = len(self.latency_ms)
        if metric == "rps":
            return count / self.seconds if self.seconds else None
        if not count:
            return None
        if metric == "errors":
            return float(self.failed.mean())
        return float(np.percentile(self.latency_ms, _PERCENTILES[metric]))

    def resampled(self, metric: str, draws: npt.NDArray[np.int64]) -> Floats:
        """Return the metric of each resample; NaN where a resample is empty.

        Args:
            draws: how often each block was drawn; shape (resamples, blocks).
        """
        counts = np.bincount(self.block, minlength=self.blocks)
        if metric == "rps":
            return np.asarray(draws @ counts / max(self.seconds, 1e-9), np.float64)
        if metric == "errors":
            bad = np.bincount(self.block, self.failed, self.blocks)
            return np.asarray(draws @ bad / np.maximum(1, draws @ counts), np.float64)
        found = np.full(len(draws), np.nan)
        for i, drawn in enumerate(draws):
            passed = np.cumsum(drawn[self.block])
            if len(passed) and passed[-1]:
                place = np.searchsorted(passed, _PERCENTILES[metric] / 100 * passed[-1])
                found[i] = self.latency_ms[min(int(place), len(passed) - 1)]
        return found

    @property
    def is_telling(self) -> bool:
        """Whether there are enough requests, in enough blocks, for an interval."""
        blocks = len(np.unique(self.block))
        return len(self.latency_ms) >= LEAST_REQUESTS and blocks >= LEAST_BLOCKS


def compare(before: Side, after: Side) -> Comparison:
    """Compare two runs, each with its report and ledger."""
    sides = (before, after)
    by_client = all(measured_calls(side.ledger.recording) for side in sides)
    whole = [_whole(side, by_client) for side in sides]
    labels = {"p50": "p50, ms", "p95": "p95, ms", "p99": "p99, ms"}
    labels |= {"rps": "requests a second", "errors": "failed"}
    overall = [difference(metric, label, *whole) for metric, label in labels.items()]
    sorted_out = _findings(before.report["findings"], after.report["findings"])
    new, gone, kept = ([_change(one) for one in found] for found in sorted_out)
    # Without a word of the second run on what was cured for it, that is what is gone.
    cured = cures_in(after.report["run"], before.name, before.report)
    return {
        "before": before.name,
        "after": after.name,
        "verdict": _verdict(overall, new, gone),
        "notes": _notes(before, after),
        "overall": overall,
        "endpoints": _endpoints(before.ledger, after.ledger),
        "new": new,
        "gone": gone,
        "kept": kept,
        "proof": proof_of(before.report, sorted_out[1] if cured is None else cured, after.report),
    }


def difference(metric: str, label: str, before: Sample, after: Sample) -> Difference:
    """Compare one metric of two samples."""
    old, new = before.figure(metric), after.figure(metric)
    low = high = None
    absolute = metric == "errors"
    if before.is_telling and after.is_telling:
        random = np.random.default_rng(0)  # the same runs compare the same every time
        drawn = [
            random.multinomial(sample.blocks, [1 / sample.blocks] * sample.blocks, RESAMPLES)
            for sample in (before, after)
        ]
        olds, news = before.resampled(metric, drawn[0]), after.resampled(metric, drawn[1])
        with np.errstate(divide="ignore", invalid="ignore"):
            changes = news - olds if absolute else news / olds - 1
        changes = changes[np.isfinite(changes)]
        if len(changes) > RESAMPLES // 2:
            low, high = (float(value) for value in np.percentile(changes, [TAIL, 100 - TAIL]))
    change = None
    if old is not None and new is not None:
        change = new - old if absolute else new / old - 1 if old else None
    return {
        "metric": metric,
        "label": label,
        "before": old,
        "after": new,
        "change": change,
        "low": low,
        "high": high,
        "verdict": _judge(metric, low, high),
    }


def _judge(metric: str, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return "unclear"
    small = SMALL / 10 if metric == "errors" else SMALL
    if -small <= low and high <= small:
        return "same"
    if low <= 0 <= high:
        return "unclear"
    more_is_better = metric == "rps"
    return "better" if (low > 0) == more_is_better else "worse"


def _whole(side: Side, by_client: bool) -> Sample:
    """Return all requests of a run, as the client saw them if both runs had one."""
    seconds = side.report["load"]["seconds"]
    if by_client:
        calls = measured_calls(side.ledger.recording)
        return Sample.of(
            [call.start_ns for call in calls],
            [call.end_ns - call.start_ns for call in calls],
            [is_failure(call.status, call.error) for call in calls],
            seconds,
        )
    return _served(side.ledger, np.arange(len(side.ledger.requests)), seconds)


def _served(ledger: Ledger, chosen: npt.NDArray[np.int64], seconds: float) -> Sample:
    requests = [ledger.requests[i] for i in chosen.tolist()]
    return Sample.of(
        [request.start_ns for request in requests],
        [request.latency_ns for request in requests],
        [failed(request) for request in requests],
        seconds,
    )


def _endpoints(before: Ledger, after: Ledger) -> list[Difference]:
    """Compare the p95 of the endpoints, those of either run, by the time they took."""
    names: dict[str, int] = defaultdict(int)
    members: list[dict[str, npt.NDArray[np.int64]]] = []
    for ledger in (before, after):
        members.append({endpoint.name: endpoint.requests for endpoint in ledger.endpoints})
        for endpoint in ledger.endpoints:
            names[endpoint.name] += int(endpoint.latency_ns.sum())
    none = np.zeros(0, np.int64)
    return [
        difference(
            "p95",
            name,
            _served(before, members[0].get(name, none), 0.0),
            _served(after, members[1].get(name, none), 0.0),
        )
        for name in sorted(names, key=lambda name: -names[name])[:MOST_ENDPOINTS]
    ]


def _findings(
    before: Sequence[FindingReport], after: Sequence[FindingReport]
) -> tuple[list[FindingReport], list[FindingReport], list[FindingReport]]:
    """Return the new, the gone and the kept findings; lines may have moved meanwhile."""
    left: dict[tuple[str, str, str], list[FindingReport]] = defaultdict(list)
    for finding in before:
        left[_key(finding)].append(finding)
    new, kept = [], []
    for finding in after:
        same = left[_key(finding)]
        if same:
            # Of several in one function, the nearest line is the same one.
            same.remove(min(same, key=lambda old: abs(old["line"] - finding["line"])))
            kept.append(finding)
        else:
            new.append(finding)
    return new, [finding for rest in left.values() for finding in rest], kept


def _key(finding: FindingReport) -> tuple[str, str, str]:
    return finding["cause"], finding["path"], finding["function"]


def _change(finding: FindingReport) -> FindingChange:
    return {
        "cause": finding["cause"],
        "path": finding["path"],
        "line": finding["line"],
        "function": finding["function"],
        "message": finding["message"],
        "share_of_p95": finding["share_of_p95"],
        "predicted": finding["predicted"],
    }


def _verdict(
    overall: Sequence[Difference], new: Sequence[FindingChange], gone: Sequence[FindingChange]
) -> str:
    """Say in a sentence or two what changed."""
    p95 = next(one for one in overall if one["metric"] == "p95")
    if p95["before"] is None or p95["after"] is None:
        return "One of the runs has no requests, so there is nothing to compare."
    told = f"{ms(p95['before'])} ms to {ms(p95['after'])} ms"
    if p95["verdict"] in ("better", "worse"):
        text = f"p95 is {p95['verdict']}: from {told} ({_span(p95)})."
    elif p95["verdict"] == "same":
        text = f"p95 is the same: {told}."
    else:
        text = f"p95 went from {told}, which may be noise ({_span(p95)})."
    others = [
        f"{one['label'].split(',')[0]} {one['verdict']}"
        for one in overall
        if one["metric"] != "p95" and one["verdict"] in ("better", "worse")
    ]
    if others:
        text += f" Also: {', '.join(others)}."
    changes = [
        counted(len(found), f"finding {word}", f"findings {word}")
        for found, word in ((gone, "gone"), (new, "new"))
        if found
    ]
    return f"{text} {' and '.join(changes).capitalize()}." if changes else text


def _span(one: Difference) -> str:
    if one["low"] is None or one["high"] is None:
        return "too few requests for an interval"
    return f"{signed(one['low'])} to {signed(one['high'])}"


def signed(change: float) -> str:
    """Write a relative change.

    >>> signed(0.123), signed(-0.5), signed(0.0)
    ('+12%', '-50%', '0%')
    """
    value = change * 100
    text = number(abs(value) if abs(value) >= 0.05 else 0)
    return f"{'' if text == '0' else '+' if value > 0 else '-'}{text}%"


def _notes(before: Side, after: Side) -> list[str]:
    """Say what else differs between the runs than the code."""
    notes = []
    old, new = before.report["run"], after.report["run"]
    pairs = [(name, old.get(name), new.get(name)) for name in _CONDITIONS]
    was_sent, is_sent = old.get("traffic") or {}, new.get("traffic") or {}
    pairs += [(f"traffic {name}", was_sent.get(name), is_sent.get(name)) for name in _TRAFFIC]
    for name, was, now in pairs:
        if was != now:
            notes.append(f"The runs differ in {name.replace('_s', '')}: {was} and {now}.")
    for side in (before, after):
        if side.report["load"]["errors"] > 0.05:
            share = percent(side.report["load"]["errors"])
            notes.append(f"{share} of the requests of {side.name} failed.")
    return notes
