"""The vocabulary of edits: how a workload would differ if something were cured.

An edit is a value; applied to a workload it gives another one. Edits compose: `apply` takes them
in order. Causes say which edit stands for their cure; capacity planning uses the same words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Protocol

from slowpath.ledger import ACTIVITIES
from slowpath.simulate.system import BatchSpec
from slowpath.simulate.workload import (
    ON_LOOP,
    TIMED,
    Behaviour,
    Kind,
    Pool,
    Step,
    Steps,
    Where,
    Workload,
)

GC = ACTIVITIES["gc"]


class Edit(Protocol):
    """A change to a workload that stands for a cure."""

    def apply(self, workload: Workload) -> Workload:
        """Return the workload as it would be."""


def apply(workload: Workload, edits: Iterable[Edit]) -> Workload:
    """Return a workload with several edits made, in order."""
    return reduce(lambda changed, edit: edit.apply(changed), edits, workload)


def choices(edit: Edit) -> Sequence[Edit]:
    """Return the edits to choose the best of; most edits are the only choice."""
    return edit.edits if isinstance(edit, OneOf) else (edit,)


@dataclass(frozen=True)
class OneOf:
    """Several settings of one thing, such as sizes of a pool: the simulator chooses.

    Attributes:
        edits: the least first; a greater one must gain something to be chosen.
    """

    edits: tuple[Edit, ...]

    def apply(self, workload: Workload) -> Workload:
        """Apply the greatest."""
        return self.edits[-1].apply(workload)


@dataclass(frozen=True)
class All:
    """Several edits that belong to one cure."""

    edits: tuple[Edit, ...]

    def apply(self, workload: Workload) -> Workload:
        return apply(workload, self.edits)


def matched(steps: Sequence[Step], where: Where) -> list[bool]:
    """Tell for each step whether it is meant.

    A garbage collection belongs to the work that it interrupts: without what that allocates it
    would not come.
    """
    found = []
    last = False
    for step in steps:
        if step.kind in TIMED:
            last = step in where or (last and step.activity == GC and step.kind in ON_LOOP)
            found.append(last)
        else:
            found.append(False)
    return found


# --- Where the time is spent ---------------------------------------------------------------------


@dataclass(frozen=True)
class Overlapped:
    """What blocked the loop becomes a wait in which others run: an async twin of the call.

    Attributes:
        call_ns: what the twin computes on the loop for each call.
    """

    where: Where
    call_ns: int = 0

    def apply(self, workload: Workload) -> Workload:
        def change(steps: Steps) -> Iterator[Step]:
            inside = False
            for step in steps:
                here = step.kind == Kind.BLOCKED and step in self.where
                if here and not inside and self.call_ns:
                    yield Step(Kind.LOOP, self.call_ns)
                inside = here or (inside and step.kind not in TIMED)
                yield step._replace(kind=Kind.WAIT, ref=-1) if here else step

        return rewritten(workload, change)


@dataclass(frozen=True)
class Offloaded:
    """Work leaves the loop for a pool of threads or processes.

    Attributes:
        pool: its name; it is added with `size` places if there is none.
        needs_gil: it still competes with the loop for the interpreter: pure Python in a thread.
        handover_ns: what it costs the loop to hand the work over and to take the result.
    """

    where: Where
    pool: str
    size: int
    needs_gil: bool = False
    handover_ns: int = 100_000

    def apply(self, workload: Workload) -> Workload:
        workload, pool = workload.with_pool(Pool(self.pool, "threads", self.size))
        kind = Kind.THREAD if self.needs_gil else Kind.FREE

        def change(steps: Steps) -> Iterator[Step]:
            inside = False
            for step, mine in zip(steps, matched(steps, self.where), strict=True):
                here = mine and step.kind in ON_LOOP
                if here and not inside:
                    yield Step(Kind.LOOP, self.handover_ns)
                    yield Step(Kind.TAKE, ref=pool)
                elif inside and not here:
                    yield Step(Kind.GIVE, ref=pool)
                inside = here
                if not here:
                    yield step
                elif step.kind == Kind.BLOCKED:
                    yield step._replace(kind=Kind.WAIT, ref=-1)
                else:
                    yield step._replace(kind=kind)
            if inside:
                yield Step(Kind.GIVE, ref=pool)

        return rewritten(workload, change)


@dataclass(frozen=True)
class Scaled:
    """What is done there takes `factor` times as long; 0 leaves it out.

    Attributes:
        at_most_ns: and no longer than this; 0 for no bound.
    """

    where: Where
    factor: float
    at_most_ns: int = 0

    def apply(self, workload: Workload) -> Workload:
        def change(steps: Steps) -> Iterator[Step]:
            left_out = False
            for step, mine in zip(steps, matched(steps, self.where), strict=True):
                if not mine:
                    left_out = left_out and step.kind not in TIMED
                    if not (left_out and step.kind == Kind.YIELD):
                        yield step
                elif self.factor <= 0:
                    left_out = True  # and so are the loop's turns after it
                else:
                    ns = step.ns * self.factor
                    if self.at_most_ns:
                        ns = min(ns, self.at_most_ns)
                    yield step._replace(ns=round(ns))

        return rewritten(workload, change)


@dataclass(frozen=True)
class Cached:
    """A share of the calls is answered from memory, at once.

    Attributes:
        hits: how many of all calls, 0 to 1; dealt out evenly.
    """

    where: Where
    hits: float

    def apply(self, workload: Workload) -> Workload:
        calls = 0

        def change(steps: Steps) -> Iterator[Step]:
            nonlocal calls
            inside = hit = False
            for step, here in zip(steps, matched(steps, self.where), strict=True):
                if here and not inside:
                    calls += 1
                    hit = int(calls * self.hits) > int((calls - 1) * self.hits)
                # Marks and turns of the loop part nothing.
                inside = here or (inside and step.kind not in TIMED)
                turn = inside and step.kind == Kind.YIELD
                if not ((here or turn) and hit):
                    yield step

        return rewritten(workload, change)


@dataclass(frozen=True)
class Merged:
    """Many statements of a request become one.

    All between the first and the last of them that is done on the loop is done once, too: what a
    statement costs the driver and the ORM. Each row more costs `row_share` of that, and takes
    `row_ns` in the database. With `row_share` and `row_ns` of 0, repeats are dropped.
    """

    where: Where
    statement: frozenset[int]
    row_ns: float = 0.0
    row_share: float = 0.0

    def apply(self, workload: Workload) -> Workload:
        return rewritten(workload, self._merge)

    def _merge(self, steps: Steps) -> Iterable[Step]:
        mine = [i for i, here in enumerate(matched(steps, self.where)) if here]
        starts = self._statements(steps, mine)
        if len(starts) < 2:
            return steps
        first, second, last = starts[0], starts[1], mine[-1]
        more = len(starts) - 1
        result = list(steps[:second])
        for i in range(first, second):
            if steps[i].kind == Kind.WAIT and steps[i] in self.where:
                result[i] = steps[i]._replace(ns=round(steps[i].ns + more * self.row_ns))
                break
        for step in steps[second : last + 1]:
            if step.kind in ON_LOOP and self.row_share:
                result.append(step._replace(ns=round(step.ns * self.row_share)))
            elif step.kind == Kind.YIELD or step.kind in ON_LOOP:
                pass  # it came with the statement
            elif step not in self.where:
                result.append(step)  # a mark, or a wait for something else
        return [*result, *steps[last + 1 :]]

    def _statements(self, steps: Steps, mine: Sequence[int]) -> list[int]:
        """Return where each statement begins: a wait in the database after work of the app."""
        found: list[int] = []
        previous = -2
        for i in mine:
            step = steps[i]
            if step.activity in self.statement and step.kind in (Kind.WAIT, Kind.BLOCKED):
                worked = any(
                    between.kind in ON_LOOP and between.activity not in self.statement
                    for between in steps[previous + 1 : i]
                )
                if previous < 0 or worked:
                    found.append(i)
                previous = i
        return found


@dataclass(frozen=True)
class Together:
    """What was awaited one after another is started at once.

    Attributes:
        parts: one `Where` for each of the awaits, in order.
    """

    parts: tuple[Where, ...]

    def apply(self, workload: Workload) -> Workload:
        return rewritten(workload, self._parallel)

    def _parallel(self, steps: Steps) -> Iterable[Step]:
        member = [next((n for n, part in enumerate(self.parts) if s in part), -1) for s in steps]
        known = [i for i, n in enumerate(member) if n >= 0]
        if len({member[i] for i in known}) < 2:
            return steps
        first, last = known[0], known[-1]
        if any(
            step.kind in (Kind.TAKE, Kind.GIVE, Kind.ANSWER) for step in steps[first : last + 1]
        ):
            return steps  # what is held in between says in which order they must come
        children: dict[int, list[Step]] = {}
        current = member[first]
        for i in range(first, last + 1):
            current = member[i] if member[i] >= 0 else current
            children.setdefault(current, []).append(steps[i])
        forks = sum(step.kind == Kind.FORK for step in steps[:first])
        return [
            *steps[:first],
            *(Step(Kind.FORK, inner=tuple(inner)) for inner in children.values()),
            *(Step(Kind.JOIN, ref=forks + n) for n in range(len(children))),
            *(
                step._replace(ref=step.ref + len(children)) if step.kind == Kind.JOIN else step
                for step in steps[last + 1 :]
            ),
        ]


@dataclass(frozen=True)
class InBackground:
    """What is done there is done after the answer."""

    where: Where

    def apply(self, workload: Workload) -> Workload:
        def change(steps: Steps) -> Iterable[Step]:
            answer = next((i for i, step in enumerate(steps) if step.kind == Kind.ANSWER), -1)
            mine = matched(steps, self.where)
            moved = [
                step for step, here in zip(steps[: max(0, answer)], mine, strict=False) if here
            ]
            if not moved:
                return steps
            kept = [step for step, here in zip(steps[:answer], mine, strict=False) if not here]
            return [*kept, steps[answer], Step(Kind.YIELD), *moved, *steps[answer + 1 :]]

        return rewritten(workload, change)


@dataclass(frozen=True)
class Batched:
    """Work of several requests is done at once, for the price of one and a little more.

    Attributes:
        size, window_ns: how many wait for each other, and how long at most.
        each_share: what each more in a batch costs, as a share of one alone.
    """

    where: Where
    name: str
    size: int
    window_ns: int
    each_share: float = 0.1

    def apply(self, workload: Workload) -> Workload:
        number = len(workload.batches)
        spec = BatchSpec(self.name, self.size, self.window_ns)
        workload = replace(workload, batches=(*workload.batches, spec))
        share = (1 + self.each_share * (self.size - 1)) / self.size

        def change(steps: Steps) -> Iterator[Step]:
            inside = False
            for step in steps:
                here = step in self.where
                if here and not inside:
                    yield Step(Kind.GATHER, ref=number)
                inside = here
                yield step._replace(ns=round(step.ns * share)) if here else step

        return rewritten(workload, change)


# --- What is held --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Resized:
    """A pool, a thread limiter or a semaphore has another number of places."""

    pool: str
    size: int

    def apply(self, workload: Workload) -> Workload:
        pools = tuple(
            replace(pool, size=self.size) if pool.name == self.pool else pool
            for pool in workload.pools
        )
        return replace(workload, pools=pools)


@dataclass(frozen=True)
class ReleasedMeanwhile:
    """A place of a pool is given back before a wait that needs none.

    It is taken again afterwards only if one of `needs` follows.

    Attributes:
        pools: kinds of pools that are meant.
        needs: activities that need a place; `closing` resources (commit, rollback) excepted.
    """

    where: Where
    pools: frozenset[str]
    needs: frozenset[int]
    closing: frozenset[int] = field(default_factory=frozenset)

    def apply(self, workload: Workload) -> Workload:
        numbers = {i for i, pool in enumerate(workload.pools) if pool.kind in self.pools}
        return rewritten(workload, lambda steps: self._released(steps, numbers))

    def _released(self, steps: Steps, pools: set[int]) -> Iterable[Step]:
        result = list(steps)
        for at, step in enumerate(steps):
            if step.kind == Kind.TAKE and step.ref in pools:
                until = _given_back(steps, at)
                inside = [i for i in range(at, until) if steps[i] in self.where]
                if inside:
                    return self._split(result, at, inside[0], inside[-1], until)
        return result

    def _split(
        self, steps: list[Step], take: int, first: int, last: int, give: int
    ) -> Iterable[Step]:
        taken = steps[take]
        given = Step(Kind.GIVE, ref=taken.ref)
        before = steps[take + 1 : first]
        middle = steps[first : last + 1]
        after = steps[last + 1 : give]
        end = steps[give + 1 :]
        closing = [step for step in after if step.resource in self.closing]
        if any(self._needs(step) for step in after):
            return [*steps[:take], taken, *before, given, *middle, taken, *after, given, *end]
        rest = [step for step in after if step.resource not in self.closing]
        return [*steps[:take], taken, *before, *closing, given, *middle, *rest, *end]

    def _needs(self, step: Step) -> bool:
        return step.activity in self.needs and step.resource not in self.closing


def _given_back(steps: Sequence[Step], take: int) -> int:
    depth = 0
    for i in range(take, len(steps)):
        if steps[i].ref == steps[take].ref:
            depth += (steps[i].kind == Kind.TAKE) - (steps[i].kind == Kind.GIVE)
            if not depth:
                return i
    return len(steps) - 1


# --- How much of it there is ---------------------------------------------------------------------


@dataclass(frozen=True)
class Workers:
    """Another number of processes."""

    count: int

    def apply(self, workload: Workload) -> Workload:
        return replace(workload, workers=self.count)


@dataclass(frozen=True)
class Users:
    """Another number of users, each thinking as long as before."""

    count: int

    def apply(self, workload: Workload) -> Workload:
        return replace(workload, load=replace(workload.load, users=self.count))


@dataclass(frozen=True)
class Rate:
    """So many requests a second, whether or not earlier ones are answered."""

    per_s: float

    def apply(self, workload: Workload) -> Workload:
        load = replace(workload.load, users=0, think_ns=0.0, rate=self.per_s, paced=False)
        return replace(workload, load=load)


@dataclass(frozen=True)
class Replicas:
    """So many machines like this one behind a balancer; one is simulated with its share.

    What all share (stations with a capacity) has the same share for each, which is right where
    many send independently of each other.
    """

    count: int

    def apply(self, workload: Workload) -> Workload:
        stations = tuple(
            replace(station, capacity=station.capacity / self.count)
            for station in workload.stations
        )
        load = workload.load
        load = replace(load, rate=load.rate / self.count, users=-(-load.users // self.count))
        return replace(workload, stations=stations, load=load)


def rewritten(workload: Workload, change: Callable[[Steps], Iterable[Step]]) -> Workload:
    """Return a workload with a change made to all steps, also to those that run beside."""

    def steps_of(steps: Steps) -> Steps:
        inner = tuple(
            step._replace(inner=steps_of(step.inner)) if step.inner else step for step in steps
        )
        return tuple(change(inner))

    def of(behaviour: Behaviour) -> Steps:
        return steps_of(behaviour.steps)

    return workload.mapped(of)
