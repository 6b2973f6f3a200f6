"""Costly objects made inside requests; what the causes about clients and connections share."""

from __future__ import annotations

from collections.abc import Iterator

from slowpath.causes.base import Cause, Finding
from slowpath.causes.reading import at_call
from slowpath.program import extract
from slowpath.program.graph import LIKELY, POSSIBLE, Graph
from slowpath.program.model import Function

# Work of the start or the end of a process.
_ONCE = frozenset(
    "__init__ __aenter__ __enter__ __new__ __post_init__ main _main amain run setup startup "
    "start on_startup lifespan init initialize initialise connect open _connect _init _setup "
    "_initialize async_setup cli bootstrap configure shutdown stop close aclose".split()
)
_CACHED = frozenset("lru_cache cache cached cached_property alru_cache singleton once".split())


def made_per_request(graph: Graph, cause: Cause, table: str, what: str) -> Iterator[Finding]:
    """Constructors of the table's classes in functions that run once for each request.

    Left out: what is kept (in an attribute, a global, a cache) or handed to the caller, who may
    keep it; start-up work; module level.
    """
    knowledge = graph.program.knowledge
    for function in graph.reached():
        if not function.qual or _runs_once(graph, function):
            continue
        for edge in graph.edges(function):
            if edge.target is not None or not knowledge.in_set(table, edge.dotted):
                continue
            if edge.confidence == POSSIBLE or _kept(function, edge.site):
                continue
            yield at_call(
                graph, cause, function, edge.site,
                f"{edge.dotted} makes {what} each time {function.label} runs",
                culprit=edge.dotted,
                confidence=LIKELY,
            )  # fmt: skip


def _runs_once(graph: Graph, function: Function) -> bool:
    if function.name in _ONCE or graph.way(function).kind == "lifespan":
        return True
    return _keeps_result(function) or any(
        name.rpartition(".")[2] in _CACHED for name in graph.program.decorator_names(function)
    )


def _keeps_result(function: Function) -> bool:
    """`cache[key] = made; return made`: a cache written by hand."""
    stored = {
        stmt.value
        for stmt in function.body.stmts
        if stmt.kind == "a" and any(name.endswith("[]") for name in stmt.writes)
    }
    return any(
        stmt.kind == "r" and stmt.value.__class__ is str and stmt.value in stored
        for stmt in function.body.stmts
    )


def _kept(function: Function, index: int) -> bool:
    body = function.body
    call = body.calls[index]
    if call.flags & extract.WITH:
        return False
    position = body.stmt_of(index)
    if position >= len(body.stmts):
        return False
    stmt = body.stmts[position]
    if stmt.kind in "ry":
        return True  # the caller decides
    names = [name for name in stmt.writes if name[0] != "["]
    if any("." in name or name.endswith("[]") for name in names):
        return True
    if stmt.kind != "a" or len(names) != 1:
        return bool(call.flags & extract.ARGUMENT)  # whoever takes it may keep it
    name = names[0]
    if name in function.module.assigns:
        return True  # a global, set once
    for other in body.stmts:
        if other.value == name and other is not stmt:
            if other.kind in "ry":
                return True
            if other.kind == "a" and any("." in n or n.endswith("[]") for n in other.writes):
                return True
    return False
