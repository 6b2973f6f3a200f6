"""Calls that no table knows, but that the project's own code shows to block.

Four kinds of evidence: an async twin of the method stands beside it; elsewhere the project hands
the same call to a thread; a callable is awaited if it happens to be async and run in place if not;
the receiver is a client of an outside library, none of whose calls are ever awaited.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from slowpath.causes.base import Cause, Finding
from slowpath.causes.excuses import ASYNC_TESTS, dispatches, handed_over, twins
from slowpath.causes.reading import at_call
from slowpath.program import extract
from slowpath.program.extract import Ref
from slowpath.program.graph import LIKELY, POSSIBLE, Edge, Graph, is_awaited
from slowpath.program.model import Body, Call, Function

# Called by design in the middle of things; quick by agreement.
_NOTICES = re.compile(
    r"(acceptor|guard|callback|hook|listener|observer|factory(_\w+)?|predicate|condition|validator|getter|setter|filter|"
    r"key|cb|default|on_[a-z_]+|middleware|next|call_next|next_handler|app|transform|converter|encoder|decoder|"
    r"serializer|deserializer|formatter|consumer|visitor|parser|a?close|is_[a-z_]+|has_[a-z_]+|can_[a-z_]+|cls|type_|dep|dependency|provider|should_[a-z_]+)"
    r"(s|_func|_fn|_function)?$"
)
_CLIENTS = re.compile(
    r"(Client|Api|API|Session|Network|Service|Connection|Connector|SDK|Sdk|Bot|Gateway|Server|"
    r"Database|Bucket|Queue|Publisher|Consumer|Uploader|Downloader|Account|Cloud)$"
)
_WIRE_VERBS = re.compile(
    r"^(get|fetch|download|upload|send|login|log_in|connect|execute|query|search|request|publish|"
    r"list|create|update|delete|insert|upsert|add|post|put|patch|authenticate|refresh|sync|pull|"
    r"push|submit|retrieve|generate|complete|embed|predict|invoke|transcribe|scrape|crawl|ping|lookup|"
    r"scan|poll|read|write|play|check)([_A-Z]\w*)?$"
)
_AT_HAND = re.compile(r"(^|_)(local|cache|cached|memory)_only$|^only_(local|cached)$")
_TAKES_COROUTINES = frozenset(
    "wait_for gather create_task ensure_future shield wait as_completed run_coroutine_threadsafe "
    "start_soon run run_until_complete add_task async_create_task".split()
)


def twin(graph: Graph, function: Function, edge: Edge) -> str:
    """Name of the async method that does the same as the plain one called here, or ""."""
    target = edge.target
    if target is None or target.is_async or target.owner is None:
        return ""
    name = target.name
    if name.startswith(("__", "dispatch", "emit", "notify", "close")):
        return ""  # in-process, or done once
    if function.name in twins(name):
        return ""
    if name == "result" and function.awaits:
        return ""  # of something that was waited for
    if dispatches(target):
        return ""
    value = graph.program.callee(function, edge.site)
    owners = [target.owner]
    if value is not None:
        owners = [v[2] for v in (value[1] if value[0] == "alt" else (value,)) if v[0] == "meth"]
    for owner in owners:
        for each in twins(name):
            found = graph.program.class_attr(owner, each)
            if found is not None and found[0] == "meth" and found[1].is_async:
                return each
    return ""


def has_twin(graph: Graph, cause: Cause) -> Iterator[Finding]:
    """Plain methods called on the loop although an async twin of theirs is at hand."""
    for function in graph.on_loop():
        if not function.is_async:
            continue
        seen = set()
        for edge in graph.edges(function):
            if edge.target is None or edge.site in seen or edge.confidence == POSSIBLE:
                continue
            call = function.body.calls[edge.site]
            if call.awaited or edge.target.is_generator or _gives_async(call):
                continue
            name = twin(graph, function, edge)
            if name and (_stays_here(call) or _both_called(function.body, call, name)):
                continue
            if name and graph.opaque(edge.target):
                seen.add(edge.site)
                label = f"{edge.target.cls}.{edge.target.name}"
                yield at_call(
                    graph, cause, function, edge.site,
                    f"{label} runs on the event loop; its async twin is {name}",
                    culprit=label,
                    twin=name,
                )  # fmt: skip


def _gives_async(call: Call) -> bool:
    """Whether the call is given the async side of a client: `self._call(self.async_client.get)`."""
    return any(ref.__class__ is str and "async" in str(ref).lower() for ref in call.args)


def _stays_here(call: Call) -> bool:
    """Whether the call is told to look at what the process has at hand."""
    return any(_AT_HAND.search(name) and ref == ("c", True) for name, ref in call.kwargs)


def _both_called(body: Body, call: Call, twin: str) -> bool:
    """Whether the twin is awaited right there as well: it does not do the same."""
    owner = str(call.func).rpartition(".")[0]
    return any(
        each.awaited and each.func == f"{owner}.{twin}" and each.block == call.block
        for each in body.calls
    )


def run_in_place(graph: Graph, cause: Cause) -> Iterator[Finding]:
    """Somebody else's callable: awaited when it is async, run on the loop when it is not."""
    for function in graph.on_loop():
        if not function.is_async:
            continue
        body = function.body
        asked = [call.args[0] for call in body.calls if call.name in ASYNC_TESTS and call.args]
        awaited = {call.func for call in body.calls if call.awaited and call.func.__class__ is str}
        if not asked and not awaited:
            continue
        for index, call in enumerate(body.calls):
            func = call.func
            if func.__class__ is not str or call.awaited or call.deferred:
                continue
            if call.flags & extract.ARGUMENT and index not in asked:
                continue  # whoever takes the result awaits it
            if not _unknown(graph, function, index):
                continue
            both = func in awaited and _exclusive(function, func, index)
            if func in asked or both or _tested_result(function, index, asked):
                if handed_over(graph, function, func) or _only_if_async(body, index):
                    continue
                notice = _NOTICES.search(_bound_to(body, func).rpartition(".")[2])
                yield at_call(
                    graph, cause, function, index,
                    f"{func}(...) is awaited when it is async and else runs on the event loop; "
                    "use a thread for it",
                    culprit=f"{func}()",
                    confidence=POSSIBLE if notice or _settles(function, func) else LIKELY,
                )  # fmt: skip


