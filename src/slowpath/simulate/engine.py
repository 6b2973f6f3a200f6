"""A discrete-event engine for services that run on event loops; integer nanoseconds throughout.

A *script* is what one request does, as a tuple of operations `(code, a, b)`; a *task* is one run
of a script, or of a part that it forks. The engine knows:

- loops: one task at a time. A task holds its loop from the first work after a wait until it next
  waits, so what stands between two waits is one slice. A loop runs all that is ready, then looks
  what has come from outside, then runs that: whoever comes meanwhile waits for the whole round;
- pools: k places, first come first served, with an optional timeout; connections, thread tokens,
  locks and semaphores are all pools;
- stations: remote parts. A request stays for its own time, or, where a station has a capacity,
  shares it with all others there (egalitarian processor sharing);
- processors: cores, and for each worker the GIL. Only where threads or workers compete for them;
  alone, a loop has a core to itself.

Every pool belongs to one worker, every station to all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from heapq import heappop, heappush
from random import Random
from typing import Any, NamedTuple, Protocol

from slowpath.simulate.parts import NEVER_NS, Cpu, Station
from slowpath.simulate.system import NO_WAY, System, Way
from slowpath.simulate.worker import Worker


class Op(IntEnum):
    """What an operation does; `a` and `b` by code."""

    WORK = 0  # hold the loop and compute for a ns; b: which code it is, 0 if that is all the same
    HOLD = 1  # hold the loop for a ns without computing
    WAIT = 2  # let go of the loop for a ns; at station b, if not -1
    TAKE = 3  # take a place of pool a, waiting for it if need be
    GIVE = 4  # give a place of pool a back
    BURN = 5  # compute in a thread for a ns; b: 1 if it needs the GIL
    FORK = 6  # start script a as a task beside this one
    JOIN = 7  # wait for the a-th task that this one started
    ANSWER = 8  # the response is complete
    LEAVE = 9  # let go of the loop, go to the end of its queue
    GATHER = 10  # wait until a tasks have come to the batch b, or its window has passed


Script = tuple[tuple[int, Any, Any], ...]
_WORK, _HOLD, _WAIT, _TAKE, _GIVE, _BURN, _FORK, _JOIN, _ANSWER, _LEAVE, _GATHER = map(int, Op)


class Answer(NamedTuple):
    """One request that was answered.

    Attributes:
        kind: which script it ran, by the number its source gave.
        failed: it gave up waiting for a pool.
    """

    start_ns: int
    end_ns: int
    kind: int
    failed: bool


class Source(Protocol):
    """Sends requests: when the first ones come, and what an answer lets come."""

    def begin(self, engine: Engine) -> None:
        """Send what comes at first, by `Engine.send`."""

    def answered(self, engine: Engine, user: int) -> None:
        """React to an answer."""


class Engine:
    """One simulation.

    Args:
        system: what there is.
        source: who sends.
        until_ns: when to stop.
        seed: for which worker takes a request.
    """

    def __init__(self, system: System, source: Source, until_ns: int, seed: int = 0) -> None:
        self.system = system
        self.now = 0
        self.until_ns = until_ns
        self.answers: list[Answer] = []
        self.sent = 0
        self.random = Random(seed)
        self._source = source
        #: What is to come, in order of time; of the same time, as it was noted.
        self.queue: list[tuple[int, int, Any]] = []
        #: Who goes on right now, before anything else does, without going through the queue.
        self.following: Task | None = None
        self._count = 0
        self.stations = [Station(self, spec.capacity) for spec in system.stations]
        self.cpu = Cpu(self, system.cores)
        self.workers = [Worker(self, system, number) for number in range(system.workers)]

    def send(self, at_ns: int, script: Script, kind: int, user: int, way: Way = NO_WAY) -> None:
        """Let a request come at a time.

        Args:
            way: what it takes to come here and back, which its sender feels too.
        """
        task = Task(
            script, self.random.choice(self.workers) if len(self.workers) > 1 else self.workers[0]
        )
        task.request = _Request(at_ns, kind, user, way.back_ns)
        task.outside = True
        self.sent += 1
        self.at(at_ns + way.there_ns, task)

    def at(self, time_ns: int, what: Any) -> None:
        """Call `what.fire(engine)` at a time."""
        self._count += 1
        heappush(self.queue, (time_ns, self._count, what))

    def run(self) -> list[Answer]:
        """Run to the end; return the answers in the order in which they were given."""
        self._source.begin(self)
        queue, until = self.queue, self.until_ns
        self.at(until + 1, None)  # so there is always something to come
        while True:
            task = self.following
            if task is not None:
                self.following = None
                task.fire(self)
            else:
                time, _, what = heappop(queue)
                if time > until:
                    return self.answers
                self.now = time
                what.fire(self)

    def answer(self, request: _Request, failed: bool) -> None:
        """Note an answer, and let its sender know."""
        back = request.back_ns
        self.answers.append(Answer(request.start_ns, self.now + back, request.kind, failed))
        if back:
            self.at(self.now + back, _Notice(request.user))
        else:
            self._source.answered(self, request.user)

    def notice(self, user: int) -> None:
        """Tell the source that a user has its answer."""
        self._source.answered(self, user)


@dataclass(slots=True)
class _Notice:
    user: int

    def fire(self, engine: Engine) -> None:
        engine.notice(self.user)


@dataclass(slots=True)
class _Request:
    start_ns: int
    kind: int
    user: int
    back_ns: int
    answered: bool = False


class Task:
    """One run of a script."""

    __slots__ = (
        *("at", "children", "done", "holds", "outside", "request", "script", "waiter", "worker"),
    )

    def __init__(self, script: Script, worker: Worker) -> None:
        self.script = script
        self.worker = worker
        self.at = 0
        self.holds = False  # the loop
        self.outside = False  # whether what lets it go on comes from outside, seen by polling
        self.done = False
        self.request: _Request | None = None
        self.children: list[Task] = []
        self.waiter: Task | None = None

    @property
    def peer(self) -> int:
        """Whose connection it came on; -1 for one that is not known."""
        return self.request.user if self.request is not None and not self.at else -1

    def fire(self, engine: Engine) -> None:
        """Go on, from an operation that has just ended, to the next that takes time."""
        script = self.script
        worker = self.worker
        queue = engine.queue
        ran = worker.ran
        at = self.at
        size = len(script)
        while at < size:
            code, a, b = script[at]
            if code <= _HOLD:
                if not self.holds and not worker.enter(self):
                    self.at = at
                    return
                at += 1
                now = engine.now
                if b:
                    age = now - ran.get(b, -NEVER_NS)
                    if age >= worker.recent_ns:
                        a = worker.slowed(a, age)
                    ran[b] = now + a
                end = now + a
                shares = code == _WORK and worker.shares
                if end < queue[0][0] and not (shares and engine.cpu.slows(worker.number)):
                    # Nothing comes meanwhile, which is the rule: what the loop does is short.
                    engine.now = end
                    continue
                self.at = at
                if shares:
                    engine.cpu.add(self, a, worker.number)
                else:
                    engine.at(end, self)
                return
            at += 1
            if code == _LEAVE:
                if self.holds and (worker.ready or worker.polled or worker.arrived):
                    self.at = at
                    worker.ready.append(self)
                    worker.leave(self)
                    return
            elif code == _WAIT:
                self.at = at
                self.outside = True
                if self.holds:
                    worker.leave(self)
                if b >= 0:
                    engine.stations[b].add(self, a)
                else:
                    engine.at(engine.now + a, self)
                return
            elif code == _TAKE:
                pool = worker.pools[a]
                if pool.spec.barging and not self.holds and not worker.enter(self):
                    self.at = at - 1
                    return
                if pool.take(self, engine):
                    continue
                self.at = at
                if self.holds:
                    worker.leave(self)
                return
            elif code == _GIVE:
                self.at = at
                worker.pools[a].give(engine)
            elif code == _BURN:
                self.at = at
                if self.holds:
                    worker.leave(self)
                engine.cpu.add(self, a, worker.number if b else -1)
                return
            elif code == _FORK:
                child = Task(a, worker)
                self.children.append(child)
                engine.at(engine.now, child)
            elif code == _JOIN:
                if a >= len(self.children) or self.children[a].done:
                    continue
                self.at = at
                if self.holds:
                    worker.leave(self)
                self.children[a].waiter = self
                return
            elif code == _ANSWER:
                self._answer(engine)
            else:
                self.at = at
                if self.holds:
                    worker.leave(self)
                if worker.batches[b].join(self, engine):
                    continue
                return
        self.at = at
        self._end(engine)

    def give_up(self, engine: Engine) -> None:
        """End with a failure: what it waited for did not come in time."""
        script = self.script
        held: dict[int, int] = {}
        for code, a, _ in script[: self.at - 1]:
            if code == _TAKE:
                held[a] = held.get(a, 0) + 1
            elif code == _GIVE:
                held[a] = held.get(a, 0) - 1
        for pool, count in held.items():
            for _ in range(count):
                self.worker.pools[pool].give(engine)
        if self.request is not None and not self.request.answered:
            self.request.answered = True
            engine.answer(self.request, failed=True)
        self._end(engine)

    def _answer(self, engine: Engine) -> None:
        request = self.request
        if request is not None and not request.answered:
            request.answered = True
            engine.answer(request, failed=False)

    def _end(self, engine: Engine) -> None:
        self.done = True
        self._answer(engine)
        if self.holds:
            self.worker.leave(self)
        if self.waiter is not None:
            engine.at(engine.now, self.waiter)
            self.waiter = None
