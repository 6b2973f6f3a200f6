"""What a call waits for, anywhere beneath it: the database, or the network."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from slowpath.program.calls import POSSIBLE, Calls
from slowpath.program.model import Call, Function
from slowpath.program.reader import READER

_NOTHING: frozenset[str] = frozenset()

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


#: What is surely waited for beneath a function, and what is in all.
Io = tuple[frozenset[str], frozenset[str]]


class Local(NamedTuple):
    """What one function adds to what is waited for, before anything beneath it is looked at.

    Attributes:
        own: what its own calls are known to wait for.
        targets: functions whose waiting is its own.
        doubtful: (functions, kind): that kind is waited for if none of the functions waits for
            anything; the name of the call says so, or it awaits what it was given.
    """

    own: frozenset[str]
    targets: tuple[Function, ...]
    doubtful: tuple[tuple[tuple[Function, ...], str], ...]


@dataclass
class Waits(Calls):
    """The calls of the project, and what they wait for.

    Attributes:
        known_waits: gives what somebody else knows of a function's waits, or None.
        known_io: gives what is waited for beneath a function if an earlier scan found that out
            and it still holds, or None.
    """

    known_waits: Callable[[Function], Local | None] | None = None
    known_io: Callable[[Function], Io | None] | None = None

    _io: dict[Function, frozenset[str]] = field(default_factory=dict)
    _sure: dict[Function, frozenset[str]] = field(default_factory=dict)
    _local: dict[Function, Local] = field(default_factory=dict)

    def io(self, function: Function) -> frozenset[str]:
        """What a call of this function waits for, anywhere beneath: "db", "net", "unknown"."""
        if function.module is not READER.here:
            READER.follow(function)
        if function not in self._io:
            self._find_io(function)
        return self._io[function]

    def call_io(self, function: Function, index: int) -> frozenset[str]:
        """What one call waits for."""
        if function.module is not READER.here:
            READER.follow(function)
        own, targets, kind = self._of_call(function, index)
        found = own.union(*[self.io(each) for each in targets])
        if kind and not own and not any(self._sure[each] for each in targets):
            found |= {kind}
        return found

    def _find_io(self, function: Function) -> None:
        """Work it out for a function and all beneath it, circles and all.

        First what is sure is handed up until nothing changes, then what is doubtful because
        nothing sure was found: so neither hangs on where one begins.
        """
        todo = [function]
        region: list[Function] = []
        callers: dict[Function, list[Function]] = defaultdict(list)
        while todo:
            each = todo.pop()
            if each in self._sure:
                continue
            known = self.known_io(each) if self.known_io is not None else None
            if known is not None:
                self._sure[each], self._io[each] = known
                continue
            region.append(each)
            self._sure[each] = frozenset()
            local = self.local_of(each)
            for target in local.targets:
                callers[target].append(each)
            todo.extend(local.targets)
        self._hand_up(region, callers, self._sure, {e: self._local[e].own for e in region})
        own = {}
        for each in region:
            local = self._local[each]
            own[each] = local.own.union(
                kind for targets, kind in local.doubtful if not any(map(self._sure.get, targets))
            )
        self._hand_up(region, callers, self._io, own)

    def _hand_up(
        self,
        region: list[Function],
        callers: dict[Function, list[Function]],
        found: dict[Function, frozenset[str]],
        own: dict[Function, frozenset[str]],
    ) -> None:
        for each in region:
            beneath = (found.get(target, _NOTHING) for target in self._local[each].targets)
            found[each] = own[each].union(*beneath)
        todo = list(region)
        while todo:
            each = todo.pop()
            for caller in callers[each]:
                if not found[each] <= found[caller]:
                    found[caller] |= found[each]
                    todo.append(caller)

    def known_local(self, function: Function) -> Local | None:
        """What a function adds by itself, if anybody wanted to know."""
        return self._local.get(function)

    def found_io(self, function: Function) -> Io | None:
        """What `known_io` tells of a function, if anybody wanted to know."""
        sure = self._sure.get(function)
        return (sure, self._io[function]) if sure is not None else None

    def local_of(self, function: Function) -> Local:
        """What a function adds by itself to what is waited for."""
        known = self._local.get(function)
        if known is None and self.known_waits is not None:
            known = self.known_waits(function)
            if known is not None:
                self._local[function] = known
        if known is None:
            with self.program.afresh(function.module):
                known = self._local[function] = self._locally(function)
        return known

    def _locally(self, function: Function) -> Local:
        found: set[str] = set()
        beneath: dict[Function, None] = {}
        doubtful = []
        for index, _ in enumerate(function.body.calls):
            own, targets, kind = self._of_call(function, index)
            found |= own
            beneath.update(dict.fromkeys(targets))
            if kind and not own:
                doubtful.append((targets, kind))
        if function.awaits and not found and not any(c.awaited for c in function.body.calls):
            doubtful.append((tuple(beneath), "unknown"))  # it awaits what it was given
        return Local(frozenset(found), tuple(beneath), tuple(doubtful))

    def _of_call(
        self, function: Function, index: int
    ) -> tuple[frozenset[str], tuple[Function, ...], str]:
        """What a call waits for by itself, what it leads to, and what its name speaks of."""
        found: set[str] = set()
        targets = []
        call = function.body.calls[index]
        edges = self._leads_at(function, index)
        for edge in edges:
            if edge.primitive is not None and edge.primitive.effect in ("db", "net"):
                found.add(edge.primitive.effect)
            elif edge.target is not None:
                if edge.confidence > POSSIBLE or edge.target.runs_async:
                    targets.append(edge.target)
            elif call.awaited:
                found |= self._external_io(edge.dotted)
        return frozenset(found), tuple(targets), _spoken(call, not edges) if call.awaited else ""

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


def _spoken(call: Call, alone: bool) -> str:
    """What the name of an awaited call speaks of; `alone` if nothing is known of what it calls."""
    name = call.name
    if (name in _QUERY_NAMES and (call.args or call.kwargs)) or _gets_entity(call):
        return "db"
    if (name in _HTTP_VERBS and _is_address(call)) or (
        alone and _WIRE.match(name) and call.kwargs + call.args
    ):
        return "net"
    return ""


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
