"""Awaits that could overlap: neighbours without data between them, and loops over the network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from slowpath.causes.base import Finding
from slowpath.causes.loops import (
    is_lookup,
    is_write,
    names_bound_in,
    repeated,
    several_requests,
    words_of,
)
from slowpath.causes.reading import at_call
from slowpath.causes.sequential_awaits import CAUSE
from slowpath.causes.sequential_awaits.collected import collected, kept_for_others
from slowpath.causes.sessions import its_own_session
from slowpath.program.graph import LIKELY, Graph
from slowpath.program.model import Body, Function, Stmt

# What carries one conversation: two calls on it cannot overlap, whatever the code says.
_SHARED = frozenset(
    "session db db_session conn connection cursor cur tx transaction ws websocket reader writer "
    "lock page stream sess uow unit_of_work".split()
)

# A model is asked for something of each item: nothing changes on the other side.
_ASKS = re.compile(r"\.(embeddings|images|moderations|transcriptions)\.(create|generate)$")
_READS = frozenset(
    "get head request download to_file transcribe embed aembed ainvoke acompletion aembedding "
    "fetchone read_text aread generate summarize translate classify rerank arerank".split()
)
_TAKES_UP = frozenset("bool int float str list tuple set frozenset dict len sorted".split())
_BRINGS = re.compile(r"(^|_)(all|page|paginate|paginated|rows|items|records|results|data)(_|$)")
_HELD = frozenset({"with", "awith"})
# So many statements may stand between two awaits.
_BETWEEN = 6


def scan(graph: Graph) -> Iterator[Finding]:
    for function in graph.on_loop():
        if function.is_async:
            yield from _in_loops(graph, function)
            yield from _neighbours(graph, function)
            yield from _side_by_side(graph, function)


def _in_loops(graph: Graph, function: Function) -> Iterator[Finding]:
    """One request after another for items that do not need each other."""
    body = function.body
    calls = list(repeated(graph, function))
    told = set()  # of several in a loop, one finding is enough
    for each in calls:
        call = body.calls[each.site]
        own = any(edge.target is not None for edge in graph.edges_at(function, each.site))
        if "net" not in each.io or "db" in each.io:
            continue
        if _ordered(body, each.loop) or words_of(body, call.func) & _SHARED:
            continue
        if own and not (is_lookup(call.name) and several_requests(calls, each.loop)):
            if not collected(body, each.site, each.loop):
                continue
            if kept_for_others(graph, function, each.site):
                continue
        elif not _ASKS.search(str(call.func)) and not _reads(_name(graph, function, each.site)):
            continue
        if each.loop in told or _written_before(body, each.site, each.loop):
            continue
        told.add(each.loop)
        yield at_call(
            graph, CAUSE, function, each.site,
            f"{call.name}(...) is awaited for one item after another (loop at line "
            f"{body.blocks[each.loop].line}); the items do not need each other",
        )  # fmt: skip


def _written_before(body: Body, index: int, loop: int) -> bool:
    """Whether the turn waits for a change first, which what it reads may show."""
    return any(
        call.awaited and is_write(call.name) and loop in body.ancestors(call.block)
        for call in body.calls[:index]
    )


def _name(graph: Graph, function: Function, index: int) -> str:
    """What is called in the end: `get` of `to_thread(requests.get, url)` as well."""
    call = function.body.calls[index]
    position = graph.offload_position(function, index)
    if position is not None and len(call.args) > position:
        return str(call.args[position]).rpartition(".")[2]
    return call.name


def _reads(name: str) -> bool:
    return (is_lookup(name) or name in _READS) and not is_write(name)


def _ordered(body: Body, loop: int) -> bool:
    """Whether a turn may end the loop, hand something out, or build on the turn before."""
    bound = names_bound_in(body, loop)
    written: set[str] = set()
    for stmt in body.stmts[body.blocks[loop].stmt :]:
        if loop not in body.ancestors(stmt.block):
            continue
        if stmt.kind in "bry":
            return True
        if stmt.kind == "g":
            written.update(stmt.writes)
        elif stmt.kind == "a":
            for name in stmt.writes:
                bare = name.rpartition("]")[2] if name[0] == "[" else name
                # Read before it is written: it carries something over from the last turn.
                if bare in bound and bare in stmt.reads:
                    return True
    return False


def _neighbours(graph: Graph, function: Function) -> Iterator[Finding]:
    """Two awaits in one block, the second of which needs nothing that comes from the first."""
    body = function.body
    earlier: list[_Earlier] = []
    told: _Earlier | None = None  # of three in a row, one finding is enough
    for position, stmt in enumerate(body.stmts):
        index = _only_await(body, position, stmt)
        if index is not None:
            now = _Earlier(stmt, index)
            for each in reversed(earlier):
                if each.stmt.block != stmt.block or each.touches(stmt):
                    continue
                message = _independent(graph, function, each.index, index)
                if message:
                    if told is None:
                        yield at_call(graph, CAUSE, function, index, message, confidence=LIKELY)
                    told = now
                    break
        earlier = [each for each in earlier if each.goes_on(body, position, stmt)]
        if told is not None and told.stmt is not stmt and not told.goes_on(body, position, stmt):
            told = None
        if index is not None and stmt.writes != (
            "_",
        ):  # nobody wants it: it is there to fail first
            earlier.append(now)


def _side_by_side(graph: Graph, function: Function) -> Iterator[Finding]:
    """`Page(user=await get_user(x), offers=await get_offers(x))`, or the parts of a display."""
    body = function.body
    if sum(call.awaited for call in body.calls) < 2:
        return
    parts = [
        (*call.args, *(ref for _, ref in call.kwargs))
        for call in body.calls
        if len(call.args) + len(call.kwargs) > 1
    ]
    parts += [
        stmt.value[1]
        for stmt in body.stmts
        if stmt.value.__class__ is tuple and stmt.value and stmt.value[0] in ("t", "d")
    ]
    for refs in parts:
        found = [each for each in (_within(body, ref) for ref in refs) if each is not None]
        awaited = [
            each for each in found if body.calls[each].awaited and not body.calls[each].deferred
        ]
        for first, second in pairwise(awaited):
            message = _independent(graph, function, first, second)
            if message:
                yield at_call(graph, CAUSE, function, second, message, confidence=LIKELY)
                break  # of three in a row, one finding is enough


class _Earlier:
    """An await, and the names that hang on what it gave."""

    def __init__(self, stmt: Stmt, index: int) -> None:
        self.stmt, self.index = stmt, index
        self.hanging = {_bare(name) for name in stmt.writes}
        self.passed = 0

    def touches(self, stmt: Stmt) -> bool:
        return not self.hanging.isdisjoint(map(_bare, stmt.reads))

    def goes_on(self, body: Body, position: int, stmt: Stmt) -> bool:
        """Whether the two could still overlap if this stood between them; it notes what hangs."""
        self.passed += 1
        if self.passed > _BETWEEN or stmt.kind in "ryxbwf":
            return False
        if self.stmt.block not in body.ancestors(stmt.block) or _changes(body, position, stmt):
            return False
        if stmt.kind == "i" and self.touches(stmt):
            return False  # what is done from here on may hang on it
        if self.touches(stmt):
            self.hanging.update(map(_bare, stmt.writes))
        return True


def _changes(body: Body, position: int, stmt: Stmt) -> bool:
    """Whether a statement waits for something to be done, rather than for an answer."""
    first = body.stmts[position - 1].calls_end if position else 0
    calls = body.calls[first : stmt.calls_end]
    return any(call.awaited and (stmt.kind == "e" or is_write(call.name)) for call in calls)


def _bare(name: str) -> str:
    return (
        name.rpartition("]")[2].partition(".")[0]
        if name[:1] == "["
        else name.partition(".")[0].partition("[")[0]
    )


def _only_await(body: Body, position: int, stmt: Stmt) -> int | None:
    """The awaited call that the statement consists of: `x = await f()`, `x = bool(await f())`."""
    if stmt.kind != "a" or not stmt.writes:
        return None
    index = _within(body, stmt.value)
    if index is None:
        return None
    call = body.calls[index]
    return index if call.awaited and not call.deferred else None


def _within(body: Body, ref: object) -> int | None:
    """The call beneath what only takes its answer up: `list(...)`, an attribute, an element."""
    for _ in range(4):
        if ref.__class__ is tuple and ref[0] in (".", "[]"):
            ref = ref[1]
        elif not isinstance(ref, int) or isinstance(ref, bool):
            return None
        else:
            call = body.calls[ref]
            if call.awaited or call.name not in _TAKES_UP or len(call.args) != 1 or call.kwargs:
                return ref
            ref = call.args[0]
    return None


def _independent(graph: Graph, function: Function, first: int, second: int) -> str:
    """A sentence if two calls, neither of which gives the other anything, could overlap, or ""."""
    body = function.body
    one, two = body.calls[first], body.calls[second]
    io_one, io_two = graph.call_io(function, first), graph.call_io(function, second)
    known = frozenset({"db", "net"})
    if not io_one & known or not io_two & known or one.func == two.func == "":
        return ""
    if not (is_lookup(one.name) and is_lookup(two.name)) and not _counts(one.name, two.name):
        return ""
    if io_one & known != io_two & known and body.inside(one.block, _HELD):
        return ""  # a session is held meanwhile: that is the worse of the two
    words_one = _given(body, first)
    words_two = _given(body, second)
    shared = words_one & words_two & _SHARED
    if not shared and all(its_own_session(graph, function, each) for each in (first, second)):
        return f"{two.name}(...) does not need {one.name}(...), yet waits for it"
    if shared or ("db" in io_one and "db" in io_two and _one_session(body, one.func, two.func)):
        # A page and its count: worth a second session, since both read the same rows.
        if not (_counts(one.name, two.name) and len(_filters(one) & _filters(two)) >= 2):
            return ""
        return f"{one.name}(...) and {two.name}(...) read the same rows one after the other"
    return f"{two.name}(...) does not need {one.name}(...), yet waits for it"


def _given(body: Body, index: int) -> set[str]:
    """Every name that a call is made of, and what its receiver was made of: `Service(db)`."""
    words = words_of(body, index)
    func = body.calls[index].func
    owner = str(func).partition(".")[0] if func.__class__ is str else ""
    for stmt, _ in body.bindings.get(owner, ()):
        if stmt.kind == "a":
            words |= words_of(body, stmt.value)
    return words


def _counts(one: str, two: str) -> bool:
    """Whether one of them counts what the other one, which changes nothing, brings."""
    if ("count" in two) == ("count" in one):
        return False
    other = one if "count" in two else two
    return is_lookup(other) or bool(_BRINGS.search(other))


def _filters(call: object) -> set[str]:
    kwargs = getattr(call, "kwargs", ())
    return {value for _, value in kwargs if value.__class__ is str} - _SHARED


def _one_session(body: Body, one: object, two: object) -> bool:
    """Two queries on one object: its connection takes them one by one."""
    if one.__class__ is not str or two.__class__ is not str:
        return True
    return str(one).rpartition(".")[0] == str(two).rpartition(".")[0]
