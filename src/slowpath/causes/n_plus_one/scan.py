"""Queries, and look-ups over the network, made once for each item of a loop."""

from __future__ import annotations

import re
from collections.abc import Iterator

from slowpath.causes.base import Finding
from slowpath.causes.branches import left_out, passed
from slowpath.causes.carried import carried_over, of_its_own
from slowpath.causes.loops import (
    batched,
    ends_there,
    gathered,
    is_lookup,
    is_write,
    leaves_early,
    repeated,
    repeated_queries,
    several_requests,
)
from slowpath.causes.n_plus_one import CAUSE
from slowpath.causes.n_plus_one.lazy import lazy_loads
from slowpath.causes.reading import at_call
from slowpath.causes.threads import in_thread
from slowpath.program.extract import Ref
from slowpath.program.graph import LIKELY, POSSIBLE, Graph
from slowpath.program.model import Function

# A look-up over the network counts from so near.
_NEAR = 4
# Beyond so many calls a query is one of many things that may happen.
_FAR = 7
# What such a call gives, a process has at hand, after the first time at least.
_OWN = re.compile(
    r"(^|_)(lock|instance|logger|config|settings|client|session|pool|engine|factory)$"
)
# What gives things out, of which nobody knows where they are.
_HANDS_OUT = re.compile(r"_*get(_|$)")
# Names of what need not ask anybody.
_DECIDES = re.compile(r"_*(resolve|validate|ensure|compute|calculate|populate|load)(_|$)")
# Done once for a database, by whoever looks after it.
_ONCE = re.compile(r"_*(migrate|upgrade|downgrade|initdb|init_db|bootstrap|seed|backfill)")
_SESSIONS = re.compile(r"(session|transaction|begin|uow|unit_of_work)(_|$)", re.I)
_CHANGES = frozenset(
    "enqueue delete insert update write send save upsert rollback rebuild migrate process create "
    "store publish apply union".split()
)


def scan(graph: Graph) -> Iterator[Finding]:
    """Yield look-ups in loops; a loop that changes something for each item is only possible."""
    yield from lazy_loads(graph)
    yield from _in_threads(graph)
    for function in graph.on_loop():
        yield from _all_at_once(graph, function)
        calls = list(repeated(graph, function))
        for each in calls:
            call = function.body.calls[each.site]
            path = graph.io_path(function, each.site)
            direct = len(path) == 1
            gives = len(path) <= _NEAR and _gives(function, each.site)
            lookup = is_lookup(call.name) or ((direct or gives) and _reads(*path[-1]))
            lookup = lookup or (direct and _refreshes_row(function, each.site, each.loop))
            targets = {edge.target for edge in graph.edges_at(function, each.site)} - {None}
            if function in targets:
                continue  # a walk down a tree
            if targets and not _asks(graph, function, each.site, each.io):
                continue  # what is passed makes the query needless
            if "db" not in each.io and not (targets and is_lookup(call.name)):
                continue  # a plain request for each item is a matter of order, not of number
            if "db" not in each.io and several_requests(calls, each.loop):
                continue
            if _OWN.search(call.name) or len(path) > _FAR:
                lookup = False
            if each.io == {"unknown"} and _HANDS_OUT.match(call.name):
                lookup = False  # perhaps at hand
            if _ONCE.match(function.name) or ends_there(function.body, each.site, each.loop):
                lookup = False
            if _apart(function, each.site, each.loop) and not _reads(*path[-1]):
                lookup = False  # each item has a transaction of its own, on purpose
            if of_its_own(function.body, each.site, each.loop):
                lookup = False  # no query can ask several databases
            if batched(function.body, each.site):
                lookup = False  # the ids are given together; the loop goes over kinds of them
            if "db" not in each.io and (len(path) > _NEAR or _DECIDES.match(call.name)):
                lookup = False  # so far down it is one of many things that may happen
            if leaves_early(function.body, each.loop) or carried_over(
                function.body, each.site, each.loop
            ):
                lookup = False  # a search, or one try after another
            what = "a query" if "db" in each.io else "a look-up"
            yield at_call(
                graph, CAUSE, function, each.site,
                f"{call.name}(...) runs {what} for every item of the loop at line "
                f"{function.body.blocks[each.loop].line}",
                confidence=LIKELY if lookup else POSSIBLE,
                below=path[1:],
            )  # fmt: skip


