"""Edits that do at once what was done one after another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from slowpath.simulate.edits.base import matched, rewritten, with_less_garbage
from slowpath.simulate.system import BatchSpec
from slowpath.simulate.workload import (
    ON_LOOP,
    Kind,
    Step,
    Steps,
    Where,
    Workload,
)


@dataclass(frozen=True)
class Merged:
    """Many statements of a request become one.

    All between the first and the last of them that is done on the loop is done once, too: what a
    statement costs the driver and the ORM. With `row_ns`, `row_cpu_ns` of 0, repeats are dropped.

    Attributes:
        statement: activities that are a statement's.
        row_ns: what a statement that is brought along takes in the database instead.
        row_cpu_ns: what its rows take on the loop.
        into_parent: where the request has sent another statement before, that one brings all
            along (a join), and none of them remains.
    """

    where: Where
    statement: frozenset[int]
    row_ns: float = 0.0
    row_cpu_ns: float = 0.0
    into_parent: bool = False

    def apply(self, workload: Workload) -> Workload:
        return with_less_garbage(rewritten(workload, self._merge), workload)

    def _merge(self, steps: Steps) -> Iterable[Step]:
        mine = [i for i, here in enumerate(matched(steps, self.where)) if here]
        starts = self._statements(steps, mine)
        if len(starts) < 2:
            return steps
        parent = self._parent(steps[: starts[0]]) if self.into_parent else -1
        first = starts[0] if parent >= 0 else starts[1]
        more = len(starts) - (parent < 0)
        result = list(steps[:first])
        carrier = parent if parent >= 0 else starts[0]
        taken = result[carrier].ns + more * self.row_ns
        result[carrier] = result[carrier]._replace(ns=round(taken))
        if self.row_cpu_ns:
            result.append(Step(Kind.LOOP, round(more * self.row_cpu_ns)))
        for step in steps[first : mine[-1] + 1]:
            came_with_it = step.kind == Kind.YIELD or step.kind in ON_LOOP
            if not came_with_it and step not in self.where:
                result.append(step)  # a mark, or a wait for something else
        rest = list(steps[mine[-1] + 1 :])
        if parent >= 0:
            left = self._typical_ns(steps, starts) - _on_loop_ns(steps[starts[-1] : mine[-1] + 1])
            result, left = _without(result, left // 2, back=True), left - left // 2
            rest = _without(rest, left)
        return [*result, *rest]

    def _parent(self, before: Steps) -> int:
        """Return the last wait of another statement; -1 if there is none."""
        for i in range(len(before) - 1, -1, -1):
            if before[i].kind == Kind.WAIT and before[i].activity in self.statement:
                return i
        return -1

    @staticmethod
    def _typical_ns(steps: Steps, starts: Sequence[int]) -> int:
        """Return what a statement costs the loop, before it is sent and when it is back."""
        costs = [_on_loop_ns(steps[begin:end]) for begin, end in pairwise(starts)]
        return sorted(costs)[len(costs) // 2]

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


def _on_loop_ns(steps: Iterable[Step]) -> int:
    return sum(step.ns for step in steps if step.kind in ON_LOOP)


def _without(steps: list[Step], ns: int, back: bool = False) -> list[Step]:
    """Take up to so much from the work at the beginning, or from the `back`."""
    steps = list(reversed(steps)) if back else list(steps)
    for i, step in enumerate(steps):
        if step.kind == Kind.WAIT or ns <= 0:
            break
        if step.kind in ON_LOOP and step.code:
            less = min(step.ns, ns)
            steps[i] = step._replace(ns=step.ns - less)
            ns -= less
    return list(reversed(steps)) if back else steps


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
