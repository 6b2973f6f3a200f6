"""Mail and messages sent on the way from a route."""

from __future__ import annotations

import re
from collections.abc import Iterator

from slowpath.causes.base import Finding
from slowpath.causes.reading import at_call
from slowpath.causes.side_effect_in_request import CAUSE
from slowpath.program.graph import LIKELY, Graph
from slowpath.program.model import Function

_TELLS = re.compile(
    r"(^|_)(audit|notify|notification|track|webhook|analytics|"
    r"send_(mail|email|sms|push|message|event|welcome|receipt|confirmation)|log_event)(_|$)"
)


def scan(graph: Graph) -> Iterator[Finding]:
    """Yield known senders, and awaited calls so named whose result the route does not use."""
    knowledge = graph.program.knowledge
    for function in graph.reached():
        if graph.way(function).kind != "route":
            continue
        for edge in graph.edges(function):
            if edge.target is None and knowledge.in_set("side_effect", edge.dotted):
                yield at_call(
                    graph, CAUSE, function, edge.site,
                    f"the response waits for {edge.dotted}",
                    culprit=edge.dotted,
                    confidence=LIKELY,
                )  # fmt: skip
        if graph.entries.get(function):
            yield from _told_by_name(graph, function)


def _told_by_name(graph: Graph, function: Function) -> Iterator[Finding]:
    body = function.body
    for stmt in body.stmts:
        if stmt.kind != "e" or not isinstance(stmt.value, int):
            continue
        call = body.calls[stmt.value]
        if not call.awaited or not _TELLS.search(call.name):
            continue
        if "net" in graph.call_io(function, stmt.value):
            yield at_call(
                graph, CAUSE, function, stmt.value,
                f"the response waits for {call.name}(...), whose result it does not use",
            )  # fmt: skip
