"""Stacks by time: what held the loop, as the samples of stalls tell."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from slowpath.ledger import Ledger
from slowpath.recording import Recording
from slowpath.report.html.grid import Grid
from slowpath.report.html.model import Flame
from slowpath.report.html.names import Names

MOST_NODES = 12_000
MOST_DEPTH = 200
ON_LOOP = "Stalls: what held the event loop"


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
    parents: list[int] = field(default_factory=list)
    sites: list[int] = field(default_factory=list)
    known: dict[tuple[int, int], int] = field(default_factory=dict)

    def leaf(self, stack: tuple[int, ...]) -> int:
        """Return the node of a stack (innermost first); a full tree grows no more."""
        node = -1
        for site in list(reversed(stack))[:MOST_DEPTH]:
            key = (node, site)
            if key not in self.known:
                if len(self.sites) >= MOST_NODES:
                    break
                self.known[key] = len(self.sites)
                self.parents.append(node)
                self.sites.append(site)
            node = self.known[key]
        return node


def flames_of(ledger: Ledger, grid: Grid, names: Names) -> list[Flame]:
    """Return the flame graphs that the recording has samples for."""
    samples = [
        sample
        for sample in stall_samples(ledger.recording)
        if grid.start_ns <= sample.at_ns < grid.end_ns
    ]
    return [flame(ON_LOOP, samples, grid, names)] if samples else []


def flame(name: str, samples: list[Weighed], grid: Grid, names: Names) -> Flame:
    """Put samples together; the heaviest stacks first, so that a full tree lacks the lightest."""
    total: dict[tuple[int, ...], int] = {}
    for sample in samples:
        total[sample.stack] = total.get(sample.stack, 0) + sample.ns
    tree = _Tree()
    leaves = {stack: tree.leaf(stack) for stack in sorted(total, key=lambda stack: -total[stack])}
    bins = grid.index([sample.at_ns for sample in samples]).tolist()
    sums: dict[tuple[int, int], int] = {}
    for sample, at in zip(samples, bins, strict=True):
        key = (leaves[sample.stack], at)
        sums[key] = sums.get(key, 0) + sample.ns
    return {
        "name": name,
        "nodes": [
            value
            for parent, site in zip(tree.parents, tree.sites, strict=True)
            for value in (parent, names.site(site))
        ],
        "weights": [
            value
            for (node, at), ns in sums.items()
            if node >= 0
            for value in (node, at, round(ns / 1e6, 3))
        ],
    }
