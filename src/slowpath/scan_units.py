"""Ask every cause about every file, and put together what they say."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType

from slowpath.causes.base import Cause, Finding
from slowpath.program.graph import Graph
from slowpath.program.model import Module
from slowpath.program.reader import READER

# Chains of calls in large projects are long.
_RECURSION = 20_000
_RANK = {"certain": 0, "likely": 1, "possible": 2}
_KIND_LAST = "coroutine"

#: What causes found in one file, by slug.
Found = dict[str, list[Finding]]


@contextmanager
def at_full_length() -> Iterator[None]:
    """Long chains, and millions of small objects that live to the end."""
    enabled, limit = gc.isenabled(), sys.getrecursionlimit()
    gc.disable()
    sys.setrecursionlimit(max(limit, _RECURSION))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)
        if enabled:
            # All that lives now is old: it would be gone through at once otherwise.
            gc.freeze()
            gc.unfreeze()
            gc.enable()


def ask(
    graph: Graph,
    causes: Mapping[str, Cause],
    files: Iterable[Module],
    tell: Callable[[int], None] = lambda number: None,
) -> Iterator[tuple[Module, Found]]:
    """What the causes find in each file; who looks at what meanwhile is noted in `READER`.

    Args:
        tell: called with the number of files that are done.
    """
    parts = {slug: part_of(cause) for slug, cause in causes.items()}
    for number, module in enumerate(files):
        tell(number)
        graph.focus = (module,)
        READER.here = module
        found = {slug: list(part.scan(graph)) for slug, part in parts.items()}
        READER.here = None
        yield module, {slug: each for slug, each in found.items() if each}


def part_of(cause: Cause) -> ModuleType:
    """The part of a cause that scans."""
    part = cause.part("scan")
    assert part is not None
    return part


def settled(found: Mapping[str, list[Finding]], causes: Mapping[str, Cause]) -> list[Finding]:
    """All findings, surest first; of what is said twice of one place and way, the first is kept."""
    kept: dict[tuple[str, str, int, str, str], Finding] = {}
    for slug, said in found.items():
        settle = getattr(part_of(causes[slug]), "settle", None)
        for finding in settle(said) if settle is not None else said:
            top = finding.chain[0] if finding.chain else None
            way = f"{top.path}:{top.line}" if top is not None else ""
            key = (slug, finding.path, finding.line, finding.culprit, way)
            kept.setdefault(key, finding)
    return sorted(kept.values(), key=_order)


def _order(finding: Finding) -> tuple[int, bool, str, int, str]:
    lone = finding.entry is None or finding.entry.kind == _KIND_LAST
    return (
        _RANK.get(finding.confidence, 3),
        lone,
        finding.path,
        finding.line,
        finding.cause.slug,
    )
