"""Edges as plain tuples, for another process or another scan; functions are known by their keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple
from typing import Any

from slowpath.program.calls import Edge
from slowpath.program.extract import DEFERRED
from slowpath.program.graph import Graph
from slowpath.program.knowledge import Primitive
from slowpath.program.model import Call, Function
from slowpath.program.reader import at_work
from slowpath.program.resolve import Program
from slowpath.program.waits import Io, Local
from slowpath.program.ways import Origin

Packed = Any


class PackedOrigins(Mapping[Function, Origin]):
    """How the loop, or a thread, comes to functions, which are found when they are asked for."""

    def __init__(self, packed: Packed, program: Program) -> None:
        self._packed = packed
        self._program = program

    def __contains__(self, function: object) -> bool:
        return isinstance(function, Function) and function.key in self._packed

    def __getitem__(self, function: Function) -> Origin:
        origin = self._packed[function.key]
        if isinstance(origin, str):
            return origin
        return self._program.function_of(origin[0]), origin[1]

    def __iter__(self) -> Iterator[Function]:
        return map(self._program.function_of, self._packed)

    def __len__(self) -> int:
        return len(self._packed)


class Packing:
    """Packs and unpacks for one graph.

    Attributes:
        packed: what has been packed, here or elsewhere, by key.
        given: gives what was packed elsewhere.
    """

    def __init__(self, graph: Graph) -> None:
        self.packed: dict[str, Packed] = {}
        self.given: Callable[[str], Packed] = self.packed.get
        graph.known = self.unpack
        graph.known_waits = self.unpack_waits
        self._graph = graph
        self._keys: dict[Function, str] = {}
        self._primitives: dict[Packed, Primitive] = {}
        self._io: dict[Packed, Io] = {}

    def key(self, function: Function) -> str:
        """The function's key; always the same object, so that it is written once."""
        found = self._keys.get(function)
        if found is None:
            found = self._keys[function] = function.key
        return found

    def pack(self, function: Function) -> Packed:
        """The edges of a function, and the calls that were added to its body for them."""
        rows = [
            (
                edge.site,
                self.key(edge.target) if edge.target is not None else "",
                astuple(edge.primitive) if edge.primitive is not None else None,
                edge.dotted,
                edge.confidence,
            )
            for edge in self._graph.edges(function)
        ]
        calls = function.body.calls
        added = [calls[site] for site, _ in function.memo.get("implied", ())]
        found = tuple(rows), tuple([(call.func, call.line, call.block) for call in added])
        self.packed[self.key(function)] = found
        return found

    def unpack(self, function: Function) -> list[Edge] | None:
        """The edges of a function, if they were packed elsewhere."""
        packed = self.given(self.key(function))
        if packed is None:
            return None
        self.packed[self.key(function)] = packed
        rows, added = packed[:2]
        if added:
            with at_work(function.module):
                function.body.calls.extend(
                    [Call(func, line, line, DEFERRED, block, (), ()) for func, line, block in added]
                )
        find = self._graph.program.function_of
        return [
            Edge(
                site,
                find(target) if target else None,
                self._primitive(primitive) if primitive is not None else None,
                dotted,
                confidence,
            )
            for site, target, primitive, dotted, confidence in rows
        ]

    def pack_waits(self, function: Function) -> Packed:
        """What a function waits for by itself, if anybody wanted to know; else None."""
        local = self._graph.known_local(function)
        if local is None:
            return None
        key = self.key
        return (
            tuple(sorted(local.own)),
            tuple(map(key, local.targets)),
            tuple([(tuple(map(key, targets)), kind) for targets, kind in local.doubtful]),
        )

    def unpack_waits(self, function: Function) -> Local | None:
        """What a function waits for by itself, if that was packed elsewhere."""
        packed = self.given(self.key(function))
        if packed is None or len(packed) < 3 or packed[2] is None:
            return None
        own, targets, doubtful = packed[2]
        find = self._graph.program.function_of
        return Local(
            frozenset(own),
            tuple(map(find, targets)),
            tuple((tuple(map(find, keys)), kind) for keys, kind in doubtful),
        )

    def pack_io(self, function: Function) -> Packed:
        """What is waited for beneath a function, if anybody wanted to know; else None."""
        found = self._graph.found_io(function)
        return (tuple(sorted(found[0])), tuple(sorted(found[1]))) if found is not None else None

    def unpack_io(self, packed: Packed) -> Io:
        """What was packed."""
        known = self._io.get(packed)
        if known is None:
            known = self._io[packed] = frozenset(packed[0]), frozenset(packed[1])
        return known

    def _primitive(self, packed: Packed) -> Primitive:
        found = self._primitives.get(packed)
        if found is None:
            found = self._primitives[packed] = Primitive(*packed)
        return found
