"""The pools of a recorded service: who held a place when, and how the line before it moves."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from slowpath.ledger import ACTIVITIES, Ledger
from slowpath.recording.model import SpanFlag
from slowpath.simulate.workload import Pool

Ints = npt.NDArray[np.int64]

POOL_WAIT = ACTIVITIES["pool_wait"]
#: What is waited for where a pool is modelled: it comes up again in the simulation.
QUEUES = {
    POOL_WAIT: "connections",
    ACTIVITIES["lock_wait"]: "lock",
    ACTIVITIES["thread_wait"]: "threads",
    ACTIVITIES["http_pool_wait"]: "http",
}
HOLDS = {
    ACTIVITIES["checkout"]: "connections",
    ACTIVITIES["lock"]: "lock",
    ACTIVITIES["thread"]: "threads",
}
#: A place is had so soon after the wait for it; whoever waits for less did not stand in line.
SOON_NS = 1_000_000
AT_ONCE_NS = 200_000
#: Fewer who come while others wait do not tell how many overtake.
ENOUGH = 20
#: As many places as anybody wants.
NO_BOUND = 1 << 30


class Mark(NamedTuple):
    """A place of a pool is taken (order 1) or given back (order 0); the answer is complete (2)."""

    at: int
    order: int
    pool: int


class Places:
    """The places that requests held.

    Attributes:
        pools: all pools that were seen.
        marks: when each request (by its index) asked for places that it got, and gave them back.
        gave_up: requests that waited in vain; nobody knows what they would have done.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.recording = ledger.recording
        self.pools: list[Pool] = []
        self.marks: dict[int, list[Mark]] = {}
        self._numbers: dict[tuple[str, int, int], int] = {}
        self._index = {request.line: i for i, request in enumerate(ledger.requests)}
        self._stays: dict[tuple[int, int], list[tuple[int, int, int]]] = {}
        for activity, kind in HOLDS.items():
            self._hold(activity, kind)
        self.gave_up = self._failed()
        self._overtaken()

    def _owner(self, line: int) -> int | None:
        known = self.recording.lines.get(line)
        return self._index.get(known.request if known is not None else line)

    def _hold(self, activity: int, kind: str) -> None:
        spans = self.recording.spans
        asked = _Asked(spans[np.isin(spans["kind"], [a for a in QUEUES if QUEUES[a] == kind])])
        for row in spans[spans["kind"] == activity].tolist():
            _, _, _, line, _, resource, start, end, a, b = row
            if (kind == "threads" and a <= 0) or end <= start:
                continue  # in another process
            pool = self._pool(kind, resource, a if kind == "lock" else 0, b)
            at = asked.at(line, resource, start)
            self._stays.setdefault((pool, line >> 32), []).append((at, start, end))
            owner = self._owner(line)
            if owner is None:
                continue
            request = self.ledger.requests[owner]
            at, end = max(at, request.start_ns), min(end, request.end_ns)
            if at < end:
                marks = self.marks.setdefault(owner, [])
                marks.extend((Mark(at, 1, pool), Mark(end, 0, pool)))

    def _pool(self, kind: str, resource: int, identity: int, size: int) -> int:
        key = (kind, resource, identity)
        known = self._numbers.get(key)
        if known is None:
            known = self._numbers[key] = len(self.pools)
            name = self.recording.texts[resource]
            self.pools.append(Pool(name, kind, size if size > 0 else NO_BOUND))
        elif size > 0 and self.pools[known].size != size:
            pool = self.pools[known]
            best = size if pool.size == NO_BOUND else max(size, pool.size)
            self.pools[known] = replace(pool, size=best)
        return known

    def _failed(self) -> set[int]:
        """Note after what time waits for a pool end without success; return whose did."""
        spans = self.recording.spans
        failed = spans[(spans["kind"] == POOL_WAIT) & ((spans["flags"] & SpanFlag.FAILED) > 0)]
        for number, pool in enumerate(self.pools):
            names = np.array([self.recording.texts[r] == pool.name for r in failed["resource"]])
            if pool.kind == QUEUES[POOL_WAIT] and names.any():
                waited = failed[names]
                timeout = int(np.median(waited["end"] - waited["start"]))
                self.pools[number] = replace(pool, timeout_ns=timeout)
        owners = {self._owner(line) for line in failed["line"].tolist()}
        found = {owner for owner in owners if owner is not None}
        return found if len(found) < len(self._index) else set()

    def _overtaken(self) -> None:
        """Note for each pool of connections how many of those who came overtook the line."""
        for number, pool in enumerate(self.pools):
            if pool.kind != QUEUES[POOL_WAIT]:
                continue
            stays = [rows for (owned, _), rows in self._stays.items() if owned == number]
            self.pools[number] = replace(pool, overtaking=overtaking(stays, pool.size))


class _Asked:
    """When a place was asked for that somebody got: at the start of the wait for it, if any."""

    def __init__(self, waits: npt.NDArray[np.void]) -> None:
        self._found: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for line, resource, start, end in waits[["line", "resource", "start", "end"]].tolist():
            self._found.setdefault((line, resource), []).append((end, start))
        for each in self._found.values():
            each.sort()

    def at(self, line: int, resource: int, got: int) -> int:
        each = self._found.get((line, resource), [])
        before = bisect_right(each, (got, got)) - 1
        if before < 0 or got - each[before][0] > SOON_NS:
            return got
        return each[before][1]


def overtaking(stays: list[list[tuple[int, int, int]]], size: int) -> float:
    """Return the share of those who came while others waited that took a place before them.

    A pool that wakes whoever is first in line, but does not keep the place, as `asyncio.Queue`
    does it, lets whoever comes in between take it; the woken one goes to the end of the line.

    Args:
        stays: for each process (asked, got, given back) of all places, ns.
        size: how many places there are.
    """
    came = overtook = 0
    for rows in stays:
        asked, got, given = np.array(sorted(rows), np.int64).T
        waiting = np.arange(len(asked)) - np.searchsorted(np.sort(got), asked, "left")
        in_use = np.searchsorted(np.sort(got), asked, "left")
        in_use = in_use - np.searchsorted(np.sort(given), asked, "right")
        # Where as many places are free as wait, there is one for each.
        behind = (waiting > 0) & (waiting + in_use >= size)
        came += int(np.count_nonzero(behind))
        overtook += int(np.count_nonzero(behind & (got - asked < AT_ONCE_NS)))
    return overtook / came if came >= ENOUGH else 0.0
