"""Which functions and primitives each call of a function leads to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from slowpath.program.implied import implied
from slowpath.program.knowledge import Primitive
from slowpath.program.model import Call, Class, Function
from slowpath.program.reader import READER, asking, resolving
from slowpath.program.resolve import Program
from slowpath.program.telling import COMMON, alike, of_standard_types
from slowpath.program.values import Value, argument

__all__ = ["CERTAIN", "COMMON", "CONFIDENCE", "LIKELY", "POSSIBLE", "Calls", "Edge"]

CERTAIN, LIKELY, POSSIBLE = 2, 1, 0
CONFIDENCE = ("possible", "likely", "certain")

_MAX_DISPATCH = 4


class Edge(NamedTuple):
    """One call that the loop makes: to a function of the project, or to a primitive.

    `site` is the call's number in the body of the function that makes it.
    """

    site: int
    target: Function | None
    primitive: Primitive | None
    dotted: str
    confidence: int


@dataclass
class Calls:
    """Edges are resolved when asked for and kept.

    Attributes:
        known: gives edges that somebody else has resolved, or None.
    """

    program: Program
    known: Callable[[Function], list[Edge] | None] | None = None
    _edges: dict[Function, list[Edge]] = field(default_factory=dict)

    def edges(self, function: Function) -> list[Edge]:
        """Calls that run when the function's body does, in the order written."""
        if function.module is not READER.here:
            READER.follow(function)
        return self._leads(function)

    def _leads(self, function: Function) -> list[Edge]:
        """The same for whoever goes on along calls: what is found beneath is compared."""
        found = self._edges.get(function)
        if found is None:
            found = self.known(function) if self.known is not None else None
            if found is None:
                with self.program.afresh(function.module), resolving():
                    found = list(self._resolve(function))
            self._edges[function] = found
        return found

    def resolved(self) -> Iterable[Function]:
        """Functions whose edges are known."""
        return self._edges

    def _resolve(self, function: Function) -> Iterator[Edge]:
        program = self.program
        for index, call in enumerate(function.body.calls):
            if call.deferred:
                continue
            value = program.callee(function, index)
            confidence = CERTAIN
            if value is None:
                yield from self._by_name(function, index, call)
                continue
            if value[0] == "alt":
                confidence = LIKELY
            found = [
                edge
                for each in (value[1] if value[0] == "alt" else (value,))
                if each is not None
                for edge in self._targets(function, index, call, each, confidence)
            ]
            paired = any(e.target is not None and e.target.is_async for e in found)
            if paired and function.is_async and not call.discarded:
                # Of a pair of clients the one that can be awaited is meant.
                found = [e for e in found if e.target is None or e.target.is_async]
            yield from found
        for index, value in implied(program, function):
            call = function.body.calls[index]
            yield from self._targets(function, index, call, value, CERTAIN)

    def _targets(
        self,
        function: Function,
        index: int,
        call: Call,
        value: Value,
        confidence: int,
        passed: bool = False,
    ) -> Iterator[Edge]:
        """Edges to one value; `passed` if it is an argument that the callee calls."""
        kind = value[0]
        program = self.program
        if kind == "fn":
            yield from self._into(function, index, call, value[1], confidence, passed)
        elif kind == "meth":
            method: Function = value[1]
            if method.is_stub:
                overrides = self._overrides(value[2], method.name)
                for each in overrides[:_MAX_DISPATCH]:
                    yield from self._into(function, index, call, each, LIKELY, passed)
                if overrides:
                    return
                # A protocol: whoever has the method fits.
                alike = [f for _, f in program.named(method.name) if not f.is_stub]
                if 0 < len(alike) <= 3 and method.name not in COMMON:
                    for each in alike:
                        yield from self._into(function, index, call, each, LIKELY, passed)
                    return
            yield from self._into(function, index, call, method, confidence, passed)
        elif kind == "cls":
            for name in ("__init__", "__post_init__"):
                made = program.class_attr(value[1], name)
                if made is not None and made[0] == "meth":
                    yield from self._into(function, index, call, made[1], confidence, passed)
                elif made is not None and made[0] == "ext" and name == "__init__":
                    dotted = made[1].removesuffix(".__init__")
                    primitive = program.knowledge.primitive(dotted)
                    if primitive is not None:
                        yield Edge(index, None, primitive, dotted, LIKELY)
        elif kind == "part":
            yield from self._targets(function, index, call, value[1], confidence, passed)
        elif kind == "inst":
            made = program.class_attr(value[1], "__call__")
            if made is not None:
                yield from self._targets(function, index, call, made, confidence, passed)
        elif kind == "ext":
            dotted = value[1]
            primitive = None if call.awaited else program.knowledge.primitive(dotted)
            yield Edge(index, None, primitive, dotted, confidence)
            if program.knowledge.offload(dotted) is None:
                yield from self._called_back(function, index, call, dotted)

    def _called_back(
        self, function: Function, index: int, call: Call, dotted: str
    ) -> Iterator[Edge]:
        """`map(f, rows)` and `sorted(key=f)` call f at once."""
        if dotted in ("builtins.map", "builtins.filter", "functools.reduce") and call.args:
            refs = [call.args[0]]
        elif dotted in ("builtins.sorted", "builtins.max", "builtins.min"):
            refs = [call.keyword("key")]
        else:
            return
        for ref in refs:
            value = self.program.value(function, ref) if ref is not None else None
            if value is not None and value[0] in ("fn", "meth"):
                yield Edge(index, value[1], None, "", LIKELY)

    def _into(
        self,
        function: Function,
        index: int,
        call: Call,
        target: Function,
        confidence: int,
        passed: bool = False,
    ) -> Iterator[Edge]:
        if not target.is_async and call.awaited and self._hands_over(target):
            return
        if call.awaited and not target.is_async and not target.is_stub:
            confidence = min(confidence, LIKELY)
        yield Edge(index, target, None, "", confidence)
        if passed:
            return  # its own arguments are not those of this call
        for name in invoked_params(target):
            ref = argument(target, name, call)
            value = self.program.value(function, ref) if ref is not None else None
            if value is not None and value[0] in ("fn", "meth", "ext", "part"):
                sure = min(confidence, LIKELY)
                yield from self._targets(function, index, call, value, sure, passed=True)

    def _hands_over(self, target: Function) -> bool:
        """An awaited `def` with a decorator of its own: the decorator makes it awaitable."""
        return bool(target.decorators) and any(
            name.rpartition(".")[2] not in ("staticmethod", "classmethod", "lru_cache", "cache")
            for name in self.program.decorator_names(target)
        )

    def _overrides(self, cls: Class, name: str) -> list[Function]:
        found = []
        for each in self.program.subclasses(cls):
            method, _, _ = self.program.member(each, name)
            if method is not None and not method.is_stub:
                found.append(method)
        return found

    def _by_name(self, function: Function, index: int, call: Call) -> Iterator[Edge]:
        """A method of a receiver of unknown type: told by its name, if that is telling."""
        name = call.name
        if len(name) < 6 or name in COMMON or name in of_standard_types():
            return
        if call.func.__class__ is str and "." not in call.func:
            return
        candidates = self.program.named(name)
        if not call.awaited and any(f.is_async for _, f in candidates):
            return  # perhaps the coroutine is gathered or kept
        # A method that calls its own name on something else hands the call on.
        kept = [
            f
            for _, f in candidates
            if f.is_async == call.awaited and not f.is_stub and f is not function
        ]
        if not kept or len(kept) > 3 or len(candidates) > 6:
            return
        for target in kept:
            sure = len(kept) == 1 and "_" in name and (call.awaited or alike(call.func, target))
            yield Edge(index, target, None, "", LIKELY if sure else POSSIBLE)

    def edges_at(self, function: Function, index: int) -> list[Edge]:
        """The edges of one call."""
        if function.module is not READER.here:
            READER.follow(function)
        return self._leads_at(function, index)

    def _leads_at(self, function: Function, index: int) -> list[Edge]:
        memo = function.memo.get("at")
        if memo is None:
            memo = {}
            for edge in self._leads(function):
                memo.setdefault(edge.site, []).append(edge)
            function.memo["at"] = memo
        return memo.get(index, [])  # type: ignore[no-any-return]


def invoked_params(target: Function) -> tuple[str, ...]:
    """Parameters that a function calls itself, at once, in its own body."""
    if not target.params:
        return ()
    with asking(target, "inv"):
        known: tuple[str, ...] | None = target.memo.get("inv")
        if known is None:
            known = target.memo["inv"] = _invoked(target)
        return known


def _invoked(target: Function) -> tuple[str, ...]:
    names = {each[0] for each in target.params}
    # In the order in which they are called: that of a set is another in every process.
    return tuple(
        {
            call.func: None
            for call in target.body.calls
            if call.func.__class__ is str and call.func in names and not call.deferred
        }
    )
