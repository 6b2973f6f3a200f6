"""Plain routes, which a framework runs in threads, and what they call: for causes that hurt there
just as they do on the event loop."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from slowpath.causes.base import Entry, Finding
from slowpath.causes.reading import hop
from slowpath.program.entries import threaded_routes
from slowpath.program.graph import POSSIBLE, Graph, Way
from slowpath.program.model import Function


def threaded_ways(graph: Graph) -> dict[Function, Way]:
    """Every plain function that a plain route leads to, with the shortest way there."""
    ways = {route: Way(route, "route") for route in threaded_routes(graph.program)}
    queue = deque(ways)
    while queue:
        function = queue.popleft()
        way = ways[function]
        for edge in graph.edges(function):
            target = edge.target
            if target is None or target.is_async or target in ways or edge.confidence == POSSIBLE:
                continue
            ways[target] = Way(way.entry, way.kind, (*way.hops, (function, edge.site)))
            queue.append(target)
    return ways


def in_thread(finding: Finding, way: Way) -> Finding:
    """The finding with the way on which a thread comes to it."""
    entry = Entry(way.kind, way.entry.path, way.entry.line, way.entry.label)
    return replace(finding, entry=entry, chain=(*map(hop, way.hops), *finding.chain))
