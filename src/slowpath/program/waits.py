"""What a call waits for, anywhere beneath it: the database, or the network."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from slowpath.program.calls import POSSIBLE, Calls
from slowpath.program.model import Call, Function

_IO_DEPTH = 12

# Awaited methods of these names are a query whatever they are called on.
_QUERY_NAMES = frozenset(
    "execute executemany fetch_all fetch_one fetch_val fetchrow fetchval scalars scalar "
    "execute_fn execute_query find_one insert_one update_one delete_one count_documents "
    "scalar_one scalar_one_or_none aget afirst alast acount aexists acreate aget_or_create "
    "aupdate_or_create abulk_create aaggregate".split()
)
# Awaited methods of receivers nobody knows that speak of a wire.
_WIRE = re.compile(
    r"^_*(a|async_)?(request|fetch|download|upload|head|invoke|ainvoke|acompletion|completion|"
    r"(get|list|head|describe|read|query|search|fetch|download|upload|put|post|delete|generate|"
    r"presign|retrieve|batch_get|copy)_(object|blob|file|item|url|document|message|user|page|"
    r"record|model|embedding|completion|text|data|json|content|info|metadata|html|response)s?"
    r"(_[a-z_]+)?)$"
)
_HTTP_VERBS = frozenset("get post put patch delete head options request stream".split())


@dataclass
class Waits(Calls):
    """The calls of the project, and what they wait for."""

    _io: dict[Function, frozenset[str]] = field(default_factory=dict)

    def io(self, function: Function, depth: int = 0) -> frozenset[str]:
        """What a call of this function waits for, anywhere beneath: "db", "net", "unknown"."""
        known = self._io.get(function)
        if known is not None:
            return known
        self._io[function] = frozenset()
        found: set[str] = set()
        if depth < _IO_DEPTH:
            for index, _ in enumerate(function.body.calls):
                found |= self.call_io(function, index, depth + 1)
                if {"db", "net"} <= found:
                    break
            if not found and function.awaits and not any(c.awaited for c in function.body.calls):
                found.add("unknown")  # it awaits what it was given
        result = self._io[function] = frozenset(found)
        return result

    def call_io(self, function: Function, index: int, depth: int = 0) -> frozenset[str]:
        """What one call waits for."""
        found: set[str] = set()
        call = function.body.calls[index]
        for edge in self.edges_at(function, index):
            if edge.primitive is not None and edge.primitive.effect in ("db", "net"):
                found.add(edge.primitive.effect)
            elif edge.target is not None:
                if edge.confidence > POSSIBLE or edge.target.is_async:
                    found |= self.io(edge.target, depth)
            elif call.awaited:
                found |= self._external_io(edge.dotted)
        if not found and call.awaited:
            name = call.name
            if (name in _QUERY_NAMES and (call.args or call.kwargs)) or _gets_entity(call):
                found.add("db")
            elif (name in _HTTP_VERBS and _is_address(call)) or (
                not self.edges_at(function, index) and _WIRE.match(name) and call.kwargs + call.args
            ):
                found.add("net")
        return frozenset(found)

    def io_path(
        self, function: Function, index: int, depth: int = 8
    ) -> tuple[tuple[Function, int], ...]:
        """The calls from one that waits down to the one that talks to the other side."""
        here = ((function, index),)
        wanted = self.call_io(function, index)
        for edge in self.edges_at(function, index):
            target = edge.target
            if target is None or not depth or target is function:
                continue
            for inner in range(len(target.body.calls)):
                if self.call_io(target, inner) & wanted:
                    return here + self.io_path(target, inner, depth - 1)
        return here

    def _external_io(self, dotted: str) -> frozenset[str]:
        knowledge = self.program.knowledge
        if knowledge.in_set("query", dotted):
            return frozenset({"db"})
        if knowledge.in_set("async_net", dotted):
            return frozenset({"net"})
        owner, _, name = dotted.rpartition(".")
        owner = owner.removesuffix("()")
        if _WIRE.match(name) and owner.endswith(("Client", "Api", "API", "SDK", "Service")):
            return frozenset({"net"})
        return frozenset()


def _gets_entity(call: Call) -> bool:
    """`await session.get(Author, 7)`, whatever made the session."""
    if call.name not in ("get", "get_one") or len(call.args) < 2 or call.func.__class__ is not str:
        return False
    owner = call.func.rpartition(".")[0].rpartition(".")[2]
    entity = call.args[0]
    return owner.endswith(("session", "db")) and entity.__class__ is str and entity[:1].isupper()


def _is_address(call: Call) -> bool:
    """Whether the call is given a path or URL as text: `await anything.get("/orders")`."""
    return any(
        ref.__class__ is tuple and ref[0] == "s" and ref[1].startswith(("/", "http://", "https://"))
        for ref in call.args[:2]
    )
