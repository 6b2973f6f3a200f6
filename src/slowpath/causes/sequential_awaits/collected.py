"""Loops that do no more than collect what each item's call gives."""

from __future__ import annotations

import re

from slowpath.causes.loops import is_write, words_of
from slowpath.program.graph import Graph
from slowpath.program.model import Body, Function, Stmt

_COLLECTS = frozenset({"append", "add", "extend", "update", "appendleft"})
_SLEEPS = frozenset({"sleep"})
# What is done with a tool or in a sandbox may show in the next turn.
_ACTS = re.compile(r"(^|_)(tool|sandbox|increment|incr|step|turn)(_|$)")


def collected(body: Body, index: int, loop: int) -> bool:
    """Whether a turn keeps the call's answer apart from those of other turns, and does no more.

    `[await f(x) for x in xs]`, `out.append(await f(x))`, `out[x] = await f(x)`, `x.y = await f(x)`;
    not where a turn waits for a moment, changes something on the other side, or gives the call
    what turns before it have collected.
    """
    call = body.calls[index]
    if is_write(call.name) or _ACTS.search(call.name):
        return False
    inside = _within(body, loop)
    if any(
        each.name in _SLEEPS or (each.awaited and is_write(each.name))
        for number, each in enumerate(body.calls)
        if each.block in inside and number != index
    ):
        return False
    given = words_of(body, call.func) | {
        word
        for ref in (*call.args, *(ref for _, ref in call.kwargs))
        for word in words_of(body, ref)
    }
    if _changed_in(body, inside, loop) & given:
        return False
    if body.blocks[loop].kind == "comp":
        return True
    position = body.stmt_of(index)
    return position < len(body.stmts) and _is_kept(body, index, body.stmts[position], inside, loop)


def _within(body: Body, loop: int) -> set[int]:
    inside = {loop}
    for number, block in enumerate(body.blocks):  # those around come first
        if block.parent in inside:
            inside.add(number)
    return inside


def _changed_in(body: Body, inside: set[int], loop: int) -> set[str]:
    """Names of what outlives a turn and is changed by it."""
    found: set[str] = set()
    for stmt in body.stmts:
        if stmt.block in inside and stmt.kind in "ag":
            found.update(
                name.rpartition("]")[2].partition(".")[0]
                if name[0] == "["
                else name.partition(".")[0].partition("[")[0]
                for name in stmt.writes
                if "." in name or name.endswith("[]")
            )
    for call in body.calls:
        if call.block in inside and call.name in _COLLECTS and call.func.__class__ is str:
            found.add(str(call.func).partition(".")[0])
    return found - _items(body, loop) - {"self"}


def _items(body: Body, loop: int) -> set[str]:
    head = body.stmts[body.blocks[loop].stmt]
    return {name.rpartition("]")[2] for name in head.writes}


def _is_kept(body: Body, index: int, stmt: Stmt, inside: set[int], loop: int) -> bool:
    """Whether the answer goes into a collection, or onto the item itself."""
    items = _items(body, loop)
    if stmt.kind == "e" and _given_to_collection(body, index):
        return True
    if stmt.kind != "a" or len(stmt.writes) != 1:
        return False
    name = stmt.writes[0]
    if name.endswith("[]") or name.partition(".")[0] in items:
        return True
    if "." in name or "[" in name:
        return False
    return _kept_later(body, name, inside)


def _given_to_collection(body: Body, index: int) -> bool:
    return any(call.name in _COLLECTS and _among(call.args, index) for call in body.calls)


def _among(refs: tuple[object, ...], index: int) -> bool:
    """Whether a call's answer, or a part of it, is among what is given."""
    for ref in refs:
        if ref == index and ref.__class__ is int:
            return True
        if ref.__class__ is tuple and ref and ref[0] in ("t", "d"):
            if _among(ref[1], index):
                return True
        elif ref.__class__ is tuple and ref and ref[0] in (".", "[]") and _among((ref[1],), index):
            return True
    return False


def _kept_later(body: Body, name: str, inside: set[int]) -> bool:
    """`page = await f(x)`, and `pages.append(page)` or `pages[x] = page` in the same turn."""
    for call in body.calls:
        if (
            call.block in inside
            and call.name in _COLLECTS
            and any(name in words_of(body, ref) for ref in call.args)
        ):
            return True
    return any(
        stmt.block in inside
        and stmt.kind == "a"
        and name in {r.partition(".")[0] for r in stmt.reads}
        and any(write.endswith("[]") for write in stmt.writes)
        for stmt in body.stmts
    )


def kept_for_others(graph: Graph, function: Function, index: int) -> bool:
    """Whether what a call brings is kept where the calls of other turns look for it first.

    A function around made the memo for this one walk: `if key not in known: known[key] = ...`.
    Were the turns to overlap, what several of them need would be asked for several times.
    """
    todo = [edge.target for edge in graph.edges_at(function, index)]
    seen: set[Function] = set()
    while todo:
        each = todo.pop()
        if each is None or each in seen or not each.parent or not each.runs_async:
            continue
        seen.add(each)
        if _looks_and_keeps(each):
            return True
        todo += [edge.target for edge in graph.edges(each)]
    return False


def _looks_and_keeps(function: Function) -> bool:
    """Whether it puts into a mapping of the function around what it did not find there."""
    body = function.body
    around = function.scope.body.bindings
    own = {*body.bindings, *(name for name, _, _ in function.params)}
    looked = {read[:-1] for stmt in body.stmts for read in stmt.reads if read[-1:] == "?"}
    looked |= {str(call.func)[: -len(".get")] for call in body.calls if call.name == "get"}
    return any(
        name.endswith("[]") and name[:-2] in looked and name[:-2] in around and name[:-2] not in own
        for stmt in body.stmts
        if stmt.kind == "a"
        for name in stmt.writes
    )
