"""Callables for a thread that were called too early, or that only make a coroutine there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from slowpath.causes.base import Finding
from slowpath.causes.false_offload import CAUSE
from slowpath.causes.reading import at_call
from slowpath.program.extract import Ref
from slowpath.program.graph import CERTAIN, LIKELY, Graph
from slowpath.program.model import Function

# They give back something to call, so calling them early is right.
_MAKERS = re.compile(r"^(partial|cast|bind|wrap|make|create|build|get|copy_context|prepare|lambda)")

# Builtins that do more than to turn one small value into another.
_WORKS = frozenset({"builtins.open", "builtins.sorted", "builtins.sum", "builtins.exec"})


def scan(graph: Graph) -> Iterator[Finding]:
    for function in graph.on_loop():
        for index, call in enumerate(function.body.calls):
            position = graph.offload_position(function, index)
            if position is None or len(call.args) <= position:
                continue
            given = call.args[position]
            if given.__class__ is int and call.awaited and _is_work(graph, function, given):
                work = function.body.calls[given]
                yield at_call(
                    graph, CAUSE, function, given,
                    f"{work.name}(...) runs on the event loop before {call.name} can hand it to "
                    "a thread; pass the function, not its result",
                    culprit=work.name,
                    confidence=LIKELY,
                )  # fmt: skip
            elif _known(graph, function, index):
                name = _coroutine_function(graph, function, given)
                if name:
                    yield at_call(
                        graph, CAUSE, function, index,
                        f"{name} is a coroutine function: the thread only makes its coroutine, "
                        "and none of its work is done there",
                        culprit=name,
                        confidence=CERTAIN,
                    )  # fmt: skip


def _known(graph: Graph, function: Function, index: int) -> bool:
    """Whether the offloading call is one that a table names: a helper may well run coroutines."""
    value = graph.program.callee(function, index)
    if value is not None and value[0] != "ext":
        return False
    named = function.body.calls[index].name in ("run_in_executor", "async_add_executor_job")
    return named or (value is not None and graph.program.knowledge.offload(value[1]) is not None)


def _coroutine_function(graph: Graph, function: Function, ref: Ref) -> str:
    """Name of the coroutine function that is given, itself or by a lambda that calls it."""
    if ref.__class__ is tuple and ref[0] == "f" and ref[1].__class__ is int:
        call = function.body.calls[ref[1]]
        value = None if call.awaited else graph.program.callee(function, ref[1])
    else:
        value = graph.program.value(function, ref)
    while value is not None and value[0] == "part":
        value = value[1]
    if value is None or value[0] not in ("fn", "meth"):
        return ""
    target: Function = value[1]
    plain = target.is_async and not target.is_generator and not target.decorators
    return target.label if plain else ""


def _is_work(graph: Graph, function: Function, index: int) -> bool:
    call = function.body.calls[index]
    if call.awaited or _MAKERS.match(call.name.lstrip("_")) or not call.name[:1].islower():
        return False
    value = graph.program.call_result(function, index)
    if value is not None and value[0] in ("fn", "meth", "part", "cls", "param"):
        return False
    target = graph.program.callee(function, index)
    if target is not None and target[0] == "ext" and target[1].startswith("builtins."):
        return target[1] in _WORKS
    if target is not None and target[0] in ("fn", "meth"):
        # A factory shows itself by a function defined inside it.
        prefix = target[1].qual + "."
        return not any(name.startswith(prefix) for name in target[1].module.functions)
    return True
