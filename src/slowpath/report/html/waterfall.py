"""A few requests in full: what each did and waited for, and who held what it waited for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from slowpath.ledger import Endpoint, Ledger
from slowpath.ledger.model import Rows
from slowpath.recording import Line, Request, Span
from slowpath.report.figures import round_ms
from slowpath.report.html.cells import shown_activity
from slowpath.report.html.grid import Floats, Grid, Ints
from slowpath.report.html.model import Flat, Holder, Lane, Whole
from slowpath.report.html.names import Names

#: Bars (spans, slices, charges) on the page, of all requests and of one.
MOST_BARS, MOST_OF_ONE = 24_000, 600
MOST_LANES = 24
MOST_HOLDERS = 10
#: Charges of one activity and place that are this close are drawn as one.
CLOSE_NS = 1_000


def requests_of(ledger: Ledger, grid: Grid, names: Names) -> list[Whole]:
    """Describe the slowest, the median, a typical and a p95 request of each endpoint.

    Endpoints come by their total time, until the page has enough.
    """
    children: dict[int, list[Line]] = defaultdict(list)
    for line in ledger.recording.lines.values():
        children[line.request].append(line)
    writer = _Writer(ledger, grid, names, children)
    vectors = _vectors(ledger)
    found: list[Whole] = []
    bars = 0
    for index, endpoint in enumerate(ledger.endpoints):
        for number, why in choose(endpoint, vectors).items():
            whole = writer.write(index, number, why)
            bars += _bars(whole)
            found.append(whole)
        if bars > MOST_BARS:
            break
    return found


def choose(endpoint: Endpoint, vectors: Floats) -> dict[int, list[str]]:
    """Return the requests that stand for an endpoint, and as what.

    Args:
        vectors: ns by request and activity; a typical request is the one whose time is divided
            most like that of the mean.
    """
    own = endpoint.requests
    last = len(own) - 1
    distance = np.abs(vectors[own] - vectors[own].mean(0)).sum(1)
    picks = {
        "slowest": int(own[last]),
        "p95": int(own[round(last * 0.95)]),
        "typical": int(own[int(distance.argmin())]),
        "median": int(own[last // 2]),
    }
    found: dict[int, list[str]] = {}
    for why, number in picks.items():
        found.setdefault(number, []).append(why)
    return found


def _vectors(ledger: Ledger) -> Floats:
    """Return the time of each request by activity, ns; shape (requests, activities)."""
    rows = ledger.direct[ledger.latency(ledger.direct)]
    activities, column = np.unique(shown_activity(rows), return_inverse=True)
    width = max(1, len(activities))
    length = (rows["end"] - rows["start"]).astype(np.float64)
    cell = rows["request"].astype(np.int64) * width + column.reshape(-1)
    sums = np.bincount(cell, length, len(ledger.requests) * width)
    return np.asarray(sums, np.float64).reshape(-1, width)


def _bars(whole: Whole) -> int:
    lanes = sum(len(lane["bars"]) // 6 + len(lane["slices"]) // 2 for lane in whole["lanes"])
    return lanes + len(whole["strip"]) // 5


class _Writer:
    def __init__(
        self, ledger: Ledger, grid: Grid, names: Names, children: dict[int, list[Line]]
    ) -> None:
        self._ledger, self._grid, self._names = ledger, grid, names
        self._children = children
        # Both views are sorted by request.
        self._direct = _borders(ledger.direct, len(ledger.requests))
        self._root = _borders(ledger.root, len(ledger.requests))

    def write(self, endpoint: int, number: int, why: list[str]) -> Whole:
        ledger, names = self._ledger, self._names
        request = ledger.requests[number]
        direct = ledger.direct[self._direct[number] : self._direct[number + 1]]
        root = ledger.root[self._root[number] : self._root[number + 1]]
        lanes, left_out = self._lanes(request)
        process = ledger.recording.processes[request.process : request.process + 1]
        return {
            "endpoint": endpoint,
            "number": number,
            "why": why,
            "start": round_ms(request.start_ns - self._grid.start_ns),
            "latency": round_ms(request.latency_ns),
            "wall": round_ms(request.wall_ns),
            "status": request.status,
            "bytes": request.bytes_out,
            "worker": process[0].pid if process else 0,
            "strip": _strip(direct, request, names),
            "lanes": lanes,
            "holders": self._holders(root, request, number),
            "left_out": left_out,
        }

    def _lanes(self, request: Request) -> tuple[list[Lane], int]:
        """Return a lane for each line that did something, and how many bars are left out."""
        recording, names = self._ledger.recording, self._names
        lines = [(request.line, request.handler, False, request.start_ns)]
        lines += [
            (line.id, line.site, line.is_job, line.born_ns)
            for line in self._children.get(request.line, [])
        ]
        lines.sort(key=lambda line: line[3])
        rows = []
        for number, site, is_job, _ in lines:
            spans = [span for span in recording.spans_of(number) if span.end > span.start]
            slices = recording.slices_of(number)
            if spans or slices:
                rows.append((site, is_job, spans, slices))
        left_out = sum(len(spans) + len(slices) for _, _, spans, slices in rows[MOST_LANES:])
        rows = rows[:MOST_LANES]
        most = MOST_OF_ONE // max(1, len(rows))
        lanes: list[Lane] = []
        for site, is_job, spans, slices in rows:
            kept = sorted(spans, key=lambda span: span.start - span.end)[:most]
            kept.sort(key=lambda span: (span.start, -span.end))
            worked = sorted(slices, key=lambda piece: piece.start - piece.end)[:most]
            worked.sort(key=lambda piece: piece.start)
            left_out += len(spans) - len(kept) + len(slices) - len(worked)
            bars: Flat = []
            for span, row in zip(kept, stacked(kept), strict=True):
                place = (names.site(span.site), names.text(span.resource))
                bars += [span.kind, *_interval(span.start, span.end, request), *place, row]
            lane: Lane = {
                "site": names.site(site),
                "is_job": is_job,
                "bars": bars,
                "slices": [
                    value
                    for piece in worked
                    for value in _interval(piece.start, piece.end, request)
                ],
            }
            lanes.append(lane)
        return lanes, left_out

    def _holders(self, root: Rows, request: Request, number: int) -> list[Holder]:
        """Return who held what the request waited for, by what they cost it."""
        others = root[root["culprit_request"] != number]
        parts: dict[tuple[int, int, int], list[tuple[int, int, int]]] = defaultdict(list)
        names = ("culprit_request", "culprit_site", "culprit_activity", "start", "end", "activity")
        for *key, start, end, activity in zip(
            *(others[name].tolist() for name in names), strict=True
        ):
            guilty, site, doing = key
            parts[guilty, site, doing].append((start, end, activity))
        by_cost = sorted(parts.items(), key=lambda item: -sum(b - a for a, b, _ in item[1]))
        return [
            {
                "endpoint": int(self._ledger.endpoint_of[guilty]) if guilty >= 0 else -1,
                "request": guilty,
                "site": self._names.site(site),
                "activity": doing,
                "ms": round_ms(sum(end - start for start, end, _ in own)),
                "parts": [
                    value
                    for start, end, activity in _joined(own)
                    for value in (*_interval(start, end, request), activity)
                ],
            }
            for (guilty, site, doing), own in by_cost[:MOST_HOLDERS]
        ]


def stacked(spans: Iterable[Span]) -> list[int]:
    """Return a row for each span, by start: within another it is drawn below that."""
    open_until: list[int] = []
    rows = []
    for span in spans:
        while open_until and open_until[-1] <= span.start:
            open_until.pop()
        row = next(
            (row for row, until in enumerate(open_until) if until <= span.start), len(open_until)
        )
        if row == len(open_until):
            open_until.append(span.end)
        else:
            open_until[row] = span.end
        rows.append(row)
    return rows


def _borders(rows: Rows, requests: int) -> Ints:
    return np.searchsorted(rows["request"], np.arange(requests + 1)).astype(np.int64)


def _strip(direct: Rows, request: Request, names: Names) -> Flat:
    """Return the ledger of a request; its smallest charges are left out if there are too many."""
    merged: list[list[int]] = []
    columns = [direct[name].tolist() for name in ("start", "end", "site", "resource")]
    for activity, start, end, site, resource in zip(
        shown_activity(direct).tolist(), *columns, strict=True
    ):
        last = merged[-1] if merged else None
        if (
            last
            and last[0] == activity
            and last[3:] == [site, resource]
            and start - last[2] < CLOSE_NS
        ):
            last[2] = end
        else:
            merged.append([activity, start, end, site, resource])
    kept = sorted(merged, key=lambda row: row[1] - row[2])[:MOST_OF_ONE]
    kept.sort(key=lambda row: row[1])
    return [
        value
        for activity, start, end, site, resource in kept
        for value in (
            activity,
            *_interval(start, end, request),
            names.site(site),
            names.text(resource),
        )
    ]


def _joined(parts: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Join parts that lie close, since a cascade cuts finer than anyone can see."""
    close = max(CLOSE_NS, (parts[-1][1] - parts[0][0]) // 200) if parts else 0
    found: list[tuple[int, int, int]] = []
    for start, end, activity in parts:
        if found and found[-1][2] == activity and start - found[-1][1] <= close:
            found[-1] = (found[-1][0], end, activity)
        else:
            found.append((start, end, activity))
    return found


def _interval(start: int, end: int, request: Request) -> tuple[int, int]:
    """Return start and length in µs, from the request's start."""
    first = (start - request.start_ns) // 1000
    return first, max(0, (end - request.start_ns) // 1000 - first)
