"""What holds a database's connection while a block runs; several causes ask."""

from __future__ import annotations

from slowpath.program.extract import Ref
from slowpath.program.graph import POSSIBLE, Graph
from slowpath.program.model import Function
from slowpath.program.resolve import Value

WITH = frozenset({"with", "awith"})
_NAMES = frozenset(
    "session db db_session conn connection tx transaction sess async_session cursor cur".split()
)


def is_session(graph: Graph, function: Function, ref: Ref, writes: tuple[str, ...]) -> bool:
    value = graph.program.entered(graph.program.value(function, ref))
    if value is not None and value[0] in ("ext", "alt") and known_session(graph, value):
        return True
    if value is not None and value[0] not in ("coll", "ext"):
        return False
    knowledge = graph.program.knowledge
    if value is not None and value[0] == "ext" and knowledge.in_set("client", value[1]):
        return False  # a session of another kind
    name = writes[0] if writes else ""
    if name not in _NAMES or ref.__class__ is not int:
        return False
    call = function.body.calls[ref].name.lower()
    return any(word in call for word in ("session", "transaction", "begin", "acquire"))


def known_session(graph: Graph, value: Value) -> bool:
    if value[0] == "alt":
        return any(each[0] == "ext" and known_session(graph, each) for each in value[1])
    dotted = value[1].removesuffix("()")
    return graph.program.knowledge.in_set("db_session", dotted) or dotted.endswith(
        ("AsyncSession.begin", "Connection.transaction", "AsyncConnection.begin")
    )


def opens_session(graph: Graph, function: Function) -> bool:
    """Whether a function opens a session of its own, rather than using one that it is given."""
    return any(
        stmt.kind == "w" and is_session(graph, function, stmt.value, stmt.writes)
        for stmt in function.body.stmts
    )


def its_own_session(graph: Graph, function: Function, index: int) -> bool:
    """Whether whatever a call leads to opens a session itself: two of them have two connections."""
    targets = [
        edge.target for edge in graph.edges_at(function, index) if edge.confidence > POSSIBLE
    ]
    return bool(targets) and all(each and opens_session(graph, each) for each in targets)
