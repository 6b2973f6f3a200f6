"""Calls known to compute for long, reached from the event loop."""

from __future__ import annotations

from collections.abc import Iterator

from slowpath.causes.base import Finding
from slowpath.causes.cpu_on_loop import CAUSE
from slowpath.causes.reading import few_ways, reaching
from slowpath.program.graph import Graph


def scan(graph: Graph) -> Iterator[Finding]:
    """Yield heavy calls whose time is CPU time."""
    yield from reaching(graph, CAUSE, frozenset({"cpu"}))


def settle(findings: list[Finding]) -> Iterator[Finding]:
    return few_ways(findings)
