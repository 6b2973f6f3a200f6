"""What each process of a team works out of the call graph for all of them.

Calls are resolved by whoever has the file; what they lead to in files of others is asked of those
in the next round.
"""

from __future__ import annotations

import marshal
from collections.abc import Sequence

from slowpath.program.graph import Graph
from slowpath.program.index import Index
from slowpath.program.model import Module
from slowpath.program.packing import Packing
from slowpath.program.team import Seat

# After so many rounds whoever still wants to know something works it out alone.
_ROUNDS = 5


def divide(files: Sequence[Module], size: int) -> list[list[Module]]:
    """Neighbours stay together, since they call each other; by lines in equal parts."""
    parts: list[list[Module]] = [[] for _ in range(size)]
    total = sum(each.lines for each in files) or 1
    before = 0
    for each in files:
        parts[min(size * before // total, size - 1)].append(each)
        before += each.lines
    return parts


def prepare(graph: Graph, packing: Packing, seat: Seat, mine: Sequence[Module]) -> None:
    """Work out the graph of one's own files, and take from others what is known of theirs."""
    _share(seat, mine, graph.first_indexes())
    here = frozenset(mine)
    wanted = [each for each in graph.starts() if each.module in here]
    seen = set(wanted)
    for _ in range(_ROUNDS):
        asked: set[str] = set()
        known = {}
        while wanted:
            function = wanted.pop()
            edges = graph.edges(function)
            known[packing.key(function)] = packing.pack(function)
            for edge in edges:
                target = edge.target
                if target is None or target in seen:
                    continue
                seen.add(target)
                if target.module in here:
                    wanted.append(target)
                elif target.module not in graph.program.libraries:
                    asked.add(packing.key(target))
        everything = [marshal.loads(each) for each in seat.share(marshal.dumps((known, asked)))]
        for number, (theirs, _) in enumerate(everything):
            if number != seat.number:
                for key, packed in theirs.items():
                    packing.packed[key] = packed
        if not any(questions for _, questions in everything):
            break
        for _, questions in everything:
            for each in sorted(questions):
                function = graph.program.function_of(each)
                if function.module in here and function not in seen:
                    seen.add(function)
                    wanted.append(function)
    _share(seat, mine, graph.later_indexes())


def _share(seat: Seat, mine: Sequence[Module], indexes: Sequence[Index]) -> None:
    given = [{module.path: index.of(module) for module in mine} for index in indexes]
    for other in seat.share(marshal.dumps(given)):
        for index, theirs in zip(indexes, marshal.loads(other), strict=True):
            index.kept.update(theirs)
