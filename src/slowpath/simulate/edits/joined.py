"""Edits that do at once what was done one after another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from slowpath.simulate.edits.base import matched, rewritten
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
