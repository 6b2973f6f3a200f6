"""What tasks share and wait for: pools, batches, stations, cores."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from slowpath.simulate.system import BatchSpec, PoolSpec

if TYPE_CHECKING:
    from slowpath.simulate.engine import Engine, Task

#: Later than anything.
NEVER_NS = 1 << 62


class Pool:
    """Places that are waited for in line, which newcomers may overtake if it is barging."""

    __slots__ = ("ahead", "came", "free", "overtook", "spec", "waiting", "woken")

    def __init__(self, spec: PoolSpec) -> None:
        self.spec = spec
        self.free = spec.size
        self.waiting: deque[_Ticket] = deque()
        #: Who was told that a place is free and has not asked again since, and until when it waits.
        self.woken: dict[Task, int] = {}
        #: Who came while others waited, and who of them got a place before these.
        self.came = self.overtook = 0
        self.ahead = 0.0  # how many more may overtake, beyond those who find a place free

    def take(self, task: Task, engine: Engine) -> bool:
        """Give a task a place if one is free, else one in the line."""
        deadline = self.woken.pop(task, None)
        again = deadline is not None
        behind = not again and bool(self.waiting or self.woken)
        self.came += behind
        if self.free > 0 and not (behind and self._kept()):
            self.free -= 1
            if behind and self.spec.barging:
                self.overtook += 1
                self.ahead += max(0.0, self.spec.favour - 1)
            return True
        if deadline is None:
            deadline = engine.now + (self.spec.timeout_ns or NEVER_NS)
        ticket = _Ticket(task, deadline)
        self.waiting.append(ticket)
        if not again and self.ahead >= 1 and len(self.waiting) > 1:
            # Whoever's turn it was finds the place taken, and stands in line anew.
            self.ahead -= 1
            self.overtook += 1
            self.waiting[0], self.waiting[-1] = ticket, self.waiting[0]
        if self.spec.timeout_ns:
            engine.at(max(engine.now, deadline), ticket)
        return False

    def _kept(self) -> bool:
        """Tell whether a place is kept for whoever was woken, though another asks first."""
        favour = self.spec.favour
        if favour >= 1 or not self.woken:
            return False
        self.ahead += favour
        if self.ahead < 1:
            return True
        self.ahead -= 1
        return False

    def give(self, engine: Engine) -> None:
        """Take a place back: the first in line has it, or is told that it is free."""
        while self.waiting:
            ticket = self.waiting.popleft()
            task = ticket.task
            if task is not None:
                ticket.task = None
                if self.spec.barging:
                    self.free += 1
                    self.woken[task] = ticket.deadline_ns
                    task.at -= 1
                engine.at(engine.now, task)
                return
        self.free += 1


@dataclass(slots=True)
class _Ticket:
    """A place in the line before a pool; its deadline, when it fires."""

    task: Task | None
    deadline_ns: int

    def fire(self, engine: Engine) -> None:
        if self.task is not None:
            task, self.task = self.task, None
            task.give_up(engine)


class Batch:
    """Tasks that wait for each other: all go on when enough have come, or after the window."""

    def __init__(self, spec: BatchSpec) -> None:
        self.spec = spec
        self.tasks: list[Task] = []
        self.round = 0

    def join(self, task: Task, engine: Engine) -> bool:
        """Tell whether the task goes on at once, as the one that does the batch's work."""
        self.tasks.append(task)
        if len(self.tasks) >= self.spec.size:
            self.close(engine, but=task)
            return True
        if len(self.tasks) == 1:
            engine.at(engine.now + self.spec.window_ns, _Window(self, self.round))
        return False

    def close(self, engine: Engine, but: Task | None = None) -> None:
        tasks, self.tasks = self.tasks, []
        self.round += 1
        for task in tasks:
            if task is not but:
                engine.at(engine.now, task)


@dataclass(slots=True)
class _Window:
    batch: Batch
    round: int

    def fire(self, engine: Engine) -> None:
        if self.batch.round == self.round:
            self.batch.close(engine)


