"""Calls that wait without `await`, reached from the event loop."""

from __future__ import annotations

from collections.abc import Iterator

from slowpath.causes.base import Finding
from slowpath.causes.blocking_call import CAUSE, hidden, untyped
from slowpath.causes.reading import few_ways, reaching
from slowpath.program.graph import Graph
from slowpath.program.knowledge import WAITS


def scan(graph: Graph) -> Iterator[Finding]:
    """Yield calls known to block, then those that the project itself shows to."""
    yield from reaching(graph, CAUSE, WAITS)
    yield from hidden.has_twin(graph, CAUSE)
    yield from hidden.run_in_place(graph, CAUSE)
    yield from hidden.offloaded_elsewhere(graph, CAUSE)
    yield from hidden.unknown_client(graph, CAUSE)
    yield from untyped.plain_twins(graph, CAUSE)
    yield from untyped.queued_tasks(graph, CAUSE)
    yield from untyped.locks_across_awaits(graph, CAUSE)


def settle(findings: list[Finding]) -> Iterator[Finding]:
    """Leave out what is said better elsewhere, and most of many ways to one line."""
    twins = {(found.path, found.line) for found in findings if found.twin}
    for finding in few_ways(findings):
        # Where an async twin stands beside the method, the call of the method is what to change.
        if not finding.rank or not any((h.path, h.line) in twins for h in finding.chain[:-1]):
            yield finding
