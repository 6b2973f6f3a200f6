"""Constants that switch debugging on."""

from __future__ import annotations

from collections.abc import Iterator

from slowpath.causes.base import Finding
from slowpath.causes.debug_left_on import CAUSE
from slowpath.causes.reading import at_call
from slowpath.program.graph import CERTAIN, POSSIBLE, Graph
from slowpath.program.model import Function

_SWITCHES = {
    "sqlalchemy.create_engine": ("echo", "echo_pool"),
    "sqlmodel.create_engine": ("echo", "echo_pool"),
    "sqlalchemy.ext.asyncio.create_async_engine": ("echo", "echo_pool"),
    "fastapi.FastAPI": ("debug",),
    "starlette.applications.Starlette": ("debug",),
    "litestar.Litestar": ("debug",),
    "uvicorn.run": ("reload",),
    "uvicorn.Config": ("reload",),
    "asyncio.run": ("debug",),
    "sanic.Sanic.run": ("debug", "auto_reload"),
    "quart.Quart.run": ("debug",),
}
_ON = (("c", True), ("s", "debug"))
_NAMES = ("echo", "debug", "reload", "set_debug")


def scan(graph: Graph) -> Iterator[Finding]:
    for function in graph.functions():
        if function.mentions(*_NAMES):
            yield from _in(graph, function)


def _in(graph: Graph, function: Function) -> Iterator[Finding]:
    for index, call in enumerate(function.body.calls):
        if not any(value in _ON for _, value in call.kwargs) and call.name != "set_debug":
            continue
        value = graph.program.callee(function, index)
        if call.name == "set_debug":
            if call.args == (("c", True),):
                yield _finding(graph, function, index, "set_debug(True)")
            continue
        if value is None or value[0] != "ext":
            continue
        for name in _SWITCHES.get(value[1], ()):
            if call.keyword(name) in _ON:
                yield _finding(graph, function, index, f"{value[1]}({name}=True)")


def _finding(graph: Graph, function: Function, index: int, what: str) -> Finding:
    return at_call(
        graph, CAUSE, function, index, f"{what} is on in code that may serve requests",
        culprit=what,
        confidence=POSSIBLE if _by_hand(function, index) else CERTAIN,
    )  # fmt: skip


def _by_hand(function: Function, index: int) -> bool:
    """Whether it only runs when a developer says so: `if __name__ == "__main__"`, `if debug`."""
    body = function.body
    params = {name for name, _, _ in function.params}
    for block in body.ancestors(body.calls[index].block):
        kind, first = body.blocks[block].kind, body.blocks[block].stmt
        if kind == "if" and first:
            test = body.stmts[first - 1]
            if "__name__" in test.reads or test.value in params:
                return True
    return False
