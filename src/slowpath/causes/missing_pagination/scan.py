"""Routes that answer with every row of a table."""

from __future__ import annotations

from collections.abc import Iterator

from slowpath.causes.base import Finding
from slowpath.causes.missing_pagination import CAUSE
from slowpath.causes.reading import at_call
from slowpath.causes.threads import in_thread
from slowpath.program.graph import LIKELY, Graph, Way
from slowpath.program.model import Function

_BOUNDS = ("limit", "fetch", "paginate", "slice", "page", "per_page", "top", "first", "where",
           "filter", "filter_by", "LIMIT", "WHERE")  # fmt: skip


def scan(graph: Graph) -> Iterator[Finding]:
    """Yield `select(Model)` without condition or limit whose `.all()` a route hands back."""
    for route in graph.served():
        way = graph.thread_way(route)
        threaded = way is not None and not way.hops
        if not threaded and graph.entries.get(route) != "route":
            continue
        for function in (route, *_answered_by(graph, route)):
            if function.mentions(*_BOUNDS):
                continue
            index = _everything(function)
            if index is not None and _queries(graph, function):
                finding = at_call(
                    graph, CAUSE, function, index,
                    f"{route.label} returns every row: the query has no limit",
                    confidence=LIKELY,
                )  # fmt: skip
                yield in_thread(finding, Way(route, "route")) if threaded else finding


def _answered_by(graph: Graph, route: Function) -> Iterator[Function]:
    """The function of the project whose result is the route's answer, as it comes."""
    for stmt in route.body.stmts:
        if stmt.kind == "r" and isinstance(stmt.value, int) and not isinstance(stmt.value, bool):
            targets = [edge.target for edge in graph.edges_at(route, stmt.value)]
            if len(targets) == 1 and targets[0] is not None and not route.mentions(*_BOUNDS):
                yield targets[0]


def _queries(graph: Graph, function: Function) -> bool:
    if function.is_async and "db" in graph.io(function):
        return True
    return any(each.primitive.effect == "db" for each in graph.blocking(function))


def _everything(function: Function) -> int | None:
    """The `.all()` that the route's answer comes from."""
    body = function.body
    if not any(call.name in ("select", "query") for call in body.calls):
        return None
    for index, call in enumerate(body.calls):
        if call.name not in ("all", "fetchall"):
            continue
        position = body.stmt_of(index)
        if position >= len(body.stmts):
            continue
        stmt = body.stmts[position]
        if stmt.kind == "r":
            return index
        for name in stmt.writes:
            if any(other.kind == "r" and name in other.reads for other in body.stmts):
                return index
    return None
