"""The data model of a recording: all of it for one run, whatever the number of processes.

Sites, texts and stacks are numbered across processes; number 0 means "none" everywhere. Lines of
execution are numbered `process << 32 | line`. Times are integer nanoseconds of the machine's
monotonic clock, the same in every process and in the load generator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

# What the numbers in a span mean; the rest of the wire's format is this package's own affair.
from slowpath.probe.wire import SPAN_FIELDS as SPAN_FIELDS
from slowpath.probe.wire import SPAN_KINDS as SPAN_KINDS
from slowpath.probe.wire import SpanFlag as SpanFlag

Rows = npt.NDArray[np.void]

#: One row a span. `thread` is `process << 16 | thread`; `resource` numbers a text; what `a` and
#: `b` mean is told by `SPAN_FIELDS`.
SPAN = np.dtype(
    [
        ("kind", "u1"),
        ("flags", "u1"),
        ("thread", "i4"),
        ("line", "i8"),
        ("site", "i4"),
        ("resource", "i4"),
        ("start", "i8"),
        ("end", "i8"),
        ("a", "i8"),
        ("b", "i8"),
    ]
)
#: One row a slice: `line` held `thread` from start to end; its CPU ns were in [`least`, `most`],
#: both -1 where not measured (short slices).
SLICE = np.dtype(
    [
        ("thread", "i4"),
        ("line", "i8"),
        ("start", "i8"),
        ("end", "i8"),
        ("most", "i8"),
        ("least", "i8"),
    ]
)
#: One row a stack sample of an overdue slice (`slice_start`), taken at `at`; `site` is the app's
#: own innermost line, `stack` numbers a stack; the two CPU clocks are cumulative ns.
SAMPLE = np.dtype(
    [
        ("thread", "i4"),
        ("line", "i8"),
        ("site", "i4"),
        ("stack", "i4"),
        ("slice_start", "i8"),
        ("at", "i8"),
        ("thread_cpu", "i8"),
        ("process_cpu", "i8"),
    ]
)
#: One row a reading of a level (`name` numbers a text) of a process.
GAUGE = np.dtype([("process", "i4"), ("name", "i4"), ("at", "i8"), ("value", "i8")])


class Site(NamedTuple):
    """One place in code; `path` is absolute as the app's process saw it."""

    path: str
    line: int
    function: str


class Span(NamedTuple):
    """One span as a tuple of plain values: a row of `Recording.spans`."""

    kind: int
    flags: int
    thread: int
    line: int
    site: int
    resource: int
    start: int
    end: int
    a: int
    b: int


class Slice(NamedTuple):
    """One slice as a tuple of plain values: a row of `Recording.slices`."""

    thread: int
    line: int
    start: int
    end: int
    most: int
    least: int


@dataclass(frozen=True, slots=True)
class Line:
    """A line of execution that is not a request's main task.

    Attributes:
        request: number of the main line of the request it worked for; 0 for none.
        parent: the line that made it; 0 for none.
        site: where its function is defined.
        born_ns: when it was created.
        is_job: a job in a worker thread, not a task.
    """

    id: int
    request: int
    parent: int
    site: int
    born_ns: int
    is_job: bool


@dataclass(frozen=True, slots=True)
class ClientCall:
    """One request as the load generator saw it."""

    span_id: int
    start_ns: int
    end_ns: int
    method: str
    name: str
    status: int
    bytes: int
    error: str


@dataclass(frozen=True, slots=True)
class Request:
    """One ASGI scope handled.

    Attributes:
        line: number of its main line.
        start_ns: the server accepted it (its task was made).
        began_ns: the app's first step.
        first_byte_ns: the first byte was sent; 0 if none was.
        complete_ns: the last byte was sent, to the µs; 0 if it was not.
        end_ns: the app returned (after dependencies were closed and background tasks run).
        streamed: sent in parts, of no length that was told before.
        status: HTTP status; 101 for an accepted websocket; 0 if nothing was sent.
        handler: site of the endpoint function; 0 if unknown.
        client: what the load generator saw of it, if it came from there.
    """

    line: int
    process: int
    method: str
    route: str
    handler: int
    status: int
    start_ns: int
    began_ns: int
    first_byte_ns: int
    end_ns: int
    bytes_in: int
    bytes_out: int
    websocket: bool
    streamed: bool
    disconnected: bool
    cancelled: bool
    failed: bool
    client: ClientCall | None = None
    complete_ns: int = 0

    @property
    def wall_ns(self) -> int:
        """All the time from accept to end."""
        return self.end_ns - self.start_ns

    @property
    def answered_ns(self) -> int:
        """When its answer had come: the first byte of a stream or websocket, else the last."""
        if (self.websocket or self.streamed) and self.first_byte_ns:
            return self.first_byte_ns
        return self.complete_ns or self.end_ns

    @property
    def latency_ns(self) -> int:
        """What percentiles are made of: accept to answer."""
        return self.answered_ns - self.start_ns


@dataclass(frozen=True, slots=True)
class Process:
    """One process that the probe sat in.

    Attributes:
        meta: what the probe told of it (versions, states of the hooks, what was dropped).
        torn_bytes: bytes at the end of its file that made no whole frame.
    """

    pid: int
    meta: Mapping[str, Any]
    torn_bytes: int = 0


def _rows(dtype: np.dtype[np.void]) -> Any:
    return field(default_factory=lambda: np.zeros(0, dtype))


@dataclass
class Recording:
    """Everything one run recorded.

    Attributes:
        run: `run.json`.
        requests: every request that ended, by start; `measured` tells those that count.
        lines: the other lines of execution, by number.
        spans: rows of `SPAN`, sorted by line, start and -end (an outer span before its inner ones).
        slices: rows of `SLICE`, sorted by line and start.
        samples: rows of `SAMPLE`, sorted by thread and time.
        gauges: rows of `GAUGE`, sorted by time.
        client: every call of the load generator, also those that no probe saw.
        troubles: sentences on what could not be read.
    """

    run: dict[str, Any] = field(default_factory=dict)
    processes: Sequence[Process] = ()
    sites: Sequence[Site] = (Site("", 0, ""),)
    texts: Sequence[str] = ("",)
    stacks: Sequence[tuple[int, ...]] = ((),)
    requests: Sequence[Request] = ()
    lines: Mapping[int, Line] = field(default_factory=dict)
    spans: Rows = _rows(SPAN)
    slices: Rows = _rows(SLICE)
    samples: Rows = _rows(SAMPLE)
    gauges: Rows = _rows(GAUGE)
    client: Sequence[ClientCall] = ()
    troubles: Sequence[str] = ()

    def spans_of(self, line: int) -> list[Span]:
        """Return the spans of one line, by start."""
        low, high = np.searchsorted(self.spans["line"], [line, line + 1])
        return [Span(*row) for row in self.spans[low:high].tolist()]

    def slices_of(self, line: int) -> list[Slice]:
        """Return the slices of one line, by start."""
        low, high = np.searchsorted(self.slices["line"], [line, line + 1])
        return [Slice(*row) for row in self.slices[low:high].tolist()]

    def measured(self, request: Request) -> bool:
        """Tell whether a request began within the measured window (not in the warm-up)."""
        window = self.run.get("window") or {}
        start = window.get("start_ns") or 0
        end = window.get("end_ns") or (1 << 63)
        return bool(start <= request.start_ns <= end)
