"""Routes that answer with every row of a table."""

from __future__ import annotations

from collections.abc import Iterator

from slowpath.causes.base import Finding
from slowpath.causes.missing_pagination import CAUSE
from slowpath.causes.reading import at_call
from slowpath.program.graph import LIKELY, Graph
from slowpath.program.model import Function

_BOUNDS = ("limit", "fetch", "paginate", "slice", "page", "per_page", "top", "first", "where",
           "filter", "filter_by", "LIMIT", "WHERE")  # fmt: skip


def scan(graph: Graph) -> Iterator[Finding]:
    """Yield `select(Model)` without condition or limit whose `.all()` a route hands back."""
    for function, kind in graph.entries.items():
        if kind != "route" or function.mentions(*_BOUNDS):
            continue
        index = _everything(function)
        if index is not None and "db" in _io(graph, function):
            yield at_call(
                graph, CAUSE, function, index,
                f"{function.label} returns every row: the query has no limit",
                confidence=LIKELY,
            )  # fmt: skip


def _io(graph: Graph, function: Function) -> frozenset[str]:
    return graph.io(function)


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
