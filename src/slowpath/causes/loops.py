"""Calls that run once for each item of a loop; what n-plus-one and sequential-awaits share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from slowpath.program.graph import Graph
from slowpath.program.model import LOOPS, Body, Call, Function

_WORD = re.compile(r"[A-Za-z_]\w*")
_BATCH = re.compile(r"(batch|chunk|page|slice|block)(_\w+)?$", re.I)
# Loops that repeat one thing, or wait for the next one, rather than go through data.
_COUNTERS = frozenset({"range", "count", "cycle", "repeat", "tqdm"})
_LOOKUPS = re.compile(
    r"^_*(async_|a)?(get|list|read|fetch|find|check|count|lookup|look_up|resolve|validate|verify|"
    r"is|has|query|select|search|exists|can|scalar|scalars|load|filter|first|one|retrieve|ensure|"
    r"lookup|compute|calculate|describe|hydrate|enrich|populate)(_|$|[A-Z])"
)


class Repeated(NamedTuple):
    """A call in a loop over data: its number, the loop's block, and what it waits for."""

    site: int
    loop: int
    io: frozenset[str]


def repeated(graph: Graph, function: Function) -> Iterator[Repeated]:
    """Awaited calls that depend on the item of a `for` loop or comprehension around them."""
    body = function.body
    if not any(block.kind in LOOPS for block in body.blocks):
        return
    for index, call in enumerate(body.calls):
        if not call.awaited or call.deferred:
            continue
        loop = body.loop_of(call.block)
        if loop is None or body.blocks[loop].kind not in ("for", "comp"):
            continue
        if _not_data(body, loop) or _guarded(body, call, index, loop):
            continue
        if not _depends(body, call, index, loop):
            continue
        io = graph.call_io(function, index)
        if io:
            yield Repeated(index, loop, io)


def is_lookup(name: str) -> bool:
    """Whether a name speaks of reading something, so that many could be read at once."""
    return bool(_LOOKUPS.match(name))


def several_requests(calls: list[Repeated], loop: int) -> bool:
    """Whether each turn of a loop makes more than one request, one after another."""
    return sum(each.loop == loop and each.io == {"net"} for each in calls) > 1


def leaves_early(body: Body, loop: int) -> bool:
    """Whether a turn may end the loop with `break`."""
    return any(
        stmt.kind == "b" and body.loop_of(stmt.block) == loop
        for stmt in body.stmts[_head(body, loop) :]
    )


def _head(body: Body, loop: int) -> int:
    return body.blocks[loop].stmt


def _not_data(body: Body, loop: int) -> bool:
    """A loop over a counter (retries, polling) or over batches."""
    position = _head(body, loop)
    if position >= len(body.stmts):
        return True
    head = body.stmts[position]
    if any(_BATCH.search(name) for name in head.writes):
        return True  # a call for each batch is the cure, not the illness
    value = head.value
    if value.__class__ is int:
        return body.calls[value].name in _COUNTERS
    # A handful of literals is not data either.
    return value.__class__ is tuple and value[0] in ("t", "s")


def is_write(name: str) -> bool:
    """Whether a name speaks of changing or sending something, in an order that may matter."""
    return name.lstrip("_").startswith(
        ("send", "write", "put", "publish", "emit", "delete", "update", "create", "close", "stop",
         "start", "remove", "process", "handle", "run", "execute", "sleep", "push", "register",
         "unregister", "connect", "disconnect", "apply", "set", "add", "dispatch", "post", "insert",
         "upsert", "save", "store", "sync", "cancel", "shutdown", "join", "wait", "aclose", "yield")
    )  # fmt: skip


def names_bound_in(body: Body, loop: int) -> set[str]:
    """Names that each turn of the loop binds, its target first of all."""
    found = set()
    for stmt in body.stmts[_head(body, loop) :]:
        if loop in body.ancestors(stmt.block):
            for name in stmt.writes:
                found.update(_WORD.findall(name.rpartition("]")[2].partition(".")[0]))
    return found


def _depends(body: Body, call: Call, index: int, loop: int) -> bool:
    position = body.stmt_of(index)
    if position >= len(body.stmts):
        return True
    names = names_bound_in(body, loop)
    words = set()
    for ref in (call.func, *call.args, *(value for _, value in call.kwargs)):
        words |= words_of(body, ref)
    return bool(words & names)


def words_of(body: Body, ref: object, depth: int = 4) -> set[str]:
    """Every name that an expression is made of."""
    if ref.__class__ is str:
        return set(_WORD.findall(str(ref)))
    if isinstance(ref, int) and not isinstance(ref, bool):
        if not depth or ref >= len(body.calls):
            return set()
        call = body.calls[ref]
        found = words_of(body, call.func, depth - 1)
        for each in (*call.args, *(value for _, value in call.kwargs)):
            found |= words_of(body, each, depth - 1)
        return found
    if isinstance(ref, tuple) and ref:
        if ref[0] in ("s", "c"):
            return set()
        found = set()
        for each in ref[1:] if ref[0] != "." else ref[1:2]:
            if isinstance(each, tuple) and ref[0] in ("t", "d", "|"):
                for inner in each:
                    found |= words_of(body, inner, depth)
            elif each is not None:
                found |= words_of(body, each, depth)
        return found
    return set()


def _guarded(body: Body, call: Call, index: int, loop: int) -> bool:
    """A call whose answer is kept for the next turn, or that only handles a failure."""
    block = call.block
    while block != loop and block >= 0:
        if body.blocks[block].kind in ("except", "finally"):
            return True
        block = body.blocks[block].parent
    position = body.stmt_of(index)
    if position >= len(body.stmts):
        return False
    stmt = body.stmts[position]
    for name in stmt.writes:
        if name.endswith("[]"):
            read = sum(name in each.reads or name[:-2] in each.reads for each in body.stmts)
            tested = any(
                each.kind == "i" and name[:-2] in each.reads
                for each in body.stmts[:position]
                if loop in body.ancestors(each.block)
            )
            if tested and read > 0:
                return True
    return False
