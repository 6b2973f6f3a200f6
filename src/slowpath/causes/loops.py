"""Calls that run once for each item of a loop; what n-plus-one and sequential-awaits share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from slowpath.program.graph import Edge, Graph
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


_STORES = re.compile(r"(^|_)(repo|repos|repository|repositories|dao|uow|crud|db|database|orm)$")
_EVENTS = re.compile(
    r"(^|_)(queue|listen|listener|subscribe|subscription|events?|messages?|reader|websocket|ws|"
    r"socket|channel|ch|updates|watch|consume|consumer|receive|receiver|recv|pubsub|iter_messages|"
    r"read_loop|incoming|inbox|stream|frames?)($|_)"
)
_MANY_REMOTES = re.compile(
    r"(^|_|\.)(servers|clients|connections|providers|backends|endpoints|peers|nodes)"
    r"(\.values|\.items)?$"
)
# The calls that bring rows.
_FETCHING = frozenset(
    "all first one one_or_none scalar scalars scalar_one count get get_one fetchone fetchall "
    "fetchmany exec find_one select query".split()
)
_REMOTES = re.compile(r"(^|_)(client|api|sdk|gateway)$")


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
        if loop is None or body.blocks[loop].kind not in ("for", "comp", "afor"):
            continue
        if _not_data(body, loop) or _guarded(body, call, index, loop):
            continue
        if body.blocks[loop].kind == "afor" and _of_events(body, loop):
            continue
        if not _depends(body, call, index, loop):
            continue
        io = graph.call_io(function, index) or _offloaded(graph, function, index)
        if not io and not graph.edges_at(function, index):
            io = _by_receiver(body, call, loop)
        if io:
            yield Repeated(index, loop, io)


def gathered(graph: Graph, function: Function) -> Iterator[Repeated]:
    """Calls for each item of a comprehension that are all handed to `gather()`."""
    if not function.mentions("gather"):
        return
    body = function.body
    for gather in body.calls:
        if gather.name != "gather" or not gather.awaited or not gather.starred:
            continue
        for ref in gather.args:
            if ref.__class__ is str:
                bound = body.bindings.get(str(ref), ())
                ref = bound[0][0].value if len(bound) == 1 else None
            index = ref[1] if ref.__class__ is tuple and ref[0] == "L" else None
            if not isinstance(index, int) or isinstance(index, bool):
                continue
            loop = body.loop_of(body.calls[index].block)
            if loop is None or body.blocks[loop].kind != "comp" or _not_data(body, loop):
                continue
            io = graph.call_io(function, index)
            if io and _depends(body, body.calls[index], index, loop):
                yield Repeated(index, loop, io)


def _offloaded(graph: Graph, function: Function, index: int) -> frozenset[str]:
    """What a thread waits for on behalf of the call: `to_thread(requests.get, url)`."""
    position = graph.offload_position(function, index)
    args = function.body.calls[index].args
    if position is None or len(args) <= position:
        return frozenset()
    value = graph.program.value(function, args[position])
    if value is not None and value[0] == "ext":
        primitive = graph.program.knowledge.primitive(value[1])
        if primitive is not None and primitive.effect in ("net", "db"):
            return frozenset({primitive.effect})
    return frozenset()


def _by_receiver(body: Body, call: Call, loop: int) -> frozenset[str]:
    """What a look-up on a receiver nobody knows waits for, by what the receiver is called."""
    func = call.func
    if not isinstance(func, str) or not is_lookup(call.name):
        return frozenset()
    if _over_remotes(body, loop, func.partition(".")[0]):
        return frozenset({"net"})
    if not (call.args or call.kwargs):
        return frozenset()
    owner = func.rpartition(".")[0].lower()
    last = owner.rpartition(".")[2]
    if _STORES.search(last) or _STORES.search(owner.rpartition(".")[0].rpartition(".")[2]):
        return frozenset({"db"})
    return frozenset({"net"}) if _REMOTES.search(last) else frozenset()


def _over_remotes(body: Body, loop: int, name: str) -> bool:
    """`for server in self.servers`: each item is the other end of a wire."""
    head = body.stmts[_head(body, loop)]
    names = {each.rpartition("]")[2] for each in head.writes}
    source = body.calls[head.value].func if head.value.__class__ is int else head.value
    return name in names and isinstance(source, str) and bool(_MANY_REMOTES.search(source))


def repeated_queries(
    graph: Graph, function: Function
) -> Iterator[tuple[int, int, tuple[tuple[Function, int], ...]]]:
    """Plain calls that look something up in a database for each item of a loop around them.

    Yields:
        (call, the loop's block, the calls beneath it that make the query).
    """
    body = function.body
    if not any(block.kind in ("for", "comp") for block in body.blocks):
        return
    told = set()
    for edge in graph.edges(function):
        call = body.calls[edge.site]
        loop = body.loop_of(call.block)
        if loop is None or call.awaited or edge.confidence == 0:
            continue
        if body.blocks[loop].kind not in ("for", "comp") or _not_data(body, loop):
            continue
        hops = _query_beneath(graph, edge, call)
        if hops is None or _guarded(body, call, edge.site, loop):
            continue
        if (call.line, loop) not in told and _depends(body, call, edge.site, loop):
            told.add((call.line, loop))
            yield edge.site, loop, hops


def _query_beneath(graph: Graph, edge: Edge, call: Call) -> tuple[tuple[Function, int], ...] | None:
    """The calls down to the query that a call makes: () if it is one, None if there is none."""
    if edge.primitive is not None:
        return () if edge.primitive.effect == "db" and call.name in _FETCHING else None
    if edge.target is None or edge.target.is_async or not is_lookup(call.name):
        return None
    for each in graph.blocking(edge.target):
        site, index = each.hops[-1]
        name = site.body.calls[index].name
        if each.primitive.effect == "db" and each.confidence and name in _FETCHING:
            return each.hops
    return None


def is_lookup(name: str) -> bool:
    """Whether a name speaks of reading something, so that many could be read at once."""
    return bool(_LOOKUPS.match(name)) or name.endswith("_exists")


def several_requests(calls: list[Repeated], loop: int) -> bool:
    """Whether each turn of a loop makes more than one request, one after another."""
    return sum(each.loop == loop and each.io == {"net"} for each in calls) > 1


def leaves_early(body: Body, loop: int) -> bool:
    """Whether a turn may end the loop with `break`."""
    return any(
        stmt.kind == "b" and body.loop_of(stmt.block) == loop
        for stmt in body.stmts[_head(body, loop) :]
    )


def ends_there(body: Body, index: int, loop: int) -> bool:
    """Whether a loop is over with the call: `raise f(x)`, `return f(x)`."""
    position = body.stmt_of(index)
    if position >= len(body.stmts) or body.blocks[loop].kind in ("comp", "acomp"):
        return False
    return body.stmts[position].kind in "rx"


def batched(body: Body, index: int) -> bool:
    """Whether a query asks for many at once: `select(Order).where(Order.id.in_(ids))`."""
    return any(
        body.calls[each].name == "in_" for each in _made_of(body, index) if each < len(body.calls)
    )


def _made_of(body: Body, index: int, depth: int = 12) -> set[int]:
    """The calls that a call's arguments are made of, those of a name that holds them included."""
    found: set[int] = set()
    call = body.calls[index]
    todo: list[object] = [*call.args, *(ref for _, ref in call.kwargs)]
    while todo and len(found) < depth:
        ref = todo.pop()
        if ref.__class__ is str:
            bound = body.bindings.get(str(ref), [])
            todo += [stmt.value for stmt, _ in bound if stmt.kind == "a"]
        elif isinstance(ref, int) and not isinstance(ref, bool) and ref not in found:
            found.add(ref)
            inner = body.calls[ref]
            todo += [inner.func, *inner.args] if inner.func.__class__ is tuple else inner.args
        elif ref.__class__ is tuple and ref and ref[0] == ".":
            todo.append(ref[1])
    return found


def _of_events(body: Body, loop: int) -> bool:
    """`async for message in queue`: each item comes when it comes."""
    return any(_EVENTS.search(word) for word in words_of(body, body.stmts[_head(body, loop)].value))


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
        call = body.calls[value]
        if call.name in _COUNTERS:
            return True
        value = call.func
        if isinstance(value, str) and call.name in ("items", "keys", "values"):
            value = value.rpartition(".")[0]
        elif call.name in ("enumerate", "sorted", "reversed") and call.args:
            value = call.args[0]
        else:
            return False
    if isinstance(value, str):
        return value.rpartition(".")[2].isupper() or _is_literal(body, value)
    # A handful of literals is not data either.
    return value.__class__ is tuple and value[0] in ("t", "s", "d")


def _is_literal(body: Body, name: str) -> bool:
    """Whether a name holds a display that the function writes out, and nothing is added to it."""
    bound = body.bindings.get(name, [])
    # In a branch it is only what a single item becomes.
    value = bound[0][0].value if len(bound) == 1 and not bound[0][0].block else None
    if value.__class__ is not tuple or value[0] not in ("t", "d") or not value[1]:
        return False
    return not any(name + "[]" in stmt.writes for stmt in body.stmts) and not any(
        call.func in (f"{name}.append", f"{name}.extend", f"{name}.update") for call in body.calls
    )


def is_write(name: str) -> bool:
    """Whether a name speaks of changing or sending something, in an order that may matter."""
    return name.lstrip("_").startswith(
        ("send", "write", "put", "publish", "emit", "delete", "update", "create", "close", "stop",
         "start", "remove", "process", "handle", "run", "execute", "sleep", "push", "register",
         "unregister", "connect", "disconnect", "apply", "set", "add", "dispatch", "post", "insert",
         "upsert", "save", "store", "sync", "cancel", "shutdown", "join", "wait", "aclose", "yield",
         "patch", "append", "recover", "schedule", "enqueue", "trigger", "launch", "spawn",
         "submit", "notify", "record")
    )  # fmt: skip


def names_bound_in(body: Body, loop: int) -> set[str]:
    """Names that each turn of the loop binds, its target first of all."""
    found = set()
    inside = {loop}
    for number, block in enumerate(body.blocks):  # those around come first
        if block.parent in inside:
            inside.add(number)
    for stmt in body.stmts[_head(body, loop) :]:
        if stmt.block in inside:
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
    if words & names:
        return True
    # Comparisons and texts keep no reference to what they are made of; the statement does.
    read = {word for each in body.stmts[position].reads for word in _WORD.findall(each)}
    return bool(read & names)


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
