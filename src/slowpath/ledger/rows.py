"""What the ledger's own steps hand to each other: acts, and scarce things.

An *act* is one thing that one line of execution did for one interval: a piece of a slice, or a
piece of the gap between two slices. The acts of a line leave no hole. A *scarce* thing is what
lines hold and wait for: a loop, a pool, a lock, threads, the GIL.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.void]
Ints = npt.NDArray[np.int64]

#: One row an act.
#:
#: - line: whose timeline it stands in; doer: the line that did it (a child's act may stand in
#:   its parent's timeline).
#: - awaits: number of the scarce thing that it waits for; 0 for none.
#: - link: line of the job (threads), or identity of what was got (pools, locks); 0 for none.
#: - busy: for the last act of a gap, since when the loop ran without a pause until the gap
#:   ended; 0 for others, and for gaps that no slice ended.
#: - nth: which gap of its span this is, from 0: a reply's head and body differ;
#:   `UNKNOWN_WAIT` where no span tells what was awaited.
ACT = np.dtype(
    [
        ("line", "i8"),
        ("start", "i8"),
        ("end", "i8"),
        ("activity", "u1"),
        ("mode", "u1"),
        ("site", "i4"),
        ("resource", "i4"),
        ("thread", "i4"),
        ("awaits", "i4"),
        ("link", "i8"),
        ("busy", "i8"),
        ("nth", "u1"),
        ("doer", "i8"),
    ]
)


UNKNOWN_WAIT = 255


#: A row of `ACT` as a plain tuple: there are millions.
ActRow = tuple[int, int, int, int, int, int, int, int, int, int, int, int, int]


class Act(NamedTuple):
    """One row of `ACT` by names."""

    line: int
    start: int
    end: int
    activity: int
    mode: int
    site: int
    resource: int
    thread: int
    awaits: int
    link: int
    busy: int
    nth: int
    doer: int


class Scarce(NamedTuple):
    """What lines hold and wait for.

    Attributes:
        kind: "loop", "gil", "pool", "lock", "threads" or "http".
        owner: the process, or the thread of a loop.
        name: number of the text that names it.
        identity: which of those of one name; 0 where the name is enough.
    """

    kind: str
    owner: int
    name: int = 0
    identity: int = 0


class Hold(NamedTuple):
    """A line held a scarce thing from start to end, because of `site`."""

    scarce: int
    line: int
    start: int
    end: int
    activity: int
    site: int
    resource: int
    identity: int


class Registry:
    """Numbers scarce things, from 1; 0 means none."""

    def __init__(self) -> None:
        self.known: dict[Scarce, int] = {}

    def number(self, kind: str, owner: int, name: int = 0, identity: int = 0) -> int:
        """Return the number of a scarce thing."""
        return self.known.setdefault(Scarce(kind, owner, name, identity), len(self.known) + 1)

    def all(self, kind: str) -> list[tuple[int, Scarce]]:
        """Return the scarce things of one kind, with their numbers."""
        return [(number, found) for found, number in self.known.items() if found.kind == kind]


class RowList:
    """Grows a table of `dtype` from tuples, in bounded memory."""

    CHUNK = 100_000

    def __init__(self, dtype: np.dtype[np.void]) -> None:
        self.dtype = dtype
        self.length = 0
        self._parts: list[Rows] = []
        self._fresh: list[Any] = []

    def extend(self, rows: list[Any]) -> tuple[int, int]:
        """Append rows; return the range of their indices."""
        first = self.length
        self._fresh += rows
        self.length += len(rows)
        if len(self._fresh) >= self.CHUNK:
            self._pack()
        return first, self.length

    def table(self) -> Rows:
        """Return all rows."""
        self._pack()
        self._parts = [np.concatenate(self._parts)] if self._parts else []
        return self._parts[0] if self._parts else np.zeros(0, self.dtype)

    def _pack(self) -> None:
        if self._fresh:
            self._parts.append(np.array(self._fresh, self.dtype))
            self._fresh = []


def spread(low: Ints, high: Ints) -> tuple[Ints, Ints]:
    """Return (owner, index) of every index in the ranges [low, high), range after range."""
    counts = np.maximum(high - low, 0)
    owner = np.repeat(np.arange(len(counts)), counts)
    first = np.cumsum(counts) - counts
    return owner, np.arange(len(owner)) - first[owner] + low[owner]


def distinct(values: Ints) -> Ints:
    """Return the values, sorted, each once; by sorting, which beats hashing for many."""
    values = np.sort(values)
    return values[np.concatenate(([True], values[1:] != values[:-1]))] if len(values) else values


def groups(values: Ints) -> Iterator[tuple[int, Ints]]:
    """Yield each value with the indices where it stands, values and indices ascending."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    first = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))[: len(order)]
    for begin, end in pairwise([*first.tolist(), len(order)]):
        yield int(ordered[begin]), order[begin:end]
