"""What a recorded service is asked to do: the behaviours of its requests, its parts, its load.

A *behaviour* is one recorded request as steps, without what it waited for on account of others:
those waits come up again when the behaviours are simulated. Edits change behaviours and parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property
from typing import NamedTuple

from slowpath.ledger import ACTIVITIES
from slowpath.simulate.system import NO_WAY, BatchSpec, PoolSpec, StationSpec, System, Way
from slowpath.simulate.warmth import Warmth

GC = ACTIVITIES["gc"]


class Kind(IntEnum):
    """What a step does with its time."""

    LOOP = 0  # computes on the loop
    BLOCKED = 1  # holds the loop and waits
    WAIT = 2  # waits without the loop; `ref`: its station, -1 for none
    THREAD = 3  # computes in a thread that needs the GIL
    FREE = 4  # computes in a thread without the GIL, or in another process
    YIELD = 5  # goes to the end of the loop's queue
    TAKE = 6  # takes a place of the pool `ref`
    GIVE = 7  # gives it back
    ANSWER = 8  # the answer is complete
    FORK = 9  # starts `inner` beside
    JOIN = 10  # waits for the `ref`-th that was started
    GATHER = 11  # joins the batch `ref`


class Step(NamedTuple):
    """One step of a behaviour.

    Attributes:
        ns: its own time.
        activity, mode, site, resource: as the ledger charges it; 0 where it does not apply.
        ref: by kind.
        inner: the steps of what is started beside.
        code: which slice it is of, see `warmth`; 0 where that does not matter.
    """

    kind: int
    ns: int = 0
    activity: int = 0
    mode: int = 0
    site: int = 0
    resource: int = 0
    ref: int = -1
    inner: tuple[Step, ...] = ()
    code: int = 0


Steps = tuple[Step, ...]
#: Steps that hold the loop.
ON_LOOP = (Kind.LOOP, Kind.BLOCKED)
#: Steps that take time.
TIMED = (Kind.LOOP, Kind.BLOCKED, Kind.WAIT, Kind.THREAD, Kind.FREE)
#: Steps that end a slice, as far as the steps tell: a place that is free is taken without waiting.
SUSPENDS = (Kind.WAIT, Kind.THREAD, Kind.FREE, Kind.YIELD, Kind.JOIN, Kind.GATHER)
#: Steps that compute in threads or in other processes.
ASIDE = (Kind.THREAD, Kind.FREE)


@dataclass(frozen=True)
class Behaviour:
    """What one recorded request did.

    Attributes:
        endpoint: index into the ledger's endpoints.
        way: what it takes to come to the server, and its answer to come back.
    """

    steps: Steps
    endpoint: int
    way: Way = NO_WAY

    @cached_property
    def computed_ns(self) -> tuple[int, int]:
        """What it computes on the loop, and what garbage is collected meanwhile, ns."""
        computed = collected = 0
        for step in flat(self.steps):
            if step.kind == Kind.LOOP:
                if step.activity == GC:
                    collected += step.ns
                else:
                    computed += step.ns
        return computed, collected

    @cached_property
    def uses_threads(self) -> bool:
        """Whether it computes in threads or in other processes."""
        return any(step.kind in ASIDE for step in flat(self.steps))


@dataclass(frozen=True)
class Pool:
    """Places of every worker; `kind`: connections, threads, lock or http.

    Attributes:
        overtaking: the share of those who came while others waited that got a place before them.
        favour: see `PoolSpec`.
    """

    name: str
    kind: str
    size: int
    timeout_ns: int = 0
    overtaking: float = 0.0
    favour: float = 1.0


@dataclass(frozen=True)
class Station:
    """A remote part, with its `capacity` at full speed (0: no bound was seen).

    Attributes:
        least_ns: what takes less, and so is mostly on its way, needs it for `short_ns` only.
    """

    name: str
    capacity: float = 0.0
    least_ns: int = 0
    short_ns: int = 0


@dataclass(frozen=True)
class Load:
    """Who sends.

    Attributes:
        users: how many ask again when answered; 0: requests come by `rate` alone.
        think_ns: mean time between an answer and the next request of a user.
        rate: requests a second.
        paced: they come at equal distances, else at random.
        warmup_ns, window_ns: how long is sent before and while it is measured.
    """

    users: int = 0
    think_ns: float = 0.0
    rate: float = 0.0
    paced: bool = False
    warmup_ns: int = 3_000_000_000
    window_ns: int = 30_000_000_000


@dataclass(frozen=True)
class Workload:
    """A service under load, ready to be edited and simulated.

    Attributes:
        turns_ns: what the loop itself takes to let a task go on; dealt out one after the other.
        warmth: how much slower work is that has not been done for a while; times of steps and
            turns are warm.
    """

    behaviours: tuple[Behaviour, ...]
    load: Load
    pools: tuple[Pool, ...] = ()
    stations: tuple[Station, ...] = ()
    batches: tuple[BatchSpec, ...] = ()
    workers: int = 1
    cores: int = 1
    turns_ns: tuple[int, ...] = (0,)
    warmth: Warmth = Warmth()
    endpoints: tuple[str, ...] = ()

    def mapped(self, change: Callable[[Behaviour], Steps]) -> Workload:
        """Return it with the steps of every behaviour changed; what stays as it was is kept."""
        return replace(
            self,
            behaviours=tuple(
                behaviour if steps == behaviour.steps else replace(behaviour, steps=steps)
                for behaviour in self.behaviours
                for steps in [change(behaviour)]
            ),
        )

    def pool(self, name: str) -> int:
        """Return the position of a pool by its name; -1 if there is none."""
        return next((i for i, pool in enumerate(self.pools) if pool.name == name), -1)

    def with_pool(self, pool: Pool) -> tuple[Workload, int]:
        """Return it with a pool of that name (added, unless there is one), and its position."""
        position = self.pool(pool.name)
        if position >= 0:
            return self, position
        return replace(self, pools=(*self.pools, pool)), len(self.pools)

    def demand_ns(self) -> float:
        """Return the mean time that a request holds the loop."""
        turn = sum(self.turns_ns) / len(self.turns_ns)
        total = 0.0
        for behaviour in self.behaviours:
            for step in flat(behaviour.steps):
                if step.kind in ON_LOOP:
                    total += step.ns
                elif step.kind in (Kind.WAIT, Kind.YIELD):
                    total += turn
        return total / len(self.behaviours) + turn if self.behaviours else 0.0

    @property
    def competes(self) -> bool:
        """Whether threads or workers compete for the GIL or for cores."""
        return self.workers >= self.cores or any(
            behaviour.uses_threads for behaviour in self.behaviours
        )

    def system(self) -> System:
        """Return its parts as the engine knows them."""
        return System(
            pools=tuple(
                PoolSpec(p.name, p.size, p.timeout_ns, p.overtaking > 0, p.favour)
                for p in self.pools
            ),
            stations=tuple(StationSpec(s.name, s.capacity) for s in self.stations),
            batches=self.batches,
            workers=self.workers,
            cores=self.cores if self.competes else 0,
            warmth=self.warmth,
        )


def flat(steps: Iterable[Step]) -> Iterable[Step]:
    """Yield the steps and those of what is started beside."""
    for step in steps:
        yield step
        if step.inner:
            yield from flat(step.inner)


@dataclass(frozen=True)
class Where:
    """Which steps an edit is about: those that the ledger charges in one of these ways.

    Attributes:
        keys: (site, activity, mode, resource) as charged; a -1 stands for any.
    """

    keys: frozenset[tuple[int, int, int, int]]

    @cached_property
    def _sites(self) -> frozenset[int]:
        return frozenset(key[0] for key in self.keys)

    def __contains__(self, step: object) -> bool:
        if not isinstance(step, Step):
            return False
        site, sites = step.site, self._sites
        # Most steps are at other sites; to see that at once makes edits several times faster.
        if (site not in sites and -1 not in sites) or step.kind not in TIMED:
            return False
        activity, mode, resource = step.activity, step.mode, step.resource
        keys = self.keys
        return (
            (site, activity, mode, resource) in keys
            or (site, activity, -1, resource) in keys
            or (site, activity, mode, -1) in keys
            or (site, activity, -1, -1) in keys
            or (site, -1, -1, -1) in keys
            or (-1, activity, -1, resource) in keys
        )
