"""Makes recordings by hand, for tests: times in ms from an arbitrary origin.

made = Builder()
request = made.request(0, 10, handler=made.site("app.py", 3, "orders"))
made.slice(request, 0, 2)
made.span(request, "sql", 1, 9, made.site("app.py", 5, "orders"), "SELECT ?")
made.slice(request, 9, 10)
recording = made.recording()
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from slowpath.ledger import ACTIVITY_NAMES, Ledger, Mode
from slowpath.probe.wire import SPAN_KINDS, SpanFlag
from slowpath.recording import ClientCall, Line, Process, Recording, Request, Site
from slowpath.recording.model import GAUGE, SAMPLE, SLICE, SPAN, Rows

MS = 1_000_000
#: All recorded times are after this, as those of a real clock are.
ORIGIN = 1_000_000 * MS


def ns(ms: float) -> int:
    """Return a time of a test (ms) as the recording has it (ns)."""
    return ORIGIN + round(ms * MS)


@dataclass
class Builder:
    """Collects what a recording consists of; lines are numbered as they are made."""

    sites: list[Site] = field(default_factory=lambda: [Site("", 0, "")])
    texts: list[str] = field(default_factory=lambda: [""])
    stacks: list[tuple[int, ...]] = field(default_factory=lambda: [()])
    requests: list[Request] = field(default_factory=list)
    lines: dict[int, Line] = field(default_factory=dict)
    spans: list[tuple[Any, ...]] = field(default_factory=list)
    slices: list[tuple[Any, ...]] = field(default_factory=list)
    samples: list[tuple[Any, ...]] = field(default_factory=list)
    gauges: list[tuple[Any, ...]] = field(default_factory=list)
    client: list[ClientCall] = field(default_factory=list)
    run: dict[str, Any] = field(default_factory=dict)
    made: int = 0

    def site(self, path: str = "app.py", line: int = 1, function: str = "handler") -> int:
        """Return the number of a site."""
        return _number(self.sites, Site(path, line, function))

    def text(self, text: str) -> int:
        """Return the number of a text."""
        return _number(self.texts, text)

    def request(
        self,
        start: float,
        end: float,
        *,
        handler: int = 0,
        method: str = "GET",
        route: str = "/",
        status: int = 200,
        process: int = 0,
        line: int = 0,
        first_byte: float | None = None,
        sent: float | None = None,
        **more: Any,
    ) -> int:
        """Add a request and return its main line; `sent`: when its client sent it."""
        line = line or self.line_number(process)
        client = None
        if sent is not None:
            client = ClientCall(line, ns(sent), ns(end), method, route, status, 0, "")
            self.client.append(client)
        request = Request(
            line=line,
            process=process,
            method=method,
            route=route,
            handler=handler,
            status=status,
            start_ns=ns(start),
            began_ns=ns(start),
            first_byte_ns=0 if first_byte is None else ns(first_byte),
            end_ns=ns(end),
            bytes_in=0,
            bytes_out=0,
            websocket=False,
            streamed=False,
            disconnected=False,
            cancelled=False,
            failed=False,
            client=client,
        )
        self.requests.append(replace(request, **more))
        return line

    def line_number(self, process: int = 0) -> int:
        """Return a new line's number."""
        self.made += 1
        return process << 32 | self.made

    def task(self, request: int, born: float, *, parent: int = 0, site: int = 0) -> int:
        """Add a task of a request (0: of none) and return its line."""
        line = self.line_number(request >> 32)
        parent = parent or request
        self.lines[line] = Line(line, request, parent, site, ns(born), False)
        return line

    def job(
        self,
        asker: int,
        asked: float,
        start: float,
        end: float,
        *,
        request: int | None = None,
        site: int = 0,
        at: int = 0,
        resource: str = "threads",
        places: int = 40,
        thread: int = 100,
        cpu: float | None = None,
    ) -> int:
        """Add a job in a worker thread, with the spans of the line that asked for it at `at`."""
        line = self.line_number(asker >> 32)
        request = asker if request is None else request
        self.lines[line] = Line(line, request, asker, site, ns(asked), True)
        used = -1 if cpu is None else round(cpu * MS)
        self.slice(line, start, end, thread=thread, most=used, least=used)
        job = line & 0xFFFFFFFF
        self.span(asker, "thread_wait", asked, start, at, resource, a=job, b=places)
        self.span(asker, "thread", start, end, at, resource, a=job, b=places)
        return line

    def slice(
        self,
        line: int,
        start: float,
        end: float,
        *,
        thread: int = 1,
        most: int = -1,
        least: int = -1,
    ) -> None:
        """Add a slice of a line; `most` and `least` bound its CPU time, ns."""
        process = line >> 32
        self.slices.append((process << 16 | thread, line, ns(start), ns(end), most, least))

    def span(
        self,
        line: int,
        kind: str,
        start: float,
        end: float,
        site: int = 0,
        resource: str = "",
        *,
        a: int = -1,
        b: int = -1,
        sync: bool = False,
    ) -> None:
        """Add a span; `sync`: the line was not suspended within it."""
        flags = 0 if sync else SpanFlag.ASYNC
        self.spans.append(
            (
                SPAN_KINDS[kind],
                flags,
                (line >> 32) << 16 | 1,
                line,
                site,
                self.text(resource),
                ns(start),
                ns(end),
                a,
                b,
            )
        )

    def sample(
        self,
        line: int,
        slice_start: float,
        at: float,
        site: int,
        *,
        cpu: float = -1,
        process_cpu: float = -1,
        thread: int = 1,
    ) -> None:
        """Add a stack sample; `cpu` and `process_cpu` are the cumulative clocks, ms."""
        self.samples.append(
            (
                (line >> 32) << 16 | thread,
                line,
                site,
                _number(self.stacks, (site,)),
                ns(slice_start),
                ns(at),
                round(cpu * MS) if cpu >= 0 else -1,
                round(process_cpu * MS) if process_cpu >= 0 else -1,
            )
        )

    def recording(self) -> Recording:
        """Return it all, sorted as a recording is."""
        spans = _rows(SPAN, self.spans)
        slices = _rows(SLICE, self.slices)
        samples = _rows(SAMPLE, self.samples)
        processes = {request.process for request in self.requests} | {0}
        return Recording(
            run=self.run,
            processes=[Process(1000 + i, {}) for i in range(max(processes) + 1)],
            sites=self.sites,
            texts=self.texts,
            stacks=self.stacks,
            requests=sorted(self.requests, key=lambda request: request.start_ns),
            lines=self.lines,
            spans=spans[np.lexsort((-spans["end"], spans["start"], spans["line"]))],
            slices=slices[np.lexsort((slices["start"], slices["line"]))],
            samples=samples[np.lexsort((samples["at"], samples["thread"]))],
            gauges=_rows(GAUGE, self.gauges),
            client=self.client,
        )


