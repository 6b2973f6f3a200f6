"""Calls known to compute for long, reached from the event loop."""

from __future__ import annotations

import re
from collections.abc import Iterator

from slowpath.causes.base import Finding
from slowpath.causes.cpu_on_loop import CAUSE
from slowpath.causes.reading import at_call, reaching
from slowpath.program.graph import LIKELY, Graph
from slowpath.program.model import Function

# They give back something to call, so calling them early is right.
_MAKERS = re.compile(r"^(partial|bind|wrap|make|create|build|get|copy_context|prepare|lambda)")


def scan(graph: Graph) -> Iterator[Finding]:
    """Yield heavy calls whose time is CPU time, and work done before it is handed to a thread."""
    yield from reaching(graph, CAUSE, frozenset({"cpu"}))
    yield from _evaluated_early(graph)


def _evaluated_early(graph: Graph) -> Iterator[Finding]:
    """`run_in_thread(f(x))`: f has run, on the loop, before the thread gets its result."""
    for function in graph.on_loop():
        for index, call in enumerate(function.body.calls):
            position = graph.offload_position(function, index)
            if position is None or not call.awaited or len(call.args) <= position:
                continue
            early = call.args[position]
            if early.__class__ is int and _is_work(graph, function, early):
                work = function.body.calls[early]
                yield at_call(
                    graph, CAUSE, function, early,
                    f"{work.name}(...) runs on the event loop before {call.name} can hand it to "
                    "a thread; pass the function, not its result",
                    culprit=work.name,
                    confidence=LIKELY,
                )  # fmt: skip


def _is_work(graph: Graph, function: Function, index: int) -> bool:
    call = function.body.calls[index]
    if call.awaited or _MAKERS.match(call.name.lstrip("_")) or not call.name[:1].islower():
        return False
    value = graph.program.call_result(function, index)
    if value is not None and value[0] in ("fn", "meth", "part", "cls", "param"):
        return False
    target = graph.program.callee(function, index)
    if target is not None and target[0] in ("fn", "meth"):
        # A factory shows itself by a function defined inside it.
        prefix = target[1].qual + "."
        return not any(name.startswith(prefix) for name in target[1].module.functions)
    return True