def _only_if_async(body: Body, index: int) -> bool:
    """Whether the call stands in the very branch for callables that are async."""
    func = body.calls[index].func
    for each in body.ancestors(body.calls[index].block):
        block = body.blocks[each]
        ref = body.stmts[block.stmt - 1].value if block.kind == "if" and block.stmt else None
        if isinstance(ref, int) and not isinstance(ref, bool):
            test = body.calls[ref]
            if test.name in ASYNC_TESTS and test.args[:1] == (func,):
                return True
    return False


def _bound_to(body: Body, func: str) -> str:
    """What a local name stands for: `close` after `close = getattr(x, "aclose")`."""
    bound = body.bindings.get(func, [])
    ref = bound[0][0].value if len(bound) == 1 else None
    if ref.__class__ is str:
        return str(ref)
    if isinstance(ref, int) and not isinstance(ref, bool) and body.calls[ref].func == "getattr":
        name = body.calls[ref].args[1] if len(body.calls[ref].args) > 1 else None
        if name.__class__ is tuple and name[0] == "s":
            return str(name[1])
    return func


def _settles(function: Function, func: str) -> bool:
    """Whether it is what a decorator of the project wraps, which knows what it is put on, or is
    called once, when something is registered."""
    outer = function.scope
    wrapped = bool(outer.qual) and any(name == func for name, _, _ in outer.params)
    return wrapped or function.name.startswith(("register", "setup", "configure"))


def _unknown(graph: Graph, function: Function, index: int) -> bool:
    """Whether the callee is whatever somebody passed in."""
    func = function.body.calls[index].func
    value = graph.program.callee(function, index)
    if value is not None and value[0] != "ext":
        return bool(value[0] == "param" and func == value[2])
    if value is not None and not value[1].endswith(".Callable"):
        return False
    root = func.partition(".")[0]
    known = graph.program.name(function, root)
    if "." not in func:
        return known is None and root in function.body.bindings
    first = function.params[0][0] if function.params and function.owner is not None else ""
    if root != first or func.count(".") != 1 or function.owner is None:
        return False
    attr = func.partition(".")[2]
    return attr in function.owner.attrs or attr in function.owner.self_attrs


