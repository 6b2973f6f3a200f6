"""Does a remote part slow down as more is asked of it at once? Fitted from the recorded stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

#: A stay as it is found: start, end, resource, request, whether its end was seen.
Stay = tuple[int, int, int, int, bool]
#: By length and resource of a stay at a station: how many times longer it was than it would have
#: been alone, and the station that made it so.
Slowed = dict[tuple[int, int], tuple[float, int]]
#: Capacities that are tried: how many can be served at full speed.
CANDIDATES = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0)
#: A capacity must explain so much of the scatter of the stays, or none is assumed.
MIN_EXPLAINED = 0.08
#: Fewer stays tell nothing.
MIN_STAYS = 50
#: What is alike takes this many times what it takes at best: the station was full. So many of a
#: kind tell.
SATURATED, QUICKEST, MIN_ALIKE = 3.0, 0.1, 10
#: A statement that takes so long is computed for, unless it has one of these words.
COMPUTED_NS = 5_000_000
#: And a shorter one for so much of it: a row by its key, prepared, takes a hot PostgreSQL 48 µs
#: (`bench.costs`).
SHORT_NS = 50_000
WAITING = ("SLEEP", "ADVISORY", "FOR UPDATE", "FOR SHARE", "LOCK TABLE", "WAITFOR")


@dataclass(frozen=True)
class Stays:
    """Stays at a station; arrays of shape (n,).

    Attributes:
        start, length: ns.
        resource: what was asked; what is alike takes alike when alone.
        company: how many were there on average during each stay, itself included.
        request: for which request.
        seen: whether its end was: behind a loop that is held the least that is possible is taken
            for its length.
    """

    start: Ints
    length: Ints
    resource: Ints
    company: Floats
    request: Ints
    seen: Flags

    @classmethod
    def of(cls, found: Sequence[Stay]) -> Stays:
        """Make it of stays as they are found."""
        table = np.array(found, np.int64).reshape(-1, 5)
        start, end = table[:, 0], table[:, 1]
        seen = table[:, 4] > 0
        return cls(start, end - start, table[:, 2], company(start, end), table[:, 3], seen)

    def computed(self, texts: Sequence[str]) -> Stays:
        """Return those for which the station computes, with the company of each other.

        Most of a short one is the way there and back, and some only wait.

        Args:
            texts: of the resources.
        """
        kinds = [
            kind
            for kind in np.unique(self.resource).tolist()
            if np.median(self.length[self.resource == kind]) >= COMPUTED_NS
            and not any(word in texts[kind].upper() for word in WAITING)
        ]
        mine = np.isin(self.resource, kinds)
        return self.only(mine)

    def only(self, mine: Flags) -> Stays:
        """Return some of them, with the company of each other."""
        start, length = self.start[mine], self.length[mine]
        others = company(start, start + length)
        return Stays(
            *(start, length, self.resource[mine], others, self.request[mine], self.seen[mine])
        )

    def by_kind(self, factors: Floats, station: int) -> Slowed:
        """Tell by how much each was longer than alone, on account of which station."""
        keys = zip(self.length.tolist(), self.resource.tolist(), strict=True)
        return {key: (factor, station) for key, factor in zip(keys, factors.tolist(), strict=True)}

    def stretch(self, capacity: float) -> Floats:
        """Return how many times longer each was than it would have been alone."""
        return np.maximum(1.0, self.company / capacity)


def company(start: Ints, end: Ints) -> Floats:
    """Return how many intervals there were on average during each, itself included."""
    at = np.concatenate((start, end))
    order = np.argsort(at, kind="stable")
    at = at[order]
    step = np.repeat((1.0, -1.0), len(start))[order]
    count = np.cumsum(step)
    area: Floats = np.concatenate(([0.0], np.cumsum(count[:-1] * np.diff(at))))

    def until(times: Ints) -> Floats:
        # Between events the count is level, and every time asked for is an event.
        found: Floats = area[np.searchsorted(at, times, "left")]
        return found

    length = np.maximum(end - start, 1)
    found: Floats = np.maximum(1.0, (until(end) - until(start)) / length)
    return found


def union(start: Ints, end: Ints) -> tuple[Ints, Ints]:
    """Return starts and ends of the intervals' union, in order."""
    order = np.argsort(start, kind="stable")
    start, end = start[order], np.maximum.accumulate(end[order])
    if not len(start):
        return start, end
    first = np.flatnonzero(np.concatenate(([True], start[1:] > end[:-1])))
    return start[first], end[np.append(first[1:] - 1, len(end) - 1)]


