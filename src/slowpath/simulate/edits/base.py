"""What an edit is, and how edits compose."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Protocol

from slowpath.ledger import ACTIVITIES
from slowpath.simulate.workload import (
    ON_LOOP,
    TIMED,
    Behaviour,
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
