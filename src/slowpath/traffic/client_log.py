"""What the client saw, one line a request: written by the load generator, summed up here.

Lines are `span_id,start_ns,end_ns,method,name,status,bytes,error`. The span id is the one the app
received in `traceparent`; times are of `time.perf_counter_ns()`, which all processes of a machine
share. No query, header value or body is in it.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

COLUMNS = ("span_id", "start_ns", "end_ns", "method", "name", "status", "bytes", "error")

UNFINISHED = "Unfinished"
"""The error of a request that was still under way when the traffic ended."""

NO_STATUS = 0
"""The status of a request that got no answer."""


@dataclass(slots=True)
class Summary:
    """The requests of the measured window in numbers."""

    requests: int = 0
    failed: int = 0
    unfinished: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    failed_by_endpoint: Counter[tuple[str, str]] = field(default_factory=Counter)
    latencies_ns: list[int] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def error_rate(self) -> float:
        return self.failed / self.requests if self.requests else 0.0

    @property
    def p95_ms(self) -> float:
        return quantile_ms(self.latencies_ns, 0.95)


def quantile_ms(latencies_ns: list[int], share: float) -> float:
    """The smallest latency that `share` of the requests did not exceed; 0 if there are none."""
    if not latencies_ns:
        return 0.0
    ordered = sorted(latencies_ns)
    index = max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1)
    return ordered[index] / 1e6


def read(path: Path) -> Iterator[dict[str, str]]:
    """The complete lines of a client log, those of warm-up too."""
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            # The last line is torn when the load generator was killed.
            if None not in row.values():
                yield row


def summarise(path: Path, start_ns: int, end_ns: int) -> Summary:
    """Sum up the requests that began within the window."""
    summary = Summary(seconds=max(0, end_ns - start_ns) / 1e9)
    for row in read(path):
        began_ns = int(row["start_ns"])
        if not start_ns <= began_ns < end_ns:
            continue
        if row["error"] == UNFINISHED:
            summary.unfinished += 1
            continue
        status = int(row["status"])
        summary.requests += 1
        summary.statuses[status] += 1
        summary.latencies_ns.append(int(row["end_ns"]) - began_ns)
        if is_failure(status, row["error"]):
            summary.failed += 1
            summary.failed_by_endpoint[row["method"], row["name"]] += 1
            if row["error"]:
                summary.errors[row["error"]] += 1
    return summary


def is_failure(status: int, error: str) -> bool:
    """Whether an answer, the lack of one, or one cut short counts as an error."""
    return bool(error) or status == NO_STATUS or status >= 400
