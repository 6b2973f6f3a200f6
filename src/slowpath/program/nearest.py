"""The nearest primitives beneath each function, along calls that do not leave the thread."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from slowpath.program.calls import Edge
from slowpath.program.knowledge import Primitive
from slowpath.program.model import Function

# Beyond a function's own primitives so many are remembered in all: heavy ones, and as many of
# those that count only from near, which must not crowd the others out.
_MAX_REACHED = 8
# Nobody calls on from a coroutine function, so that remembering more there costs little; a
# function that hands requests to dozens of handlers reaches that many.
_MAX_FROM_LOOP = 32


Step = tuple[Function, int]


class Reached(NamedTuple):
    """A primitive beneath a function: the calls that lead there, the last one being its own."""

    hops: tuple[Step, ...]
    primitive: Primitive
    confidence: int


def find_nearest(
    function: Function,
    edges: Callable[[Function], Sequence[Edge]],
    known: dict[Function, tuple[Reached, ...]],
) -> None:
    """Add to `known` what lies beneath a function, and beneath all that it leads to.

    Primitives are handed from the called to their callers, one call further in each round, so
    that circles of calls and the order of the questions change nothing.
    """
    callers: dict[Function, list[tuple[Function, Edge]]] = defaultdict(list)
    found: dict[Function, list[Reached]] = {}
    rounds: dict[int, dict[Function, list[Reached]]] = defaultdict(lambda: defaultdict(list))
    todo = [function]
    while todo:
        caller = todo.pop()
        if caller in found:
            continue
        found[caller] = []
        own: dict[Step, Reached] = {}
        for edge in edges(caller):
            step = (caller, edge.site)
            if edge.primitive is not None:
                own.setdefault(step, Reached((step,), edge.primitive, edge.confidence))
            elif edge.target is not None and not edge.target.runs_async:
                if edge.target in known:
                    for each in known[edge.target]:
                        rounds[len(each.hops) + 1][caller].append(_above(caller, edge, each))
                else:
                    callers[edge.target].append((caller, edge))
                    todo.append(edge.target)
        if own:
            rounds[1][caller].extend(own.values())
    number = 0
    while rounds:
        number += 1
        for here, candidates in rounds.pop(number, {}).items():
            room = _MAX_FROM_LOOP if here.runs_async else _MAX_REACHED
            for reached in _accepted(found[here], candidates, number, room):
                found[here].append(reached)
                for caller, edge in callers[here]:
                    rounds[number + 1][caller].append(_above(caller, edge, reached))
    known.update((each, tuple(reached)) for each, reached in found.items())


def _above(caller: Function, edge: Edge, beneath: Reached) -> Reached:
    hops = ((caller, edge.site), *beneath.hops)
    return Reached(hops, beneath.primitive, min(edge.confidence, beneath.confidence))


def _accepted(
    found: list[Reached], candidates: list[Reached], number: int, room: int
) -> list[Reached]:
    """Those of a round that are new places, surest first, while there is room."""
    if number == 1:
        return candidates
    heavy = sum(each.primitive.weight == "heavy" for each in found)
    left = {True: room - heavy, False: room - (len(found) - heavy)}
    if left[True] <= 0 and left[False] <= 0:
        return []
    if len(candidates) > 1:
        candidates.sort(key=_order)
    seen = {each.hops[-1] for each in found}
    accepted: list[Reached] = []
    for each in candidates:
        kind = each.primitive.weight == "heavy"
        if left[kind] > 0 and each.hops[-1] not in seen:
            seen.add(each.hops[-1])
            accepted.append(each)
            left[kind] -= 1
    return accepted


def _order(reached: Reached) -> tuple[int, list[tuple[int, str, str]]]:
    way = [(site, function.module.path, function.qual) for function, site in reached.hops]
    return -reached.confidence, way
