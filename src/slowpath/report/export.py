"""A run in the formats of other viewers: speedscope's, and the trace events that Perfetto reads."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from slowpath import __version__
from slowpath.ledger import ACTIVITIES, ACTIVITY_NAMES, Ledger
from slowpath.recording import Request, Site, Span
from slowpath.report.findings import relative
from slowpath.report.html.cells import line_owners, shown_activity
from slowpath.report.html.flame import ON_LOOP, stall_samples
from slowpath.report.html.grid import grids
from slowpath.report.html.names import Names
from slowpath.report.html.resources import resources_of
from slowpath.report.kinds import kind_of
from slowpath.report.stacks import NONE, SAMPLED, Stacks
from slowpath.report.words import clean

SPEEDSCOPE_SCHEMA = "https://www.speedscope.app/file-format-schema.json"
#: Arrows from who held the loop to who waited for it: those of the longest waits.
MOST_FLOWS, LEAST_FLOW_NS = 5_000, 1_000_000

Event = dict[str, Any]


def speedscope(ledger: Ledger, root: Path, stacks: Stacks = NONE) -> str:
    """Write profiles: what held the event loop, all request time by the ledger, py-spy's stacks.

    Args:
        stacks: what py-spy sampled; left out if it is nothing.
    """
    frames: dict[tuple[str, str, int], int] = {}

    def frame(name: str, path: str = "", line: int = 0) -> int:
        return frames.setdefault((clean(name), path, line), len(frames))

    def frame_at(site: Site) -> int:
        path, line, function = site
        return frame(function or "unknown", relative(path, root) if path else "", line)

    def frame_of(site: int) -> int:
        return frame_at(ledger.recording.sites[site])

    on_loop: Counter[tuple[int, ...]] = Counter()
    for sample in stall_samples(ledger.recording):
        on_loop[tuple(map(frame_of, reversed(sample.stack)))] += sample.ns
    booked = _booked(ledger)
    charged: Counter[tuple[int, ...]] = Counter(
        {
            (
                frame(ledger.endpoints[endpoint].name),
                frame(kind_of(ACTIVITY_NAMES.get(activity, "")).name),
                frame_of(site),
            ): ns
            for (endpoint, activity, site), ns in booked.items()
        }
    )
    profiles = [(ON_LOOP, on_loop), ("All requests, by the line to blame", charged)]
    if stacks.counts:
        sampled: Counter[tuple[int, ...]] = Counter()
        for stack, count in stacks.counts.items():
            sampled[tuple(map(frame_at, stack))] += count * stacks.ns
        profiles.append((SAMPLED, sampled))
    file = {
        "$schema": SPEEDSCOPE_SCHEMA,
        "exporter": f"slowpath {__version__}",
        "name": str(ledger.recording.run.get("name") or "run"),
        "activeProfileIndex": 0,
        "shared": {
            "frames": [
                {"name": name, **({"file": path, "line": line} if path else {})}
                for name, path, line in frames
            ]
        },
        "profiles": [_sampled(name, stacks) for name, stacks in profiles],
    }
    return json.dumps(file) + "\n"


def _sampled(name: str, stacks: Counter[tuple[int, ...]]) -> Event:
    heaviest = stacks.most_common()
    return {
        "type": "sampled",
        "name": name,
        "unit": "nanoseconds",
        "startValue": 0,
        "endValue": sum(stacks.values()),
        "samples": [list(stack) for stack, _ in heaviest],
        "weights": [ns for _, ns in heaviest],
    }


def _booked(ledger: Ledger) -> dict[tuple[int, int, int], int]:
    """Sum the ledger by (endpoint, activity, line to blame), ns."""
    rows = ledger.root[ledger.latency(ledger.root)]
    if not len(rows):
        return {}
    keys = np.stack(
        [ledger.endpoint_of[rows["request"]], shown_activity(rows), rows["culprit_site"]]
    )
    found, place = np.unique(keys, axis=1, return_inverse=True)
    sums = np.bincount(place.reshape(-1), (rows["end"] - rows["start"]).astype(np.float64))
    triples = ((int(a), int(b), int(c)) for a, b, c in found.T.tolist())
    return {triple: round(ns) for triple, ns in zip(triples, sums.tolist(), strict=True)}


def perfetto(ledger: Ledger, root: Path) -> Iterator[str]:
    """Write the run as trace events, piece by piece; times are µs from the window's start.

    A track for each loop with its slices, one for each request with its spans (a child task has
    its own), counters, and arrows from a slice that held the loop to the one that waited for it.
    """
    head = {"displayTimeUnit": "ms", "otherData": {"exporter": f"slowpath {__version__}"}}
    yield json.dumps(head)[:-1] + ', "traceEvents": ['
    separator = "\n"
    for event in _Trace(ledger, root).events():
        yield separator + json.dumps(event)
        separator = ",\n"
    yield "\n]}\n"


class _Trace:
    def __init__(self, ledger: Ledger, root: Path) -> None:
        self._ledger, self._root = ledger, root
        self._grid, _ = grids(ledger)
        self._pids = [process.pid for process in ledger.recording.processes] or [0]
        lines, owners = line_owners(ledger.recording, ledger)
        self._owner = dict(zip(lines.tolist(), owners.tolist(), strict=True))
        self._children: dict[int, list[int]] = defaultdict(list)
        for line in ledger.recording.lines.values():
            self._children[line.request].append(line.id)

    def events(self) -> Iterator[Event]:
        yield from self._names()
        yield from self._slices()
        for number, request in enumerate(self._ledger.requests):
            yield from self._request(number, request)
        yield from self._flows()
        yield from self._counters()

    def _us(self, at_ns: int) -> float:
        return (at_ns - self._grid.start_ns) / 1000

    def _pid(self, process: int) -> int:
        return self._pids[process] if process < len(self._pids) else 0

    def _thread(self, thread: int) -> Event:
        return {"pid": self._pid(thread >> 16), "tid": thread & 0xFFFF}

    def _title(self, number: int) -> str:
        request = self._ledger.requests[number]
        return clean(f"{request.method} {request.route}")

    def _names(self) -> Iterator[Event]:
        for pid in self._pids:
            yield {"ph": "M", "name": "process_name", "pid": pid, "args": {"name": "worker"}}
        for thread in np.unique(self._ledger.recording.slices["thread"]).tolist():
            name = {"name": f"thread {thread & 0xFFFF}"}
            yield {"ph": "M", "name": "thread_name", **self._thread(thread), "args": name}

    def _slices(self) -> Iterator[Event]:
        slices = self._ledger.recording.slices
        columns = [slices[name].tolist() for name in ("thread", "line", "start", "end")]
        for thread, line, start, end in zip(*columns, strict=True):
            owner = self._owner.get(line)
            yield {
                "ph": "X",
                "cat": "slice",
                "name": "other work" if owner is None else self._title(owner),
                "ts": self._us(start),
                "dur": (end - start) / 1000,
                **self._thread(thread),
                "args": {} if owner is None else {"request": owner},
            }

    def _request(self, number: int, request: Request) -> Iterator[Event]:
        recording = self._ledger.recording
        pid = self._pid(request.process)
        place = {"cat": "request", "id": str(number), "pid": pid, "tid": 0}
        told = {"status": request.status, "latency_ms": request.latency_ns / 1e6}
        title = self._title(number)
        yield {"ph": "b", "name": title, "ts": self._us(request.start_ns), **place, "args": told}
        yield from self._spans(recording.spans_of(request.line), place, request.end_ns)
        yield {"ph": "e", "name": title, "ts": self._us(request.end_ns), **place}
        for line in self._children.get(request.line, ()):
            child = {**place, "cat": "task", "id": f"{number}.{line & 0xFFFFFFFF}"}
            yield from self._spans(recording.spans_of(line), child, 1 << 63)

    def _spans(self, spans: list[Span], place: Event, high_ns: int) -> Iterator[Event]:
        """Write spans as nested events; one that sticks out of another gets a track of its own."""
        open_spans: list[Span] = []
        for count, span in enumerate(spans):
            while open_spans and open_spans[-1].end <= span.start:
                yield self._end(open_spans.pop(), place)
            if span.end > min(high_ns, open_spans[-1].end if open_spans else high_ns):
                aside = {**place, "id": f"{place['id']}+{count}"}
                yield self._begin(span, aside)
                yield self._end(span, aside)
                continue
            yield self._begin(span, place)
            open_spans.append(span)
        while open_spans:
            yield self._end(open_spans.pop(), place)

    def _begin(self, span: Span, place: Event) -> Event:
        recording = self._ledger.recording
        path, line, function = recording.sites[span.site]
        args = {"what": clean(recording.texts[span.resource])}
        if path:
            args |= {"line": f"{relative(path, self._root)}:{line}", "function": function}
        name = kind_of(ACTIVITY_NAMES.get(span.kind, "")).name
        return {"ph": "b", "name": name, "ts": self._us(span.start), **place, "args": args}

    def _end(self, span: Span, place: Event) -> Event:
        name = kind_of(ACTIVITY_NAMES.get(span.kind, "")).name
        return {"ph": "e", "name": name, "ts": self._us(span.end), **place}

    def _flows(self) -> Iterator[Event]:
        """Draw arrows for the longest waits for the loop that another request held."""
        ledger = self._ledger
        rows = ledger.root[ledger.root["activity"] == ACTIVITIES["loop_wait"]]
        length = rows["end"] - rows["start"]
        other = (rows["culprit_request"] >= 0) & (rows["culprit_request"] != rows["request"])
        rows = rows[other & (length >= LEAST_FLOW_NS)]
        length = rows["end"] - rows["start"]
        slices = ledger.recording.slices
        by_thread = {
            thread: np.sort(slices[slices["thread"] == thread], order="start")
            for thread in np.unique(slices["thread"]).tolist()
        }
        for number, i in enumerate(np.argsort(-length, kind="stable")[:MOST_FLOWS].tolist()):
            row = rows[i]
            process = ledger.requests[int(row["request"])].process
            for thread, held in by_thread.items():
                if thread >> 16 != process:
                    continue
                holder = int(np.searchsorted(held["start"], row["start"], side="right")) - 1
                waiter = int(np.searchsorted(held["start"], row["end"]))
                if holder < 0 or waiter >= len(held) or held["end"][holder] <= row["start"]:
                    continue
                flow = {"cat": "blame", "name": "held the loop", "id": number}
                place = {**flow, **self._thread(thread)}
                yield {"ph": "s", "ts": self._us(int(row["start"])), **place}
                yield {"ph": "f", "bp": "e", "ts": self._us(int(held["start"][waiter])), **place}
                break

    def _counters(self) -> Iterator[Event]:
        recording = self._ledger.recording
        names = Names(recording.sites, recording.texts, self._root)
        levels = resources_of(self._ledger, self._grid, names)
        series: dict[str, list[float]] = {
            "requests at once": levels["in_flight"],
            "loop busy": levels["loop_busy"],
            "threads busy": levels["threads_busy"],
            "CPU cores": levels["cpu"],
            "RSS bytes": levels["rss"],
        }
        for pool in levels["pools"]:
            series[f"in use: {pool['name']}"] = pool["in_use"]
            series[f"waiting: {pool['name']}"] = pool["waiting"]
        for name, values in series.items():
            for i, value in enumerate(values):
                ts = i * self._grid.bin_ns / 1000
                event = {"ph": "C", "name": clean(name), "pid": self._pids[0], "ts": ts}
                yield event | {"args": {"value": value}}
