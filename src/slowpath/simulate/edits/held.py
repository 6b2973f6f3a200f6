"""Edits of what is held: places of pools."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from slowpath.simulate.edits.base import rewritten
from slowpath.simulate.workload import (
    Kind,
    Step,
    Steps,
    Where,
    Workload,
)


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
