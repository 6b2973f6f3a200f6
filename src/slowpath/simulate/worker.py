"""One process of a simulated service: its loop, which goes by rounds, and its pools."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from typing import TYPE_CHECKING

from slowpath.simulate.parts import NEVER_NS, Batch, Pool
from slowpath.simulate.system import System
from slowpath.simulate.warmth import AGES_NS

if TYPE_CHECKING:
    from slowpath.simulate.engine import Engine, Task


class Worker:
    """One process: its loop, its pools."""

    def __init__(self, engine: Engine, system: System, number: int) -> None:
        self.engine = engine
        self.number = number
        self.pools = [Pool(spec) for spec in system.pools]
        self.batches = [Batch(spec) for spec in system.batches]
        self.busy = False
        #: What is ready; so many of them belong to the round under way.
        self.ready: deque[Task] = deque()
        self.round = 0
        #: What has come from outside: since the loop last looked, and what it saw then.
        self.arrived: list[Task] = []
        self.polled: deque[Task] = deque()
        self.looked = False
        #: Whom it saw then, by their place in the kernel's list.
        self.seen: dict[int, int] = {}
        #: Whether its loop may have to share a core or the GIL.
        self.shares = system.cores > 0
        #: By how much work is slower, by how long ago its code ran; not at all if so recently.
        self.factors = system.warmth.factors
        self.recent_ns = AGES_NS[1] if self.factors[0] == 1.0 else 1
        if not system.warmth.matters:
            self.recent_ns = 2 * NEVER_NS
        #: Until when each code ran last.
        self.ran: dict[int, int] = {}

    def slowed(self, ns: int, age_ns: int) -> int:
        """Return what work takes whose code ran so long ago."""
        return round(ns * self.factors[bisect_right(AGES_NS, age_ns) - 1])

    def enter(self, task: Task) -> bool:
        """Give a task the loop if it is free, else a place in its queue."""
        if self.busy:
            (self.arrived if task.outside else self.ready).append(task)
            return False
        self.busy = True
        task.holds = True
        if task.outside:  # it was waited for, and is all that has come
            task.outside = False
            self.seen = {task.peer: 0} if task.peer >= 0 else {}
            self.looked = True
        return True

    def leave(self, task: Task) -> None:
        """Take the loop from a task, and give it to the next."""
        task.holds = False
        if self.round and not self.polled:  # as most often
            self.round -= 1
            following: Task | None = self.ready.popleft()
        else:
            following = self._next()
        if following is None:
            self.busy = False
            return
        following.holds = True
        engine = self.engine
        if engine.following is None and engine.queue[0][0] > engine.now:
            engine.following = following
        else:
            engine.at(engine.now, following)

    def _next(self) -> Task | None:
        """Return whose turn it is: by rounds of what has come from outside, then what is ready."""
        if not self.polled and not self.round:
            if not (self.looked and self.ready):
                self._poll()
            if not self.polled:
                self.looked = False
                self.round = len(self.ready)
        if self.polled:
            return self.polled.popleft()
        if not self.round:
            return None
        self.round -= 1
        return self.ready.popleft()

    def _poll(self) -> None:
        """Look what has come from outside.

        The kernel keeps the sockets that it told of at the front of its list until it is asked
        again: a peer that has been served and is back in time comes before one that has waited
        for longer.
        """
        self.looked = True
        arrived = self.arrived
        peers = [task.peer for task in arrived]
        if len(arrived) > 1 and self.seen:
            last, seen = len(self.seen), self.seen
            arrived.sort(key=lambda task: seen.get(task.peer, last))
            peers = [task.peer for task in arrived]
        self.seen = {peer: i for i, peer in enumerate(peers) if peer >= 0}
        for task in arrived:
            task.outside = False
        self.polled.extend(arrived)
        self.arrived = []
