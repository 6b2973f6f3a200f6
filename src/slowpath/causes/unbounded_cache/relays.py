"""Queues between a source and a slow reader, which take in all that comes."""

from __future__ import annotations

from collections.abc import Iterator

from slowpath.causes.base import Finding
from slowpath.causes.reading import at_call
from slowpath.causes.unbounded_cache import CAUSE
from slowpath.program.graph import Graph
from slowpath.program.model import Function

_PUTS = frozenset({"put", "put_nowait"})
_FOREVER = frozenset({"afor"})


def relays(graph: Graph) -> Iterator[Finding]:
    """Yield the queue of an async generator that an inner function fills from a stream.

    Whoever reads the generator, a client over the network, may be slower than the stream.
    """
    for module in graph.files():
        if not module.mentions(("Queue",)):
            continue
        for function in module.functions.values():
            if function.is_async and function.is_generator and function.mentions("Queue"):
                yield from _in(graph, function)


def _in(graph: Graph, function: Function) -> Iterator[Finding]:
    inner = [
        each
        for qual, each in function.module.functions.items()
        if qual.startswith(function.qual + ".") and each.is_async
    ]
    for stmt in function.body.stmts if inner else ():
        if stmt.kind != "a" or stmt.value.__class__ is not int or len(stmt.writes) != 1:
            continue
        call = function.body.calls[stmt.value]
        if call.name != "Queue" or call.args or call.kwargs:
            continue
        if graph.program.callee(function, stmt.value) != ("ext", "asyncio.Queue"):
            continue
        name = stmt.writes[0]
        filled = any(
            put.func == f"{name}.{put.name}"
            and put.name in _PUTS
            and each.body.inside(put.block, _FOREVER)
            for each in inner
            if each.mentions(name)
            for put in each.body.calls
        )
        if filled and any(each.func == f"{name}.get" for each in function.body.calls):
            yield at_call(
                graph, CAUSE, function, stmt.value,
                f"{name} has no maxsize: it takes in all of the stream, however slowly "
                f"{function.label} is read",
                culprit="asyncio.Queue",
            )  # fmt: skip
