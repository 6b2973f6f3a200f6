"""Endpoints, culprits and calls by bin: small sums from which the page answers for any window."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from slowpath.ledger import ACTIVITIES, Ledger, Mode
from slowpath.ledger.model import Rows
from slowpath.recording import Recording
from slowpath.recording.model import SPAN_KINDS
from slowpath.report.figures import failed, round_ms
from slowpath.report.html.grid import Grid, Ints
from slowpath.report.html.model import Calls, Cells, Culprits, Flat
from slowpath.report.html.names import Names

#: Buckets of latency: the smallest border in ns, and how much wider each is than the one before.
SMALLEST_NS = 1000.0
RATIO = 1.04
#: Groups of an endpoint's requests: the rest, those near the median, the slowest twentieth.
REST, MIDDLE, SLOW = 0, 1, 2
MOST_CULPRITS = 30
MOST_CALLS = 400

_LOOP, _HANDLER = ACTIVITIES["loop"], ACTIVITIES["handler"]
_CALLS = {SPAN_KINDS[name]: name for name in ("sql", "fetch", "http", "cache", "connect")}
_SQL, _FETCH, _HTTP, _CACHE = (SPAN_KINDS[name] for name in ("sql", "fetch", "http", "cache"))


def buckets() -> tuple[float, float]:
    """Return the smallest border in ms, and the ratio of two borders."""
    return SMALLEST_NS / 1e6, RATIO


def shown_activity(rows: Rows) -> Ints:
    """Return the activity that charges are shown as: an endpoint's own work is the loop's."""
    activity = rows["activity"].astype(np.int64)
    activity[(rows["mode"] != Mode.WAIT) & (activity == _HANDLER)] = _LOOP
    return activity


def cells_of(ledger: Ledger, grid: Grid) -> list[Cells]:
    """Sum up each endpoint by bin of its requests' start."""
    requests = ledger.requests
    if not requests:
        return []
    start = np.array([request.start_ns for request in requests], np.int64)
    bins = grid.index(start)
    latency = np.array([request.latency_ns for request in requests], np.float64)
    bucket = np.log(np.maximum(latency, SMALLEST_NS) / SMALLEST_NS) // np.log(RATIO)
    size = np.array([request.bytes_out for request in requests], np.float64)
    failures = np.array([failed(request) for request in requests], np.float64)
    group = _groups(ledger)
    rows = ledger.direct[ledger.latency(ledger.direct)]
    owner = rows["request"]
    of_row = ledger.endpoint_of[owner]
    order = np.argsort(of_row, kind="stable")
    borders = np.searchsorted(of_row[order], np.arange(len(ledger.endpoints) + 1))
    activity = shown_activity(rows)
    length = (rows["end"] - rows["start"]).astype(np.float64)
    found: list[Cells] = []
    for index, endpoint in enumerate(ledger.endpoints):
        own = endpoint.requests
        mine = order[borders[index] : borders[index + 1]]
        of = owner[mine]
        found.append(
            {
                "latency": _flat(_counted(bins[own], bucket[own].astype(np.int64))),
                "segments": _flat(
                    (*key, round_ms(ns))
                    for *key, ns in _summed(length[mine], activity[mine], group[of], bins[of])
                ),
                "groups": _flat(_counted(group[own], bins[own])),
                "errors": _dense(np.bincount(bins[own], failures[own], grid.bins)),
                "bytes": _dense(np.bincount(bins[own], size[own], grid.bins)),
            }
        )
    return found


def culprits_of(ledger: Ledger, grid: Grid, names: Names) -> Culprits:
    """Sum up what each line cost the requests of others, the costliest lines first."""
    rows = ledger.root[ledger.latency(ledger.root)]
    rows = rows[rows["culprit_request"] != rows["request"]]
    if not len(rows):
        return {"lines": [], "cells": []}
    length = (rows["end"] - rows["start"]).astype(np.float64)
    site = rows["culprit_site"].astype(np.int64)
    total = np.bincount(site, length)
    top = np.argsort(-total, kind="stable")[:MOST_CULPRITS]
    top = top[total[top] > 0]
    rank = np.full(len(total), -1, np.int64)
    rank[top] = np.arange(len(top))
    kept = rank[site] >= 0
    rows, length, place = rows[kept], length[kept], rank[site[kept]]
    start = np.array([request.start_ns for request in ledger.requests], np.int64)
    owner = rows["request"]
    cells = _summed(length, place, ledger.endpoint_of[owner], grid.index(start[owner]))
    guilty = rows["culprit_request"]
    endpoint = np.where(guilty >= 0, ledger.endpoint_of[np.maximum(guilty, 0)], -1)
    doing = rows["culprit_activity"].astype(np.int64)
    return {
        "lines": [
            (
                names.site(int(number)),
                _largest(doing[place == i], length[place == i]),
                _largest(endpoint[place == i] + 1, length[place == i]) - 1,
            )
            for i, number in enumerate(top.tolist())
        ],
        "cells": _flat((*key, round_ms(ns)) for *key, ns in cells if ns >= 500),
    }


