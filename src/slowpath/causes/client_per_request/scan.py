"""Clients made in functions that run for each request."""

from __future__ import annotations

from collections.abc import Iterator

from slowpath.causes.base import Finding
from slowpath.causes.client_per_request import CAUSE
from slowpath.causes.making import made_per_request
from slowpath.program.graph import Graph


def scan(graph: Graph) -> Iterator[Finding]:
    yield from made_per_request(graph, CAUSE, "client", "a client with its own connections")
