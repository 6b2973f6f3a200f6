"""Edits of where time is spent: elsewhere, less of it, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from slowpath.ledger import ACTIVITIES
from slowpath.simulate.edits.base import matched, rewritten, with_less_garbage
from slowpath.simulate.workload import (
    ON_LOOP,
    SUSPENDS,
    TIMED,
    Kind,
    Pool,
    Step,
    Steps,
    Where,
    Workload,
)

#: What a client computes is charged as one of these: nothing else is known of it.
CALLING = frozenset(ACTIVITIES[name] for name in ("loop", "handler", "connect"))


@dataclass(frozen=True)
class Overlapped:
    """What blocked the loop becomes a wait in which others run: an async twin of the call.

    Attributes:
        call_ns: what the twin computes on the loop for each call; all that the line does in a
            row is one call. What the loop did around it in the same slice was the plain call's
            own, such as making the request, and counts towards it.
    """

    where: Where
    call_ns: int = 0

    def apply(self, workload: Workload) -> Workload:
        sites = {key[0] for key in self.where.keys}

        def change(steps: Steps) -> Iterator[Step]:
            inside = False
            for i, step in enumerate(steps):
                here = step.kind == Kind.BLOCKED and step in self.where
                if here and not inside and self.call_ns:
                    around = self._around(steps, i)
                    if around < self.call_ns:
                        yield Step(Kind.LOOP, self.call_ns - around)
                inside = here or (inside and (step.kind not in TIMED or step.site in sites))
                yield step._replace(kind=Kind.WAIT, ref=-1) if here else step

        return rewritten(workload, change)

    def _around(self, steps: Steps, at: int) -> int:
        """Return what was computed around a call, ns."""
        found = 0
        for part in (reversed(steps[:at]), steps[at:]):
            for step in part:
                if step.kind == Kind.LOOP and step.activity in CALLING:
                    found += step.ns
                elif not (step.kind == Kind.BLOCKED and step in self.where):
                    break
        return found


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
        amid: only in slices in which this is done, too.
    """

    where: Where
    factor: float
    at_most_ns: int = 0
    amid: Where | None = None

    def apply(self, workload: Workload) -> Workload:
        def change(steps: Steps) -> Iterator[Step]:
            left_out = False
            meant = matched(steps, self.where)
            if self.amid is not None:
                meant = _amid(steps, meant, self.amid)
            for step, mine in zip(steps, meant, strict=True):
                if not mine:
                    left_out = left_out and step.kind not in TIMED
                    if not (left_out and step.kind == Kind.YIELD):
                        yield step
                elif self.factor <= 0:
                    left_out = True  # and so are the loop's turns after it
                else:
                    yield step._replace(ns=self._scaled(step))

        return with_less_garbage(rewritten(workload, change), workload)

    def _scaled(self, step: Step) -> int:
        ns = step.ns * max(0.0, self.factor)
        return round(min(ns, self.at_most_ns) if self.at_most_ns else ns)


def _amid(steps: Steps, meant: list[bool], where: Where) -> list[bool]:
    """Return of what is meant only what is in one slice with a step of `where`."""
    kept: list[bool] = []
    begin, found = 0, False
    for i, step in enumerate(steps):
        if step.kind in SUSPENDS:
            kept += [mine and found for mine in meant[begin:i]]
            begin, found = i, False
        found = found or step in where
    return kept + [mine and found for mine in meant[begin:]]


@dataclass(frozen=True)
class Relieved:
    """What is done there no longer waits for others who are gone.

    Attributes:
        alone_ns: what each resource takes when alone; those that are not named stay.
        share: how much of the others is gone: of what each takes more than alone, so much goes.
    """

    where: Where
    alone_ns: Mapping[int, int]
    share: float

    def apply(self, workload: Workload) -> Workload:
        def change(steps: Steps) -> Iterator[Step]:
            for step in steps:
                alone = self.alone_ns.get(step.resource, step.ns)
                if step.kind == Kind.WAIT and step.ns > alone and step in self.where:
                    yield step._replace(ns=round(step.ns - (step.ns - alone) * self.share))
                else:
                    yield step

        return rewritten(workload, change)


@dataclass(frozen=True)
class Cached:
    """A share of the calls is answered from memory, at once.

    Attributes:
        hits: how many of all calls, 0 to 1; dealt out evenly.
        around: what the caller computes right before and after a call on account of it, as a
            share of what the call itself computes; it goes with it.
        along: what is a part of a call if it comes amid it, such as the making of a connection.
    """

    where: Where
    hits: float
    around: float = 0.0
    along: Where = Where(frozenset())

    def apply(self, workload: Workload) -> Workload:
        calls = 0

        def hit() -> bool:
            nonlocal calls
            calls += 1
            return int(calls * self.hits) > int((calls - 1) * self.hits)

        return rewritten(workload, lambda steps: self._answered(steps, hit))

    def _answered(self, steps: Steps, hit: Callable[[], bool]) -> Iterable[Step]:
        kept: list[Step] = []
        inside = gone = False
        left = 0.0  # of the work around the call under way that is still to go
        for step, here in zip(steps, matched(steps, self.where), strict=True):
            if here and not inside:
                gone = hit()
            here = here or (inside and step in self.along)
            # Marks and turns of the loop part nothing.
            inside = here or (inside and step.kind not in TIMED)
            if gone and here and step.kind in ON_LOOP:
                left += step.ns * self.around
            if gone and (here or (inside and step.kind == Kind.YIELD)):
                continue
            if left and not inside:
                # Half of it came before the call, the rest comes now.
                _shorten(kept, len(kept) - 1, left / 2)
                kept.append(step)
                _shorten(kept, len(kept) - 1, left / 2)
                left = 0.0
            else:
                kept.append(step)
        return kept


def _shorten(steps: list[Step], at: int, ns: float) -> None:
    """Take up to so much from a step, if it computes."""
    while at >= 0 and steps[at].kind not in TIMED:
        at -= 1
    if at >= 0 and steps[at].kind == Kind.LOOP:
        steps[at] = steps[at]._replace(ns=max(0, round(steps[at].ns - ns)))


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