def calls_of(ledger: Ledger, grid: Grid, names: Names) -> list[Calls]:
    """Sum up the statements and the calls to other services, by endpoint and by the line."""
    spans, owner = spans_of_requests(ledger, list(_CALLS))
    if not len(spans):
        return []
    kind = spans["kind"].astype(np.int64)
    resource, site = _as_of_statement(spans)
    is_fetch = kind == _FETCH
    kind[is_fetch] = _SQL
    endpoint = ledger.endpoint_of[owner]
    start = np.array([request.start_ns for request in ledger.requests], np.int64)
    bins = grid.index(start[owner])
    length = (spans["end"] - spans["start"]).astype(np.float64)
    # What came back: rows of statements, bytes of answers. Rows are known by the fetch, where
    # the driver fetches by itself by the statement.
    amount = np.where((kind == _HTTP), spans["b"], spans["a"]).astype(np.float64)
    keys, group = np.unique(np.stack([endpoint, kind, resource, site]), axis=1, return_inverse=True)
    group = group.reshape(-1)
    total = np.bincount(group, length)
    fetched = np.bincount(group, is_fetch & (amount >= 0)) > 0
    found: list[Calls] = []
    by_group = np.argsort(group, kind="stable")
    borders = np.searchsorted(group[by_group], np.arange(len(total) + 1))
    for number in np.argsort(-total, kind="stable")[:MOST_CALLS].tolist():
        mine = by_group[borders[number] : borders[number + 1]]
        told = (amount[mine] >= 0) & (is_fetch[mine] | (not fetched[number]))
        found.append(
            {
                "endpoint": int(keys[0, number]),
                "kind": _CALLS[int(keys[1, number])],
                "text": names.text(int(keys[2, number])),
                "site": names.site(int(keys[3, number])),
                "cells": _call_cells(
                    grid.bins, bins[mine], ~is_fetch[mine], length[mine], amount[mine], told
                ),
            }
        )
    return found


def spans_of_requests(ledger: Ledger, kinds: list[int]) -> tuple[Rows, Ints]:
    """Return the spans of some kinds that belong to measured requests, and to which."""
    recording = ledger.recording
    spans = recording.spans[np.isin(recording.spans["kind"], kinds)]
    lines, owners = line_owners(recording, ledger)
    if not len(lines) or not len(spans):
        return spans[:0], np.zeros(0, np.int64)
    place = np.clip(np.searchsorted(lines, spans["line"]), 0, len(lines) - 1)
    known = lines[place] == spans["line"]
    return spans[known], owners[place[known]]


def line_owners(recording: Recording, ledger: Ledger) -> tuple[Ints, Ints]:
    """Return the lines of measured requests, ascending, and the request of each."""
    of_main = {request.line: index for index, request in enumerate(ledger.requests)}
    pairs = list(of_main.items())
    for line in recording.lines.values():
        index = of_main.get(line.request)
        if index is not None and line.id not in of_main:
            pairs.append((line.id, index))
    table = np.array(sorted(pairs), np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _as_of_statement(spans: Rows) -> tuple[Ints, Ints]:
    """Return text and site of each span; a fetch without a text has those of its statement."""
    resource = spans["resource"].astype(np.int64)
    site = spans["site"].astype(np.int64)
    for i in np.flatnonzero(spans["kind"] == _FETCH).tolist():
        before = i - 1
        if before >= 0 and spans["line"][before] == spans["line"][i]:
            if not resource[i]:
                resource[i] = resource[before]
            if resource[i] == resource[before]:
                site[i] = site[before]
    return resource, site


def _call_cells(bins: int, at: Ints, is_call: Any, length: Any, amount: Any, told: Any) -> Flat:
    calls = np.bincount(at, is_call, bins).tolist()
    times = np.bincount(at, length, bins).tolist()
    amounts = np.bincount(at, np.where(told, amount, 0.0), bins).tolist()
    known = np.bincount(at, told, bins).tolist()
    return _flat(
        (i, int(calls[i]), round_ms(times[i]), int(amounts[i]), int(known[i]))
        for i in np.flatnonzero(np.bincount(at, minlength=bins)).tolist()
    )


def _groups(ledger: Ledger) -> Ints:
    """Return the group of each request."""
    group = np.full(len(ledger.requests), REST, np.int64)
    for endpoint in ledger.endpoints:
        count = len(endpoint.requests)
        middle = endpoint.requests[int(count * 0.4) : max(int(count * 0.6), int(count * 0.4) + 1)]
        group[middle] = MIDDLE
        group[endpoint.slow] = SLOW
    return group


def _counted(*columns: Ints) -> Iterable[tuple[int, ...]]:
    """Yield each combination that occurs, and how often."""
    keys, counts = np.unique(np.stack(columns), axis=1, return_counts=True)
    for *key, count in np.vstack([keys, counts]).T.tolist():
        yield (*key, count)


def _summed(values: npt.NDArray[np.float64], *columns: Ints) -> Iterable[tuple[Any, ...]]:
    """Yield each combination that occurs, and the sum of its values."""
    if not len(values):
        return
    shape = [int(column.max()) + 1 for column in columns]
    flat = np.ravel_multi_index(tuple(columns), shape)
    keys, place = np.unique(flat, return_inverse=True)
    sums = np.bincount(place.reshape(-1), values)
    unraveled = np.stack(np.unravel_index(keys, shape)).T.tolist()
    for key, total in zip(unraveled, sums.tolist(), strict=True):
        yield (*key, total)


def _largest(keys: Ints, weights: npt.NDArray[np.float64]) -> int:
    """Return the key with the largest sum of weights."""
    return int(np.bincount(keys, weights).argmax())


def _flat(rows: Iterable[Iterable[float]]) -> Flat:
    return [value for row in rows for value in row]


def _dense(values: Any) -> Flat:
    return [int(value) for value in values.tolist()]
