"""What an edit is, and how edits compose."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Protocol

from slowpath.simulate.workload import (
    GC,
    ON_LOOP,
    TIMED,
    Behaviour,
    Kind,
    Step,
    Steps,
    Where,
    Workload,
)


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


def with_less_garbage(after: Workload, before: Workload) -> Workload:
    """Return an edited workload with no more than its share of the collections.

    Garbage is collected as often as there is some, in the middle of anything: with work that is
    gone goes its share of all collections.
    """
    had, collected = _computed_ns(before)
    has, collects = _computed_ns(after)
    most = collected * has / had if had else 0.0
    if collects <= most:
        return after
    share = most / collects

    def less(steps: Steps) -> Steps:
        return tuple(
            step._replace(ns=round(step.ns * share))
            if _is_collection(step)
            else step._replace(inner=less(step.inner))
            if step.inner
            else step
            for step in steps
        )

    return after.mapped(lambda one: less(one.steps) if one.computed_ns[1] else one.steps)


def _computed_ns(workload: Workload) -> tuple[int, int]:
    """Return what all requests compute on the loop, and what they collect there, ns."""
    each = [behaviour.computed_ns for behaviour in workload.behaviours]
    return sum(computed for computed, _ in each), sum(collected for _, collected in each)


def _is_collection(step: Step) -> bool:
    return step.activity == GC and step.kind == Kind.LOOP
