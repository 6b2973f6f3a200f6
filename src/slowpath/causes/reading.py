"""What the causes' `scan` parts share: from places in the code to findings."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from slowpath.causes.base import Cause, Entry, Finding, Hop
from slowpath.causes.excuses import excused
from slowpath.program.duty import before_serving, of_command_line, off_duty
from slowpath.program.graph import CONFIDENCE, LIKELY, POSSIBLE, Graph, Reached
from slowpath.program.knowledge import BURNS
from slowpath.program.model import Body, Class, Function, Stmt

# One primitive under a helper that everybody calls is one defect, not a hundred.
_WAYS_SHOWN = 5
# Beyond so many steps some test on the way usually keeps the loop out: every call is one chance
# more that it does, and of what is told from further than this half is wrong.
_FAR = 6
# Nobody knows whether requests come to a coroutine that nobody is seen to call.
_FAR_ALONE = 5

# What hurts only in volume, or the first time, counts from so near.
_TELLING = {"light": 1, "middling": 2}

_JOINS = frozenset({"threading.Thread.join", "multiprocessing.Process.join"})
_ENDS = re.compile(
    r"^_*(async_|a)?(exit|stop|close|quit|shutdown|shut_down|terminate|cleanup|clean_up|__aexit__)"
    r"(_|$)"
)
_CACHES = frozenset({"functools.lru_cache", "functools.cache"})

Hops = tuple[tuple[Function, int], ...]


def doubt(function: Function, confidence: int) -> int:
    """Lower the confidence where the code is not what serves requests."""
    return POSSIBLE if off_duty(function.path) else confidence


def hop(step: tuple[Function, int]) -> Hop:
    function, index = step
    return Hop(function.path, function.body.calls[index].line, function.label)


def at(
    graph: Graph,
    cause: Cause,
    function: Function,
    line: int,
    message: str,
    *,
    end_line: int = 0,
    culprit: str = "",
    confidence: int = LIKELY,
    hops: Hops = (),
    top: Function | None = None,
) -> Finding:
    """A finding at a line of `function`.

    Args:
        hops: the calls from `top` (else from `function`) down to the line.
        top: the function on the loop that the way is looked up for.
    """
    way = graph.way(top or function)
    serves = not off_duty(way.entry.path)
    if not of_command_line(function.path) or not (serves or cause.everywhere):
        # What a service calls of a command line's files, the service waits for.
        confidence = min(doubt(function, confidence), doubt(way.entry, confidence))
    if confidence and not cause.anytime and before_serving(graph, top or function):
        confidence = POSSIBLE
    entry = Entry(way.kind, way.entry.path, way.entry.line, way.entry.label)
    chain = tuple(hop(each) for each in (*way.hops, *hops))
    if not chain or (chain[-1].path, chain[-1].line) != (function.path, line):
        chain = (*chain, Hop(function.path, line, function.label))
    return Finding(
        cause,
        function.path,
        line,
        function.label,
        message,
        end_line=end_line or line,
        culprit=culprit,
        confidence=CONFIDENCE[confidence],
        entry=entry,
        chain=chain,
        seen_by=("scan",),
    )


def also_made(found: Finding, cls: Class, attr: str) -> Finding:
    """The finding with a last hop to where the class makes what it keeps in an attribute."""
    name = f"self.{attr}"
    for method, _, _ in cls.self_attrs.get(attr, ()):
        function = cls.module.functions.get(method)
        if function is None:
            continue
        for stmt in function.body.stmts:
            if stmt.kind == "a" and name in stmt.writes and stmt.line != found.line:
                made = Hop(function.path, stmt.line, function.label)
                return replace(found, chain=(*found.chain, made))
    return found


def at_call(
    graph: Graph,
    cause: Cause,
    function: Function,
    index: int,
    message: str,
    *,
    culprit: str = "",
    confidence: int = LIKELY,
    below: Hops = (),
    twin: str = "",
) -> Finding:
    """A finding at call number `index` of a function on the loop.

    `below` are the calls beneath it that prove it; the chain ends with them.
    """
    call = function.body.calls[index]
    found = at(
        graph,
        cause,
        function,
        call.line,
        message,
        end_line=call.end_line,
        culprit=culprit or call.name,
        confidence=confidence,
        hops=((function, index),),
    )
    if below or twin:
        found = replace(found, chain=(*found.chain, *map(hop, below)), twin=twin)
    return found


def only_looked_into(body: Body, name: str, bound: Stmt) -> bool:
    """Whether all that is done with a name is to read its attributes, items or elements."""
    if "." in name or "[" in name or len(body.bindings.get(name, ())) != 1:
        return False
    seen = False
    for stmt in body.stmts:
        if stmt is bound:
            continue
        bare = stmt.reads.count(name) - stmt.reads.count(name + "[]")
        if (
            stmt.kind == "f"
            and stmt.value == name
            and body.blocks[stmt.block].kind in ("for", "comp")
        ):
            bare -= 1
            seen = True
        if bare > 0:
            return False
        seen = seen or any(r.startswith((name + ".", name + "[")) for r in stmt.reads)
    return seen


def reaching(graph: Graph, cause: Cause, effects: frozenset[str]) -> Iterator[Finding]:
    """Calls of primitives with one of these effects that the loop makes, near or far.

    The finding stands at the last line that is the project's own; its chain says how the loop
    comes there. Of many ways to one line `few_ways` leaves the shortest.
    """
    for top in graph.on_loop():
        for each in graph.blocking(top):
            if each.primitive.effect not in effects:
                continue
            own = graph.own(each.hops)
            if excused(graph, own, each.primitive.name):
                continue
            site, index = own[-1]
            call = site.body.calls[index]
            found = at(
                graph,
                cause,
                site,
                call.line,
                _sentence(top, each),
                end_line=call.end_line,
                culprit=each.primitive.name,
                confidence=_confidence(graph, top, each),
                hops=own,
                top=top,
            )
            yield replace(found, rank=len(each.hops))


def few_ways(findings: list[Finding]) -> Iterator[Finding]:
    """Of many ways to one line the few shortest."""
    ways: Counter[tuple[str, int]] = Counter()
    for found in sorted(findings, key=lambda each: each.rank):
        if found.rank:
            ways[found.path, found.line] += 1
            if ways[found.path, found.line] > _WAYS_SHOWN:
                continue
        yield found


def _confidence(graph: Graph, top: Function, reached: Reached) -> int:
    confidence = reached.confidence
    weight = reached.primitive.weight
    alone = graph.way(top).kind == "coroutine"
    if weight == "light" and reached.primitive.effect in BURNS:
        return POSSIBLE  # small texts, as a rule
    if weight in _TELLING:
        near = len(reached.hops) <= _TELLING[weight]
        confidence = min(confidence, LIKELY if near else POSSIBLE)
    if graph.way(top).kind == "lifespan":
        return POSSIBLE  # nobody is served yet
    if reached.primitive.name in _JOINS and any(_ENDS.match(f.name) for f, _ in reached.hops):
        return POSSIBLE  # as a rule the end of the program
    if any(_kept_for_good(graph, function) for function, _ in reached.hops[1:]):
        return POSSIBLE  # the first time only
    if len(reached.hops) > (_FAR_ALONE if alone else _FAR) or _does_not_wait(reached):
        return POSSIBLE
    return doubt(top, confidence)


def _kept_for_good(graph: Graph, function: Function) -> bool:
    """Whether the function's one result is kept: a cache without a key."""
    keys = [name for name, _, _ in function.params if name != "cls"]
    return not keys and any(name in _CACHES for name in graph.program.decorator_names(function))


def _does_not_wait(reached: Reached) -> bool:
    """A socket that its module sets not to block, or one of datagrams, which asks nobody."""
    if not reached.primitive.name.startswith("socket.socket."):
        return False
    site = reached.hops[-1][0]
    module = site.module
    if reached.primitive.name.endswith(".connect") and site.mentions(
        "SOCK_DGRAM", "socket.SOCK_DGRAM"
    ):
        return True
    return any(f.mentions("setblocking", "BlockingIOError") for f in module.functions.values())


_SAID = {
    "sleep": "sleeps",
    "net": "waits for the network",
    "db": "waits for the database",
    "disk": "waits for the disk",
    "process": "waits for a process",
    "dns": "waits for a name server",
    "input": "waits for the keyboard",
    "lock": "waits for a lock",
    "cpu": "computes",
    "serialize": "turns data into text",
}


def _sentence(top: Function, reached: Reached) -> str:
    primitive = reached.primitive
    steps = len(reached.hops) - 1
    where = "" if not steps else f", {steps} call{'s' if steps > 1 else ''} below {top.label}"
    cure = f"; use {primitive.twin}" if primitive.twin else ""
    return f"{primitive.name} {_SAID[primitive.effect]} on the event loop{where}{cure}"
