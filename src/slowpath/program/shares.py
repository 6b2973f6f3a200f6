"""What each process of a team works out of the call graph for all of them.

Calls are resolved by whoever has the file; what they lead to in files of others is asked of those
in the next round.
"""

from __future__ import annotations

import marshal
from collections.abc import Sequence
from dataclasses import astuple
from functools import partial
from typing import Any

from slowpath.program.calls import Edge
from slowpath.program.extract import DEFERRED
from slowpath.program.graph import Graph
from slowpath.program.index import Index
from slowpath.program.knowledge import Primitive
from slowpath.program.model import Call, Function, Module
from slowpath.program.team import Seat

# After so many rounds whoever still wants to know something works it out alone.
_ROUNDS = 5

Packed = Any


def divide(files: Sequence[Module], size: int) -> list[list[Module]]:
    """Neighbours stay together, since they call each other; by lines in equal parts."""
    parts: list[list[Module]] = [[] for _ in range(size)]
    total = sum(each.lines for each in files) or 1
    before = 0
    for each in files:
        parts[min(size * before // total, size - 1)].append(each)
        before += each.lines
    return parts


def prepare(graph: Graph, seat: Seat, mine: Sequence[Module]) -> None:
    """Work out the graph of one's own files, and take from others what is known of theirs."""
    _share(seat, mine, graph.first_indexes())
    packing = Packing(graph)
    here = frozenset(mine)
    wanted = [each for each in graph.starts() if each.module in here]
    seen = set(wanted)
    for _ in range(_ROUNDS):
        asked: set[int] = set()
        known = {}
        while wanted:
            function = wanted.pop()
            edges = graph.edges(function)
            known[packing.number[function]] = packing.pack(function)
            for edge in edges:
                target = edge.target
                if target is None or target in seen:
                    continue
                seen.add(target)
                if target.module in here:
                    wanted.append(target)
                elif target.module not in graph.program.libraries:
                    asked.add(packing.number[target])
        everything = [marshal.loads(each) for each in seat.share(marshal.dumps((known, asked)))]
        for number, (theirs, _) in enumerate(everything):
            if number != seat.number:
                for key, packed in theirs.items():
                    function = packing.functions[key]
                    graph.take(function, partial(packing.unpack, function, packed))
        if not any(questions for _, questions in everything):
            break
        for _, questions in everything:
            for each in sorted(questions):
                function = packing.functions[each]
                if function.module in here and function not in seen:
                    seen.add(function)
                    wanted.append(function)
    _share(seat, mine, graph.later_indexes())


def _share(seat: Seat, mine: Sequence[Module], indexes: Sequence[Index]) -> None:
    given = [{module.path: index.of(module) for module in mine} for index in indexes]
    for other in seat.share(marshal.dumps(given)):
        for index, theirs in zip(indexes, marshal.loads(other), strict=True):
            index.kept.update(theirs)


class Packing:
    """Edges as plain tuples; functions are numbers, which every process of a team counts alike."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self.functions = [
            function
            for module in graph.program.by_path.values()
            for function in (module.body, *module.functions.values())
        ]
        self.number = {function: number for number, function in enumerate(self.functions)}
        self._primitives: dict[Packed, Primitive] = {}

    def pack(self, function: Function) -> Packed:
        number = self.number
        rows = [
            (
                edge.site,
                number[edge.target] if edge.target is not None else -1,
                astuple(edge.primitive) if edge.primitive is not None else None,
                edge.dotted,
                edge.confidence,
            )
            for edge in self._graph.edges(function)
        ]
        calls = function.body.calls
        added = [calls[site] for site, _ in function.memo.get("implied", ())]
        return tuple(rows), tuple([(call.func, call.line, call.block) for call in added])

    def unpack(self, function: Function, packed: Packed) -> list[Edge]:
        rows, added = packed
        if added:
            function.body.calls.extend(
                [Call(func, line, line, DEFERRED, block, (), ()) for func, line, block in added]
            )
        functions = self.functions
        return [
            Edge(
                site,
                functions[target] if target >= 0 else None,
                self._primitive(primitive) if primitive is not None else None,
                dotted,
                confidence,
            )
            for site, target, primitive, dotted, confidence in rows
        ]

    def _primitive(self, packed: Packed) -> Primitive:
        found = self._primitives.get(packed)
        if found is None:
            found = self._primitives[packed] = Primitive(*packed)
        return found
