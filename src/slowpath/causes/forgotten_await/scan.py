"""Calls of coroutine functions whose result is dropped."""

from __future__ import annotations

from collections.abc import Iterator

from slowpath.causes.base import Finding
from slowpath.causes.forgotten_await import CAUSE
from slowpath.causes.reading import at_call
from slowpath.program.graph import CERTAIN, LIKELY, POSSIBLE, Graph
from slowpath.program.model import Function

# Decorators that leave a coroutine function one.
_NEUTRAL = frozenset(
    "staticmethod classmethod abstractmethod override wraps retry final deprecated overload "
    "traced trace log_call timed typechecked validate_call".split()
)


def scan(graph: Graph) -> Iterator[Finding]:
    knowledge = graph.program.knowledge
    for function in graph.reached():
        for edge in graph.edges(function):
            call = function.body.calls[edge.site]
            if not call.discarded or call.awaited:
                continue
            target = edge.target
            if target is None:
                asleep = edge.dotted in knowledge.sets["async_sleep"]
                if asleep or knowledge.in_set("query", edge.dotted):
                    yield at_call(
                        graph, CAUSE, function, edge.site,
                        f"{edge.dotted}(...) is not awaited, so it does nothing",
                        confidence=min(edge.confidence, LIKELY) if not asleep else CERTAIN,
                    )  # fmt: skip
            elif target.is_async and not target.is_generator and _plain(graph, target):
                others = [e.target for e in graph.edges_at(function, edge.site) if e.target]
                if all(other.is_async for other in others) and edge.confidence > POSSIBLE:
                    yield at_call(
                        graph, CAUSE, function, edge.site,
                        f"{target.label}(...) is a coroutine function; its call is not awaited, "
                        "so it never runs",
                        culprit=target.label,
                        confidence=edge.confidence,
                    )  # fmt: skip


def _plain(graph: Graph, target: Function) -> bool:
    """Whether calling the function gives a coroutine, whatever its decorators do."""
    return all(
        name.rpartition(".")[2] in _NEUTRAL for name in graph.program.decorator_names(target)
    )