class Station:
    """A remote part: its own time, or a share of its capacity.

    With sharing, time runs slower for all: an entry of length w leaves when the station's own
    clock, which runs at the speed min(1, capacity / n), has gone on by w.
    """

    def __init__(self, engine: Engine, capacity: float) -> None:
        self.engine = engine
        self.capacity = capacity
        self.clock = 0.0
        self.since = 0
        self.present: list[tuple[float, int, Task]] = []
        self.version = 0
        self.count = 0

    def add(self, task: Task, length_ns: int) -> None:
        engine = self.engine
        if self.capacity <= 0:
            engine.at(engine.now + length_ns, task)
            return
        self._advance()
        self.count += 1
        heappush(self.present, (self.clock + length_ns, self.count, task))
        self._schedule()

    def _advance(self) -> None:
        now = self.engine.now
        if self.present:
            speed = min(1.0, self.capacity / len(self.present))
            self.clock += (now - self.since) * speed
        self.since = now

    def _schedule(self) -> None:
        self.version += 1
        if not self.present:
            return
        speed = min(1.0, self.capacity / len(self.present))
        left = max(0.0, self.present[0][0] - self.clock)
        self.engine.at(self.engine.now + round(left / speed), _Due(self, self.version))

    def due(self) -> None:
        """Let the first entry go."""
        self._advance()
        _, _, task = heappop(self.present)
        self._schedule()
        task.fire(self.engine)


class Cpu:
    """Cores that groups of threads share; threads of one group (one GIL) share one core.

    With m groups at work on c cores, and n threads in a group, each of these goes on at the speed
    min(1, c / m) / n.
    """

    def __init__(self, engine: Engine, cores: int) -> None:
        self.engine = engine
        self.cores = cores or 1 << 30
        self.groups: dict[int, _Group] = {}
        self.next = 0  # the group that is the next to lose somebody
        self.alone = -1
        self.since = 0
        self.version = 0
        self.count = 0

    def slows(self, group: int) -> bool:
        """Tell whether one more at work would be slowed by others, or slow them."""
        groups = self.groups
        return bool(groups) and (group in groups or len(groups) >= self.cores)

    def add(self, task: Task, length_ns: int, group: int) -> None:
        """Let a task compute; `group` is its worker, -1 for what needs no GIL."""
        self._advance()
        if group < 0:
            self.alone -= 1
            group = self.alone
        found = self.groups.get(group)
        if found is None:
            found = self.groups[group] = _Group()
        self.count += 1
        heappush(found.present, (found.clock + length_ns, self.count, task))
        self._schedule()

    def _advance(self) -> None:
        now = self.engine.now
        passed = now - self.since
        self.since = now
        if passed and self.groups:
            speed = min(1.0, self.cores / len(self.groups))
            for group in self.groups.values():
                group.clock += passed * speed / len(group.present)

    def _schedule(self) -> None:
        self.version += 1
        soonest = -1.0
        for number, group in self.groups.items():
            present = group.present
            left = (present[0][0] - group.clock) * len(present)
            if left < soonest or soonest < 0:
                soonest, self.next = max(0.0, left), number
        if soonest >= 0:
            speed = min(1.0, self.cores / len(self.groups))
            self.engine.at(self.engine.now + round(soonest / speed), _Due(self, self.version))

    def due(self) -> None:
        """Let whoever is next go."""
        self._advance()
        group = self.groups[self.next]
        _, _, task = heappop(group.present)
        if not group.present:
            del self.groups[self.next]
        self._schedule()
        task.fire(self.engine)


@dataclass(slots=True)
class _Group:
    clock: float = 0.0
    present: list[tuple[float, int, Task]] = field(default_factory=list)


@dataclass(slots=True)
class _Due:
    """The next departure of a station or of the cores, unless something came between."""

    where: Any
    version: int

    def fire(self, engine: Engine) -> None:
        if self.where.version == self.version:
            self.where.due()
