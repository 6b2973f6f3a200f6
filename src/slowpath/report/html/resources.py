"""Levels over time, computed from what was timed exactly; gauges only where nothing else tells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from slowpath.ledger import Ledger
from slowpath.ledger.model import Rows
from slowpath.recording import Recording
from slowpath.recording.model import SPAN_KINDS
from slowpath.report.html.grid import Floats, Grid
from slowpath.report.html.model import Flat, Pool, Resources
from slowpath.report.html.names import Names
from slowpath.report.words import shorten

STALL_NS = 10_000_000
MOST_STALLS = 400
MOST_POOLS = 6


def resources_of(ledger: Ledger, grid: Grid, names: Names) -> Resources:
    """Draw what the workers had in use, and what stood in line for it, by point of `grid`."""
    recording = ledger.recording
    seconds = grid.bin_ns / 1e9
    requests = recording.requests
    starts = np.array([request.start_ns for request in requests], np.int64)
    ends = np.array([request.end_ns for request in requests], np.int64)
    slices = _on_loops(recording)
    length = slices["end"] - slices["start"]
    workers = max(1, len({request.process for request in requests}))
    pauses = _of_kind(recording, "gc")
    return {
        "rate": _rounded(grid.per_bin(starts) / seconds, 1),
        "in_flight": _rounded(grid.mean_level(starts, ends), 2),
        "loop_busy": _rounded(_level(grid, slices) / workers, 4),
        "lag": _rounded(grid.highest(slices["end"] - 1, length / 1e6), 2),
        "pools": _pools(recording, grid),
        "threads_busy": _rounded(_level(grid, _of_kind(recording, "thread")), 2),
        "threads_waiting": _rounded(_level(grid, _of_kind(recording, "thread_wait")), 2),
        "cpu": _rounded(_gauge(recording, grid, "process.cpu.ns", rate=True) / 1e9, 3),
        "rss": _rounded(_gauge(recording, grid, "process.memory.rss"), 0),
        "gc": _rounded(_level(grid, pauses) * 1e3, 2),
        "stalls": _stalls(recording, grid, slices, pauses, names),
    }


def _on_loops(recording: Recording) -> Rows:
    """Return the slices that held a loop; jobs hold threads of their own."""
    jobs = np.array([line.id for line in recording.lines.values() if line.is_job], np.int64)
    rows: Rows = recording.slices[~np.isin(recording.slices["line"], jobs)]
    return rows


def _of_kind(recording: Recording, kind: str) -> Rows:
    rows: Rows = recording.spans[recording.spans["kind"] == SPAN_KINDS[kind]]
    return rows


def _level(grid: Grid, rows: Rows) -> Floats:
    return grid.mean_level(rows["start"], rows["end"])


def _pools(recording: Recording, grid: Grid) -> list[Pool]:
    """Describe the pools that were waited for longest, and those most in use."""
    held, awaited = _of_kind(recording, "checkout"), _of_kind(recording, "pool_wait")
    asked = _of_kind(recording, "http_pool_wait")
    pools: list[tuple[float, Pool]] = []
    for holds, waits in ((held, awaited), (asked[:0], asked)):
        for number in np.unique(np.concatenate([holds["resource"], waits["resource"]])).tolist():
            own = holds[holds["resource"] == number]
            waiting = waits[waits["resource"] == number]
            waited_ns = float((waiting["end"] - waiting["start"]).sum())
            sizes = np.concatenate([own["b"], waiting["b"]])
            pool: Pool = {
                "name": shorten(recording.texts[number], 200),
                "size": int(sizes.max(initial=0)),
                "in_use": _rounded(_level(grid, own), 2),
                "waiting": _rounded(_level(grid, waiting), 2),
            }
            pools.append((waited_ns, pool))
    pools.sort(key=lambda entry: (-entry[0], -sum(entry[1]["in_use"])))
    return [pool for _, pool in pools[:MOST_POOLS]]


def _gauge(recording: Recording, grid: Grid, name: str, rate: bool = False) -> Floats:
    """Sum a gauge over the processes, at the middle of each bin; with `rate`, its rise a second."""
    rows = recording.gauges
    try:
        number = recording.texts.index(name)
    except ValueError:
        return np.zeros(0)
    rows = rows[rows["name"] == number]
    total = np.zeros(grid.bins)
    edges = grid.edges + grid.start_ns
    for process in np.unique(rows["process"]).tolist():
        own = rows[rows["process"] == process]
        # A process counts only while it lived.
        alive = (edges >= own["at"][0]) & (edges <= own["at"][-1])
        values = np.interp(edges, own["at"], own["value"])
        if rate:
            known_s = np.diff(np.clip(edges, own["at"][0], own["at"][-1])) / 1e9
            total += np.divide(np.diff(values), known_s, np.zeros(grid.bins), where=known_s > 0)
        else:
            level = np.where(alive, values, 0.0)
            total += np.maximum(level[:-1], level[1:])
    return total if len(rows) else np.zeros(0)


def _stalls(recording: Recording, grid: Grid, slices: Rows, pauses: Rows, names: Names) -> Flat:
    """Return the longest stalls of the window, by time.

    Args:
        pauses: the garbage collections.
    """
    length = slices["end"] - slices["start"]
    inside = (slices["start"] < grid.end_ns) & (slices["end"] > grid.start_ns)
    chosen = np.flatnonzero((length >= STALL_NS) & inside)
    chosen = chosen[np.argsort(-length[chosen], kind="stable")][:MOST_STALLS]
    where = _sampled_sites(recording)
    found: Flat = []
    for i in chosen[np.argsort(slices["start"][chosen], kind="stable")].tolist():
        line, start = int(slices["line"][i]), int(slices["start"][i])
        of_thread = pauses[pauses["thread"] == slices["thread"][i]]
        found += [
            round(max(0, start - grid.start_ns) / 1e6, 2),
            round(int(length[i]) / 1e6, 2),
            names.site(where.get((line, start), 0)),
            round(_shared_ns(of_thread, start, start + int(length[i])) / 1e6, 2),
        ]
    return found


def _shared_ns(rows: Rows, start_ns: int, end_ns: int) -> int:
    """Return for how much of an interval one of some spans, which do not overlap, was open."""
    shared = np.minimum(rows["end"], end_ns) - np.maximum(rows["start"], start_ns)
    return int(shared[shared > 0].sum())


def _sampled_sites(recording: Recording) -> dict[tuple[int, int], int]:
    """Return the line that held each sampled slice longest, as far as samples tell.

    Where no frame is the app's own, that is the innermost.
    """
    counts: dict[tuple[int, int], dict[int, int]] = {}
    rows = recording.samples
    columns: Sequence[Any] = [
        rows[name].tolist() for name in ("line", "slice_start", "site", "stack")
    ]
    for line, start, known, stack in zip(*columns, strict=True):
        site = known or next(iter(recording.stacks[stack]), 0)
        if site:
            own = counts.setdefault((line, start), {})
            own[site] = own.get(site, 0) + 1
    return {key: max(own, key=lambda site: own[site]) for key, own in counts.items()}


def _rounded(values: Floats, digits: int) -> Flat:
    found = [round(value, digits) for value in values.tolist()]
    return [int(value) for value in found] if digits == 0 else found
