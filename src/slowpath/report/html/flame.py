"""Stacks by time: what held the loop, by the samples of stalls; what all threads did, by py-spy."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from slowpath.ledger import Ledger
from slowpath.recording import Recording
from slowpath.report.html.grid import Grid
from slowpath.report.html.model import Flame
from slowpath.report.html.names import Names
from slowpath.report.stacks import NONE, SAMPLED, Stacks

MOST_NODES = 12_000
#: Times by node and bin; some 12 bytes of the page each.
MOST_WEIGHTS = 60_000
MOST_DEPTH = 200
#: Who sampled.
PROBE, PY_SPY = "probe", "py-spy"
ON_LOOP = "Stalls: what held the event loop"
#: The bin of what carries no time.
WHOLE_RUN = -1

#: Frames, callers first: numbers of sites, or sites.
Stack = tuple[Hashable, ...]


@dataclass
class Weighed:
    """A stack and the time it stands for.

    Attributes:
        stack: sites, innermost first.
        at_ns: when.
        ns: how long.
    """

    stack: tuple[int, ...]
    at_ns: int
    ns: int


def stall_samples(recording: Recording) -> list[Weighed]:
    """Return the samples with the time that each stands for, by time.

    A stall is divided among its samples: each stands for the time since the one before, since
    whoever held the GIL in between is seen when it lets go; the last also for what follows it.
    """
    ends = dict(
        zip(
            zip(recording.slices["line"].tolist(), recording.slices["start"].tolist(), strict=True),
            recording.slices["end"].tolist(),
            strict=True,
        )
    )
    rows = np.sort(recording.samples, order=["line", "slice_start", "at"])
    columns = [rows[name].tolist() for name in ("line", "slice_start", "at", "stack")]
    found: list[Weighed] = []
    previous: tuple[int, int] | None = None
    since = 0
    for line, start, at, stack in zip(*columns, strict=True):
        key = (line, start)
        if key != previous:
            _finish(found, previous, ends, since)
            previous, since = key, start
        at = min(at, ends.get(key, at))
        if at > since and recording.stacks[stack]:
            found.append(Weighed(recording.stacks[stack], since, at - since))
            since = at
    _finish(found, previous, ends, since)
    return sorted(found, key=lambda one: one.at_ns)


def _finish(
    found: list[Weighed],
    key: tuple[int, int] | None,
    ends: dict[tuple[int, int], int],
    since: int,
) -> None:
    if key is not None and found and ends.get(key, 0) > since > key[1]:
        found[-1].ns += ends[key] - since


@dataclass
class _Tree:
    """Stacks put together: of each node its parent and its frame, a parent before its children."""

    parents: list[int] = field(default_factory=list)
    frames: list[Hashable] = field(default_factory=list)
    known: dict[tuple[int, Hashable], int] = field(default_factory=dict)

    def leaf(self, stack: Sequence[Hashable]) -> int:
        """Return the node of a stack (callers first); a full tree grows no more."""
        node = -1
        for frame in stack[:MOST_DEPTH]:
            key = (node, frame)
            if key not in self.known:
                if len(self.frames) >= MOST_NODES:
                    break
                self.known[key] = len(self.frames)
                self.parents.append(node)
                self.frames.append(frame)
            node = self.known[key]
        return node


def flames_of(ledger: Ledger, grid: Grid, names: Names, stacks: Stacks = NONE) -> list[Flame]:
    """Return the flame graphs that there are samples for."""
    samples = [
        sample
        for sample in stall_samples(ledger.recording)
        if grid.start_ns <= sample.at_ns < grid.end_ns
    ]
    flames = [flame(ON_LOOP, samples, grid, names)] if samples else []
    return [*flames, flame_of_all(stacks, grid, names)] if stacks.counts else flames


def flame(name: str, samples: list[Weighed], grid: Grid, names: Names) -> Flame:
    """Put samples together, by the bin that each was taken in."""
    bins = grid.index([sample.at_ns for sample in samples]).tolist()
    sums: Counter[tuple[Stack, int]] = Counter()
    for sample, at in zip(samples, bins, strict=True):
        sums[sample.stack[::-1], at] += sample.ns
    return _flame(name, PROBE, sums, names.site)


def flame_of_all(stacks: Stacks, grid: Grid, names: Names) -> Flame:
    """Put py-spy's stacks together; a stretch counts to the bins that it lies in, as it does."""
    sums: Counter[tuple[Stack, int]] = Counter()
    for stretch in stacks.stretches:
        shares = [(WHOLE_RUN, 1.0)] if stretch.window is None else grid.shares(*stretch.window)
        for stack, count in stretch.counts.items():
            for at, share in shares:
                sums[stack, at] += round(count * stacks.ns * share)
    return _flame(SAMPLED, PY_SPY, sums, names.other)


def _flame(
    name: str, by: str, sums: Counter[tuple[Stack, int]], number: Callable[[Any], int]
) -> Flame:
    """Write a flame graph of ns by stack (callers first) and bin."""
    total: Counter[Stack] = Counter()
    for (stack, _), ns in sums.items():
        total[stack] += ns
    tree = _Tree()
    # The heaviest stacks first, so that a full tree lacks the lightest.
    leaves = {stack: tree.leaf(stack) for stack, _ in total.most_common()}
    weights: dict[int, Counter[int]] = defaultdict(Counter)
    for (stack, at), ns in sums.items():
        weights[leaves[stack]][at] += ns
    weights.pop(-1, None)
    _fold(weights, tree)
    return {
        "name": name,
        "by": by,
        "nodes": [
            value
            for parent, frame in zip(tree.parents, tree.frames, strict=True)
            for value in (parent, number(frame))
        ],
        "weights": [
            value
            for node, by_bin in weights.items()
            for at, ns in by_bin.items()
            for value in (node, at, round(ns / 1e6, 2))
        ],
    }


def _fold(weights: dict[int, Counter[int]], tree: _Tree) -> None:
    """Count the lightest stacks to their callers, until the page can bear the rest."""
    left = sum(map(len, weights.values()))
    lightest = [(by_bin.total(), node) for node, by_bin in weights.items()]
    heapq.heapify(lightest)
    while left > MOST_WEIGHTS and lightest:
        ns, node = heapq.heappop(lightest)
        parent = tree.parents[node]
        if parent < 0 or ns != weights[node].total():  # it has grown since, and comes again
            continue
        before = len(weights[parent]) + len(weights[node])
        weights[parent].update(weights.pop(node))
        left += len(weights[parent]) - before
        heapq.heappush(lightest, (weights[parent].total(), parent))
