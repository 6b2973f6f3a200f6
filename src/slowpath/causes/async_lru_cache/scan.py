"""Coroutine functions under a cache that is made for plain ones."""

from __future__ import annotations

from collections.abc import Iterator

from slowpath.causes.async_lru_cache import CAUSE
from slowpath.causes.base import Finding
from slowpath.causes.reading import at, at_call
from slowpath.program.graph import CERTAIN, Graph
from slowpath.program.model import Function
from slowpath.program.values import Value

_CACHES = frozenset(
    {"functools.lru_cache", "functools.cache", "functools.cached_property", "cachetools.cached",
     "cachetools.func.lru_cache", "cachetools.func.ttl_cache", "joblib.Memory.cache"}
)  # fmt: skip


_MENTIONED = tuple({name.rpartition(".")[2] for name in _CACHES})


def scan(graph: Graph) -> Iterator[Finding]:
    """Yield coroutine functions in such a cache, and plain ones that give a coroutine."""
    for function in graph.functions():
        if function.decorators:
            for name in graph.program.decorator_names(function):
                if name in _CACHES and _gives_coroutine(graph, function):
                    yield at(
                        graph, CAUSE, function, function.line,
                        f"{name} keeps the coroutine of {function.label}, which can be awaited "
                        "once",
                        culprit=name,
                        confidence=CERTAIN,
                    )  # fmt: skip
        if function.mentions(*_MENTIONED):
            yield from _wrapped(graph, function)


def _gives_coroutine(graph: Graph, function: Function) -> bool:
    """Whether a call of the function gives a coroutine, its own or that of a call it returns."""
    if function.is_async:
        return not function.is_generator
    body = function.body
    returned = [stmt.value for stmt in body.stmts if stmt.kind == "r"]
    return any(
        isinstance(ref, int)
        and not isinstance(ref, bool)
        and (value := graph.program.callee(function, ref)) is not None
        and _coroutine_function(value)
        for ref in returned
    )


def _coroutine_function(value: Value) -> bool:
    return value[0] in ("fn", "meth") and _bare(value[1])


def _bare(function: Function) -> bool:
    return function.is_async and not function.is_generator and not function.decorators


def _wrapped(graph: Graph, function: Function) -> Iterator[Finding]:
    """`lru_cache(maxsize=5)(load)`, `cache(load)`."""
    for index, call in enumerate(function.body.calls):
        if len(call.args) != 1:
            continue
        maker = function.body.calls[call.func].func if isinstance(call.func, int) else call.func
        value = graph.program.value(function, maker) if isinstance(maker, str) else None
        if value is None or value[0] != "ext" or value[1] not in _CACHES:
            continue
        given = graph.program.value(function, call.args[0])
        if given is not None and _coroutine_function(given):
            yield at_call(
                graph, CAUSE, function, index,
                f"{value[1]} keeps the coroutine of {given[1].label}, which can be awaited once",
                culprit=value[1],
                confidence=CERTAIN,
            )  # fmt: skip
