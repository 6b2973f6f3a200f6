"""Calls of coroutine functions whose result is dropped, or taken for what it would give."""

from __future__ import annotations

from collections.abc import Iterator

from slowpath.causes.base import Finding
from slowpath.causes.forgotten_await import CAUSE
from slowpath.causes.reading import at_call, only_looked_into
from slowpath.program import extract
from slowpath.program.graph import LIKELY, POSSIBLE, Edge, Graph
from slowpath.program.model import Body, Call, Function, Module

# Decorators that leave a coroutine function one.
_NEUTRAL = frozenset(
    "staticmethod classmethod abstractmethod override wraps retry final deprecated overload "
    "traced trace log_call timed typechecked validate_call".split()
)
_COROUTINES_OWN = ("close", "send", "throw", "cr_", "__")


def scan(graph: Graph) -> Iterator[Finding]:
    """Yield such calls, on the loop or in a plain function beside coroutine functions."""
    for function in graph.reached():
        yield from _in(graph, function)
    for module in graph.files():
        names = _coroutine_functions(module)
        if names:
            for function in module.functions.values():
                if function.is_async or not function.mentions(*names):
                    continue
                if graph.is_reached(function):
                    continue
                if any(call.name in names and not call.awaited for call in function.body.calls):
                    yield from _in(graph, function)


def _coroutine_functions(module: Module) -> tuple[str, ...]:
    return tuple({each.name for each in module.functions.values() if each.is_async})


def _in(graph: Graph, function: Function) -> Iterator[Finding]:
    body = function.body
    for edge in graph.edges(function):
        call = body.calls[edge.site]
        if call.awaited or call.deferred or edge.confidence == POSSIBLE:
            continue
        how = _misused(body, call, edge.site)
        if not how or not _gives_coroutine(graph, function, edge):
            continue
        name = edge.target.label if edge.target is not None else edge.dotted
        yield at_call(
            graph, CAUSE, function, edge.site,
            f"{name}(...) gives a coroutine; {how}",
            culprit=name,
            confidence=edge.confidence if how.startswith("it is not") else LIKELY,
        )  # fmt: skip


def _misused(body: Body, call: Call, index: int) -> str:
    """What is done with the result that only makes sense of what it would give, as a sentence."""
    if call.discarded:
        return "it is not awaited, so it never runs"
    if call.used:
        return "it is taken for its result without await"
    if call.flags & (extract.ARGUMENT | extract.WITH | extract.YIELDED):
        return ""
    position = body.stmt_of(index)
    if position >= len(body.stmts):
        return ""
    stmt = body.stmts[position]
    if stmt.kind != "a" or stmt.value != index or len(stmt.writes) != 1:
        return ""
    name = stmt.writes[0]
    if not only_looked_into(body, name, stmt) or _as_coroutine(body, name):
        return ""
    return f"{name} is taken for its result without await"


def _as_coroutine(body: Body, name: str) -> bool:
    """Whether something is read from the name that a coroutine itself has."""
    prefix = name + "."
    return any(
        read.startswith(prefix) and read[len(prefix) :].startswith(_COROUTINES_OWN)
        for stmt in body.stmts
        for read in stmt.reads
    )


def _gives_coroutine(graph: Graph, function: Function, edge: Edge) -> bool:
    """Whether everything that is called there, as far as it is known, gives a coroutine."""
    value = graph.program.callee(function, edge.site)
    if value is None:
        return False
    for each in value[1] if value[0] == "alt" else (value,):
        if each is None:
            return False
        if each[0] == "ext":
            if not graph.program.knowledge.in_set("coroutine", each[1]):
                return False
        elif each[0] not in ("fn", "meth") or not _plain(graph, each[1]):
            return False
    return True


def _plain(graph: Graph, target: Function) -> bool:
    """Whether calling the function gives a coroutine, whatever its decorators do."""
    if not target.is_async or target.is_generator:
        return False
    return all(
        name.rpartition(".")[2] in _NEUTRAL for name in graph.program.decorator_names(target)
    )