class Covered:
    """How much of any time some of the intervals cover."""

    def __init__(self, start: Ints, end: Ints) -> None:
        self.start, self.end = union(start, end)
        length = self.end - self.start
        self.before = np.cumsum(length) - length

    def within(self, low: Ints, high: Ints) -> Ints:
        """Return how long each of [low, high) is covered, ns."""
        return self._until(high) - self._until(low)

    def _until(self, at: Ints) -> Ints:
        if not len(self.start):
            return np.zeros(len(at), np.int64)
        i = np.maximum(np.searchsorted(self.start, at, "right") - 1, 0)
        inside = np.clip(at - self.start[i], 0, self.end[i] - self.start[i])
        found: Ints = self.before[i] + inside
        return found


def fitted_capacity(stays: Stays) -> float:
    """Return how many the station serves at full speed; 0 if no bound shows.

    With a capacity c and n there, a stay lasts max(1, n / c) times as long. The c is taken for
    which stays of one kind, each divided by that, scatter least (in the logarithm, about their
    median), if that is clearly less than without. Stays of one request for the same are taken
    together: how a call is made of pieces says nothing.
    """
    if len(stays.length) < MIN_STAYS:
        return 0.0
    first, whose = _calls(stays)
    length = np.bincount(whose, stays.length)
    kinds, which = np.unique(stays.resource[first], return_inverse=True)
    weight = length / length.sum()
    before = _scatter(np.log(np.maximum(length, 1)), which, len(kinds), weight)
    best, found = before * (1 - MIN_EXPLAINED), 0.0
    for capacity in CANDIDATES:
        alone = np.bincount(whose, stays.length / stays.stretch(capacity))
        scatter = _scatter(np.log(np.maximum(alone, 1)), which, len(kinds), weight)
        if scatter < best:
            best, found = scatter, capacity
    return found


def saturated_capacity(stays: Stays) -> float:
    """Return the capacity of a station that was full nearly all the time; 0 if it was not.

    Then there is no quiet time to compare with. But what is alike takes alike when alone, and
    the quickest tell that: a stay that typically takes s times as long among n others has n / s
    places.
    """
    if len(stays.length) < MIN_STAYS:
        return 0.0
    first, which = _calls(stays)
    each = np.bincount(which, stays.length)
    resource = stays.resource[first]
    typical = at_best = 0.0
    for kind in np.unique(resource).tolist():
        lengths = each[resource == kind]
        if len(lengths) >= MIN_ALIKE:
            typical += float(np.median(lengths)) * len(lengths)
            at_best += float(np.quantile(lengths, QUICKEST)) * len(lengths)
    stretch = typical / at_best if at_best else 1.0
    if stretch < SATURATED:
        return 0.0
    among = float(np.average(stays.company, weights=stays.length))
    return max(1.0, among / stretch)


def _calls(stays: Stays) -> tuple[Ints, Ints]:
    """Return the first stay of each request for each resource, and of which call each stay is."""
    key = stays.request * (int(stays.resource.max()) + 1) + stays.resource
    _, first, which = np.unique(key, return_index=True, return_inverse=True)
    return first, which


def _scatter(log: Floats, which: Ints, kinds: int, weight: Floats) -> float:
    total = 0.0
    for kind in range(kinds):
        mine = which == kind
        values = log[mine]
        total += float((np.abs(values - np.median(values)) * weight[mine]).sum())
    return total
