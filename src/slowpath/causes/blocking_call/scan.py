"""Calls that wait without `await`, reached from the event loop."""

from __future__ import annotations

from collections.abc import Iterator

from slowpath.causes.base import Finding
from slowpath.causes.blocking_call import CAUSE, hidden, untyped
from slowpath.causes.reading import reaching
from slowpath.program.graph import Graph
from slowpath.program.knowledge import WAITS


def scan(graph: Graph) -> Iterator[Finding]:
    """Yield calls known to block, then those that the project itself shows to."""
    paired = list(hidden.has_twin(graph, CAUSE))
    twins = {(found.path, found.line) for found in paired}
    for finding in reaching(graph, CAUSE, WAITS):
        # Where an async twin stands beside the method, the call of the method is what to change.
        if not any((hop.path, hop.line) in twins for hop in finding.chain[:-1]):
            yield finding
    yield from paired
    yield from hidden.run_in_place(graph, CAUSE)
    yield from hidden.offloaded_elsewhere(graph, CAUSE)
    yield from hidden.unknown_client(graph, CAUSE)
    yield from untyped.plain_twins(graph, CAUSE)
    yield from untyped.locks_across_awaits(graph, CAUSE)
