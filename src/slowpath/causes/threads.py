"""Plain routes, which a framework runs in threads, and what they call: for causes that hurt there
just as they do on the event loop."""

from __future__ import annotations

from dataclasses import replace

from slowpath.causes.base import Entry, Finding
from slowpath.causes.reading import hop
from slowpath.program.graph import Way


def in_thread(finding: Finding, way: Way) -> Finding:
    """The finding with the way on which a thread comes to it."""
    entry = Entry(way.kind, way.entry.path, way.entry.line, way.entry.label)
    return replace(finding, entry=entry, chain=(*map(hop, way.hops), *finding.chain))
