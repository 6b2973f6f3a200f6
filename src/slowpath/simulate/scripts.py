"""From the steps of behaviours to the scripts that the engine runs, each when it is first drawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

from slowpath.simulate.engine import Op, Script
from slowpath.simulate.parts import NEVER_NS
from slowpath.simulate.warmth import TURN
from slowpath.simulate.workload import Kind, Step, Workload

Operation = tuple[int, Any, Any]

# Looking up a member of an enumeration takes longer than all else that is done for a step.
_LOOP, _BLOCKED, _WAIT, _YIELD = map(int, (Kind.LOOP, Kind.BLOCKED, Kind.WAIT, Kind.YIELD))
_THREAD, _FREE, _FORK, _GATHER = map(int, (Kind.THREAD, Kind.FREE, Kind.FORK, Kind.GATHER))
_PLAIN = {
    int(kind): int(op)
    for kind, op in (
        (Kind.TAKE, Op.TAKE),
        (Kind.GIVE, Op.GIVE),
        (Kind.JOIN, Op.JOIN),
        (Kind.ANSWER, Op.ANSWER),
    )
}
_OP_WORK, _OP_HOLD, _OP_WAIT, _OP_BURN = map(int, (Op.WORK, Op.HOLD, Op.WAIT, Op.BURN))
_OP_FORK, _OP_GATHER = map(int, (Op.FORK, Op.GATHER))
_OP_LEAVE: Operation = (int(Op.LEAVE), 0, 0)


class Scripts:
    """The behaviours of a workload as the engine runs them, by position.

    A simulation draws some of the behaviours, and an edit changes some: a script is compiled when
    it is asked for, and what an edit has left as it was is not compiled again.

    Args:
        like: the scripts of the workload that this one was edited from.
    """

    def __init__(self, workload: Workload, like: Scripts | None = None) -> None:
        self.workload = workload
        # An odd stride deals all turns out evenly, in an order that repeats late.
        self._turns = Random(0).choices(workload.turns_ns, k=997)
        #: From what on a wait takes a place of each station for all its time, and how long before.
        self._needs = [
            (s.least_ns if s.capacity > 0 else NEVER_NS, s.short_ns) for s in workload.stations
        ]
        self._made: dict[int, Script] = {}
        if like is not None and (like._turns, like._needs) == (self._turns, self._needs):
            before = like.workload.behaviours
            self._like: Scripts | None = like if len(before) == len(workload.behaviours) else None
        else:
            self._like = None

    def __getitem__(self, number: int) -> Script:
        found = self._made.get(number)
        if found is None:
            steps = self.workload.behaviours[number].steps
            like = self._like
            if like is not None and like.workload.behaviours[number].steps is steps:
                found = like[number]
            else:
                found = tuple(self._compiled(steps, cycle_from(self._turns, number)))
            self._made[number] = found
        return found

    def _parted(self, step: Step) -> tuple[int, int]:
        """Return for how long a wait needs no place at its station, and for how long it does."""
        if step.ref < 0:
            return step.ns, 0
        least, short = self._needs[step.ref]
        shared = step.ns if step.ns >= least else min(short, step.ns)
        return step.ns - shared, shared

    def _compiled(self, steps: Iterable[Step], turns: Iterator[int]) -> list[Operation]:
        # A request is taken in by the loop; its task begins a turn later.
        made: list[Operation] = [(_OP_WORK, next(turns), TURN), _OP_LEAVE]
        add = made.append
        held = code = 0  # work of the slice under way that is not yet added
        for step in steps:
            kind = step.kind
            if kind == _LOOP:
                if held and bool(code) != bool(step.code):
                    add((_OP_WORK, held, code))
                    held = 0
                code = code if held else step.code
                held += step.ns
                continue
            if held:
                add((_OP_WORK, held, code))
                held = 0
            if kind == _YIELD:
                add(_OP_LEAVE)
                add((_OP_WORK, next(turns), TURN))
            elif kind == _WAIT:
                alone, shared = self._parted(step)
                if alone or not shared:
                    add((_OP_WAIT, alone, -1))
                if shared:
                    add((_OP_WAIT, shared, step.ref))
                # The answer is taken in by the loop; the task goes on a turn later.
                add((_OP_WORK, next(turns), TURN))
                add(_OP_LEAVE)
            elif kind == _BLOCKED:
                add((_OP_HOLD, step.ns, 0))
            elif kind in (_THREAD, _FREE):
                add((_OP_BURN, step.ns, int(kind == _THREAD)))
            elif kind == _FORK:
                add((_OP_FORK, tuple(self._compiled(step.inner, turns)), 0))
            elif kind == _GATHER:
                add((_OP_GATHER, 0, step.ref))
            else:
                add((_PLAIN[kind], step.ref, 0))
        if held:
            add((_OP_WORK, held, code))
        return made


def cycle_from(values: list[int], start: int) -> Iterator[int]:
    """Yield the values again and again, each caller from another place on."""
    at = start * 31
    while True:
        yield values[at % len(values)]
        at += 1
