"""Tasks whose only reference is the loop's weak one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from slowpath.causes.base import Finding
from slowpath.causes.lost_task import CAUSE
from slowpath.causes.lost_task.unended import unended
from slowpath.causes.reading import at_call
from slowpath.program.entries import CALLED_BY_LOOP
from slowpath.program.extract import Ref
from slowpath.program.graph import CERTAIN, LIKELY, Graph
from slowpath.program.model import Body, Function

_MAKERS = frozenset({"create_task", "ensure_future"})
_OBSERVERS = frozenset({"add_done_callback", "set_name"})
# They take a callback and have no use for what it gives.
_LISTENS = re.compile(
    r"(add_\w*(listener|callback|handler|observer)|on(_\w+)?|connect|subscribe|listen|signal|"
    r"add_signal_handler|register_callback|bind|observe|Timer|schedule)$"
)
_GROUPS = ("group", "tg", "nursery", "taskgroup", "supervisor", "manager", "runner")


def scan(graph: Graph) -> Iterator[Finding]:
    for module in graph.files():
        yield from unended(graph, module)
    for function in graph.functions():
        if not function.mentions(*_MAKERS):
            continue
        for index, call in enumerate(function.body.calls):
            if call.name in _MAKERS and _makes_task(graph, function, index):
                message = _lost(graph, function, index)
                if message:
                    known = graph.program.callee(function, index)
                    yield at_call(
                        graph, CAUSE, function, index, message,
                        confidence=CERTAIN if known is not None else LIKELY,
                    )  # fmt: skip


def _makes_task(graph: Graph, function: Function, index: int) -> bool:
    """`asyncio.create_task`, or that of something that is a loop; a group keeps its tasks."""
    value = graph.program.callee(function, index)
    if value is not None:
        return value[0] == "ext" and graph.program.knowledge.in_set("task_maker", value[1])
    func = function.body.calls[index].func
    if func.__class__ is not str:
        return False
    owner = func.rpartition(".")[0].lower()
    return owner.endswith("loop") and not owner.endswith(_GROUPS)


def _lost(graph: Graph, function: Function, index: int) -> str:
    body = function.body
    call = body.calls[index]
    if call.awaited:
        return ""
    if call.deferred:
        return _from_lambda(graph, function, index)
    if call.name == "ensure_future" and call.args and call.args[0].__class__ is str:
        return ""  # of a future that has a name, and so a keeper
    if call.discarded or _only_observed(body, index):
        return "the task is started and dropped; the loop alone does not keep it alive"
    position = body.stmt_of(index)
    if position >= len(body.stmts):
        return ""
    stmt = body.stmts[position]
    if stmt.kind == "e" and stmt.value == ("L", index):
        return "the tasks are started and dropped; the loop alone does not keep them alive"
    if stmt.kind == "a" and stmt.value == index and len(stmt.writes) == 1:
        name = stmt.writes[0]
        if "." in name or "[" in name or _used(function, name) or _of_outer(function, name):
            return ""
        if any(other.awaited and other.line > call.line for other in body.calls):
            return ""  # the name keeps the task while the function waits
        return f"the task is kept in {name}, which is never looked at again"
    for other in body.calls:
        if (
            other.name == "wait"
            and other.args
            and _holds(other.args[0], index)
            and other.has_keyword("timeout", "return_when")
            and not any(each.name == "cancel" and each.line > other.line for each in body.calls)
        ):
            return "the task is made inside asyncio.wait(); what is pending then is left behind"
    return ""


def _from_lambda(graph: Graph, function: Function, index: int) -> str:
    """`loop.call_later(5, lambda: create_task(f()))`: whoever calls it drops what it gives."""
    for call in function.body.calls:
        given = (*call.args, *(ref for _, ref in call.kwargs))
        if ("f", index) in given and (call.name in CALLED_BY_LOOP or _LISTENS.match(call.name)):
            return f"the task is what a callback of {call.name}() gives back, which nobody keeps"
    return ""


def _of_outer(function: Function, name: str) -> bool:
    """Whether the name is a variable of the function around, or of the module, which keeps it."""
    return name in function.body.shared


def _only_observed(body: Body, index: int) -> bool:
    """`create_task(f()).add_done_callback(g)`: a callback keeps no task alive."""
    return any(
        call.discarded and call.func == (".", index, call.name) and call.name in _OBSERVERS
        for call in body.calls
    )


def _used(function: Function, name: str) -> bool:
    """Whether somebody holds or asks the task later; callbacks hang on it and do not hold it."""
    prefix = name + "."
    observed = {prefix + each for each in _OBSERVERS}
    qual = function.qual + "."
    inner = [f for q, f in function.module.functions.items() if q.startswith(qual)]
    return any(
        (read == name or read.startswith((prefix, name + "["))) and read not in observed
        for each in (function, *inner)
        for stmt in each.body.stmts
        for read in stmt.reads
    ) or any(stmt.kind == "o" and name in stmt.writes for stmt in function.body.stmts)


def _holds(ref: Ref, index: int) -> bool:
    return ref.__class__ is tuple and ref[0] == "t" and index in ref[1]