def _number(table: list[Any], value: Any) -> int:
    if value not in table:
        table.append(value)
    return table.index(value)


def _rows(dtype: np.dtype[np.void], rows: list[tuple[Any, ...]]) -> Rows:
    return np.array(rows, dtype)


def told(ledger: Ledger, line: int, view: str = "direct") -> list[tuple[float, str, str, int]]:
    """Return the charges of a request as (ms, activity, mode, source line of its site)."""
    return [
        (
            round(float(row["end"] - row["start"]) / MS, 6),
            ACTIVITY_NAMES[int(row["activity"])],
            Mode(int(row["mode"])).name,
            ledger.recording.sites[row["site"]].line,
        )
        for row in _of(ledger, line, view)
    ]


def blamed(ledger: Ledger, line: int) -> dict[tuple[str, str, int], float]:
    """Return the root charges of a request: ms by (activity, culprit activity, culprit line)."""
    result: dict[tuple[str, str, int], float] = {}
    for row in _of(ledger, line, "root"):
        key = (
            ACTIVITY_NAMES[int(row["activity"])],
            ACTIVITY_NAMES[int(row["culprit_activity"])],
            ledger.recording.sites[row["culprit_site"]].line,
        )
        result[key] = round(result.get(key, 0) + float(row["end"] - row["start"]) / MS, 6)
    return result


def _of(ledger: Ledger, line: int, view: str) -> Rows:
    [index] = [i for i, request in enumerate(ledger.requests) if request.line == line]
    rows: Rows = getattr(ledger, view)
    return rows[rows["request"] == index]
