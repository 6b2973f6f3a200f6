"""Classes and functions that Starlette runs through BaseHTTPMiddleware."""

from __future__ import annotations

from collections.abc import Iterator

from slowpath.causes.base import Entry, Finding, Hop
from slowpath.causes.middleware_overhead import CAUSE
from slowpath.causes.reading import at
from slowpath.program.duty import off_duty
from slowpath.program.graph import CERTAIN, Graph
from slowpath.program.model import Class

_BASES = frozenset(
    {"starlette.middleware.base.BaseHTTPMiddleware", "fastapi.middleware.base.BaseHTTPMiddleware"}
)


def scan(graph: Graph) -> Iterator[Finding]:
    """Yield the line of each such class, and of each `@app.middleware("http")` function."""
    for module in graph.files():
        for cls in module.classes.values():
            if not cls.bases or not _BASES & {
                each for each in graph.program.mro(cls) if isinstance(each, str)
            }:
                continue
            own = (each for each in graph.program.mro(cls) if isinstance(each, Class))
            if any("__call__" in each.methods for each in own):
                continue  # it takes requests itself, past what the base class does for each
            yield Finding(
                CAUSE, module.path, cls.line, cls.qual,
                f"{cls.name} is a BaseHTTPMiddleware: a task group and two streams a request",
                end_line=cls.line,
                culprit="BaseHTTPMiddleware",
                confidence="possible" if off_duty(module.path) else "certain",
                entry=Entry("middleware", module.path, cls.line, cls.qual),
                chain=(Hop(module.path, cls.line, cls.qual),),
                seen_by=("scan",),
            )  # fmt: skip
    for function, kind in graph.entry_functions():
        if kind == "middleware" and any(
            name.endswith((".FastAPI.middleware", ".Starlette.middleware"))
            for name in graph.program.decorator_names(function)
        ):
            yield at(
                graph, CAUSE, function, function.line,
                f"{function.label} runs through BaseHTTPMiddleware",
                culprit="middleware", confidence=CERTAIN,
            )  # fmt: skip