def _exclusive(function: Function, func: str, index: int) -> bool:
    """Whether the plain call and the awaited one stand in different branches of one `if`."""
    body = function.body
    here = body.ancestors(body.calls[index].block)
    for call in body.calls:
        if call.func == func and call.awaited:
            there = body.ancestors(call.block)
            if here[0] != there[0]:
                return True
    return False


def _tested_result(function: Function, index: int, asked: list[Ref]) -> bool:
    """`result = f(); if iscoroutine(result): ...`"""
    if index in asked:
        return True
    body = function.body
    position = body.stmt_of(index)
    if position >= len(body.stmts):
        return False
    stmt = body.stmts[position]
    return stmt.value == index and any(name in asked for name in stmt.writes)


def offloaded_elsewhere(graph: Graph, cause: Cause) -> Iterator[Finding]:
    """Calls that the project itself hands to a thread in another place."""
    for function in graph.on_loop():
        if not function.is_async:
            continue
        for edge in graph.edges(function):
            if edge.primitive is not None or edge.confidence == POSSIBLE:
                continue
            place = graph.offloaded(edge.target if edge.target is not None else edge.dotted)
            call = function.body.calls[edge.site]
            if place is None and edge.target is None and _WIRE_VERBS.match(call.name):
                # What one method of an object waits for, its others do as well.
                owner, _, name = edge.dotted.rpartition(".")
                if not graph.program.knowledge.in_set("pure", edge.dotted):
                    place = graph.offloads_of(owner) if name else None
            if place is None or call.awaited or place[0] is function:
                continue
            if edge.target is not None and not (
                graph.opaque(edge.target) and not edge.target.is_async
            ):
                continue
            if edge.target is None and not _outside(edge.dotted):
                continue
            where = f"{place[0].path}:{place[0].body.calls[place[1]].line}"
            label = edge.target.label if edge.target is not None else edge.dotted
            yield at_call(
                graph, cause, function, edge.site,
                f"{label} runs on the event loop here; {where} hands it, or another method of "
                "the same object, to a thread",
                culprit=label,
            )  # fmt: skip


def _outside(dotted: str) -> bool:
    """A third-party call: neither a builtin nor from the standard library."""
    if dotted.endswith(".Callable"):
        return False  # a type that has nothing to say of what is called
    return dotted.partition(".")[0] not in sys.stdlib_module_names and not dotted.startswith(
        "builtins."
    )


def unknown_client(graph: Graph, cause: Cause) -> Iterator[Finding]:
    """Methods of an outside library's client, where nothing of that library is ever awaited."""
    knowledge = graph.program.knowledge
    calls = (
        (function, edge, function.body.calls[edge.site])
        for function in graph.on_loop()
        for edge in graph.edges(function)
        if edge.target is None and edge.primitive is None and edge.dotted
    )
    for function, edge, call in calls:
        if is_awaited(call) or not _outside(edge.dotted) or edge.confidence == POSSIBLE:
            continue
        parts = edge.dotted.split(".")
        if len(parts) < 3:
            continue
        owner = parts[-2].removesuffix("()").removesuffix("[]")
        if not (_CLIENTS.search(owner) and owner[:1].isupper() and _WIRE_VERBS.match(parts[-1])):
            continue
        if "Async" in owner or "aio" in parts[0] or "async" in edge.dotted:
            continue
        if knowledge.in_set("pure", edge.dotted) or call.name in _TAKES_COROUTINES:
            continue
        if graph.awaits_of(parts[0]):
            continue
        yield at_call(
            graph, cause, function, edge.site,
            f"{edge.dotted} is called without await, as every call of {parts[0]} in this project: "
            "it looks like a synchronous client on the event loop",
            culprit=edge.dotted,
        )  # fmt: skip