def _all_at_once(graph: Graph, function: Function) -> Iterator[Finding]:
    """`gather(*[get(i) for i in ids])`: as many queries, and as many connections at a time."""
    for each in gathered(graph, function):
        call = function.body.calls[each.site]
        path = graph.io_path(function, each.site)
        if each.io != {"db"} or not is_lookup(call.name) or len(path) > _NEAR:
            continue
        if _OWN.search(call.name) or _DECIDES.match(call.name):
            continue
        yield at_call(
            graph, CAUSE, function, each.site,
            f"{call.name}(...) runs a query for every item, all of them at once: ask for the "
            "items with one query",
            below=path[1:],
        )  # fmt: skip


def _refreshes_row(function: Function, index: int, loop: int) -> bool:
    """`for row in rows: await session.refresh(row)`: what is there already is read once more."""
    body = function.body
    call = body.calls[index]
    return call.name == "refresh" and call.args[:1] == body.stmts[body.blocks[loop].stmt].writes[:1]


def _gives(function: Function, index: int) -> bool:
    """Whether a call is made for what it gives, not for what it changes."""
    body = function.body
    first, *others = body.calls[index].name.strip("_").split("_")
    if first == "upload" or is_write(first) or not _CHANGES.isdisjoint(others):
        return False
    position = body.stmt_of(index)
    stmt = body.stmts[position] if position < len(body.stmts) else None
    return stmt is not None and not (stmt.kind == "e" and stmt.value == index)


def _asks(
    graph: Graph,
    function: Function,
    index: int,
    wanted: frozenset[str],
    said: dict[str, Ref] | None = None,
    depth: int = _NEAR,
) -> bool:
    """Whether a call waits for what is wanted, given what it passes on: `if rows is None: ...`."""
    if not depth:
        return True
    edges = graph.edges_at(function, index)
    for edge in edges:
        target = edge.target
        if target is None or target is function:
            return True
        known = passed(function, index, target, said or {})
        inner = range(len(target.body.calls))
        waits = [each for each in inner if graph.call_io(target, each) & wanted]
        if not waits or any(
            not left_out(target, each, known)
            and _asks(graph, target, each, wanted, known, depth - 1)
            for each in waits
        ):
            return True
    return not edges


def _apart(function: Function, index: int, loop: int) -> bool:
    """Whether each turn opens a session, in which the query is made."""
    body = function.body
    for each in body.ancestors(body.calls[index].block):
        if each == loop:
            return False
        block = body.blocks[each]
        if block.kind in ("with", "awith") and block.stmt < len(body.stmts):
            value = body.stmts[block.stmt].value
            if value.__class__ is int and _SESSIONS.search(body.calls[value].name):
                return True
    return False


def _in_threads(graph: Graph) -> Iterator[Finding]:
    """The same where plain routes, or plain helpers of the loop, make their queries."""
    for function in graph.served():
        if function.is_async:
            continue
        way = graph.thread_way(function)
        for site, loop, hops in repeated_queries(graph, function):
            call = function.body.calls[site]
            if _OWN.search(call.name) or len(hops) > _NEAR or batched(function.body, site):
                continue
            if ends_there(function.body, site, loop) or carried_over(function.body, site, loop):
                continue
            finding = at_call(
                graph, CAUSE, function, site,
                f"{call.name}(...) runs a query for every item of the loop at line "
                f"{function.body.blocks[loop].line}",
                confidence=POSSIBLE if leaves_early(function.body, loop) else LIKELY,
                below=hops,
            )  # fmt: skip
            yield in_thread(finding, way) if way is not None else finding


def _reads(function: Function, index: int) -> bool:
    return is_lookup(function.body.calls[index].name) or _selects(function, index)


def _selects(function: Function, index: int) -> bool:
    """Whether the statement that is executed reads: `select(...)` or a text that begins so."""
    body = function.body
    call = body.calls[index]
    if not call.args:
        return False
    ref = call.args[0]
    if ref.__class__ is str:
        bound = body.bindings.get(ref)
        ref = bound[-1][0].value if bound else None
    for _ in range(8):
        if ref.__class__ is tuple and ref[0] == "s":
            return str(ref[1]).lstrip().lower().startswith(("select", "with"))
        if ref.__class__ is not int:
            return False
        inner = body.calls[ref]
        if inner.name in ("select", "query"):
            return True
        if inner.name == "text" and inner.args:
            ref = inner.args[0]
        elif inner.func.__class__ is tuple and inner.func[0] == ".":
            ref = inner.func[1]
        else:
            return False
    return False
