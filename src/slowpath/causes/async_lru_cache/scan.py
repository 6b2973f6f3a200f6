"""Coroutine functions under a cache that is made for plain ones."""

from __future__ import annotations

from collections.abc import Iterator

from slowpath.causes.async_lru_cache import CAUSE
from slowpath.causes.base import Finding
from slowpath.causes.reading import at
from slowpath.program.graph import CERTAIN, Graph

_CACHES = frozenset(
    {"functools.lru_cache", "functools.cache", "functools.cached_property", "cachetools.cached",
     "cachetools.func.lru_cache", "cachetools.func.ttl_cache", "joblib.Memory.cache"}
)  # fmt: skip


def scan(graph: Graph) -> Iterator[Finding]:
    for function in graph.on_loop():
        if not function.is_async or not function.decorators:
            continue
        for name in graph.program.decorator_names(function):
            if name in _CACHES:
                yield at(
                    graph, CAUSE, function, function.line,
                    f"{name} keeps the coroutine of {function.label}, which can be awaited once",
                    culprit=name,
                    confidence=CERTAIN,
                )  # fmt: skip
