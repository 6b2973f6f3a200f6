"""What runs on the event loop, how the loop comes there, and the effects beneath it."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from slowpath.program import extract
from slowpath.program.calls import CERTAIN, COMMON, CONFIDENCE, LIKELY, POSSIBLE, Edge
from slowpath.program.duty import off_duty
from slowpath.program.entries import find_entries, threaded_routes
from slowpath.program.index import Index, Pair
from slowpath.program.model import Call, Function, Module
from slowpath.program.nearest import Reached, find_nearest
from slowpath.program.reader import READER, at_work
from slowpath.program.waits import Waits

__all__ = [
    "CERTAIN",
    "CONFIDENCE",
    "LIKELY",
    "POSSIBLE",
    "Edge",
    "Graph",
    "Reached",
    "Way",
]

_OFFLOAD_WORDS = (
    "to_thread", "run_in_executor", "run_in_threadpool", "run_sync", "sync_to_async",
    "executor_job", "submit", "asyncify", "run_in_thread", "run_blocking", "deferToThread",
)  # fmt: skip
_HARMLESS = frozenset(
    "builtins typing logging json re math time datetime uuid functools itertools collections "
    "dataclasses enum copy inspect warnings contextlib operator string textwrap types base64 "
    "hashlib random secrets hmac struct urllib decimal fractions statistics asyncio contextvars "
    "abc traceback html unicodedata bisect heapq pydantic pydantic_core attr attrs structlog "
    "loguru orjson numpy rich os pathlib io weakref ast difflib platform sys binascii".split()
)


@dataclass(slots=True)
class Way:
    """How the loop comes to a function: the entry, then every call on the way."""

    entry: Function
    kind: str
    hops: tuple[tuple[Function, int], ...] = ()


#: How the loop comes to a function: a call of another one, or the kind of entry that it is.
Origin = tuple[Function, int] | str


@dataclass
class Graph(Waits):
    """The call graph; what is asked of it is worked out once and kept.

    Causes go through the project by `functions`, `files`, `on_loop`, `reached`, `served`,
    `in_threads` and `entry_functions`, so that they can be asked of some files alone; what they
    want to know of all files they look up in an index.

    Attributes:
        focus: the files that are gone through.
    """

    focus: Sequence[Module] = ()
    _entries: dict[Function, str] | None = None
    _blocking: dict[Function, tuple[Reached, ...]] = field(default_factory=dict)
    _origins: dict[Function, Origin] | None = None
    _threads: dict[Function, Origin] | None = None

    def __post_init__(self) -> None:
        self.focus = self.program.files

    @property
    def entries(self) -> dict[Function, str]:
        """What frameworks run on the loop, with its kind, in the order of the files."""
        if self._entries is None:
            with at_work(None):
                self._entries = self._find_entries()
        return self._entries

    def _find_entries(self) -> dict[Function, str]:
        table = self._entry_index().table()
        said: dict[Module, dict[Function, str]] = {}
        for key, kinds in table.items():
            function = self.program.function_of(key)
            # What a file says of its own functions counts first; dependencies last.
            each = [kind.split("\0") for kind in kinds]
            each.sort(key=lambda pair: (pair[0] == "dependency", pair[1] != function.path))
            said.setdefault(function.module, {})[function] = each[0][0]
        found: dict[Function, str] = {}
        for module in self.program.files:
            if module in said:
                kind_of = said[module]
                order = {name: number for number, name in enumerate(module.functions)}
                for function in sorted(kind_of, key=lambda each: order.get(each.qual, -1)):
                    found[function] = kind_of[function]
        return found

    def _entry_index(self) -> Index:
        return self.program.index("entries", self._entries_in)

    def first_indexes(self) -> tuple[Index, ...]:
        """What calls are resolved by, and where the loop begins."""
        return (*self.program.shared_indexes(), self._entry_index(), self._threaded_index())

    def later_indexes(self) -> tuple[Index, ...]:
        """What is dear to find once calls are resolved."""
        return self._offload_index(), self._awaited_index(), self._called_index()

    def starts(self) -> Iterator[Function]:
        """Where everything begins that matters to anybody."""
        yield from self.entries
        yield from (each for each in self.program.functions() if each.is_async)
        yield from map(self.program.function_of, self._threaded_index().table())

    def _entries_in(self, module: Module) -> Iterator[Pair]:
        for function, kind in find_entries(self.program, [module]).items():
            yield function.key, f"{kind}\0{module.path}"

    # -- what blocks -------------------------------------------------------------------------

    def blocking(self, function: Function) -> tuple[Reached, ...]:
        """Primitives that stop or burn the thread when this function's body runs, nearest first.

        Async functions called from it are left out: they are reached in their own right.
        """
        if function not in self._blocking:
            find_nearest(function, self.edges, self._blocking)
        return self._blocking[function]

    def opaque(self, function: Function, depth: int = 3) -> bool:
        """Whether something unknown, or known to block, may run beneath a function."""
        if function.is_stub and not function.is_async:
            return True
        edges = self.edges(function)
        resolved = {edge.site for edge in edges}
        return any(
            index not in resolved and not call.deferred and _may_wait(call)
            for index, call in enumerate(function.body.calls)
        ) or any(
            self.opaque(edge.target, depth - 1)
            if edge.target is not None
            else edge.primitive is not None or not _harmless(edge.dotted)
            for edge in edges
            if depth > 0 and not (edge.target is not None and edge.target.is_async)
        )

    def offloaded(self, what: Function | str) -> tuple[Function, int] | None:
        """Where a function, or an outside name, is first handed to a thread."""
        key = what if isinstance(what, str) else what.key
        places = self._offload_index().get(key)
        if not places:
            return None
        place, _, index = places[0].rpartition("\0")
        return self.program.function_of(place), int(index)

    def offloads_of(self, owner: str) -> tuple[Function, int] | None:
        """Where a method of an outside class is first handed to a thread."""
        return self.offloaded(owner + ".")

    def _offload_index(self) -> Index:
        return self.program.index("offloaded", self._offloads_in)

    def _offloads_in(self, module: Module) -> Iterator[Pair]:
        for function in (module.body, *module.functions.values()):
            if not function.mentions(*_OFFLOAD_WORDS):
                continue
            for index, call in enumerate(function.body.calls):
                position = self.offload_position(function, index)
                if position is None or len(call.args) <= position:
                    continue
                value = self.program.value(function, call.args[position])
                while value is not None and value[0] == "part":
                    value = value[1]
                if value is not None and value[0] in ("fn", "meth", "ext"):
                    what = value[1] if value[0] == "ext" else value[1].key
                    yield what, f"{function.key}\0{index}"
                    owner = value[1].rpartition(".")[0] if value[0] == "ext" else ""
                    if owner.count(".") and owner.rpartition(".")[2][:1].isupper():
                        yield owner + ".", f"{function.key}\0{index}"

    def offload_position(self, function: Function, index: int) -> int | None:
        """Position of the callable if the call runs one off the loop, else None."""
        knowledge = self.program.knowledge
        call = function.body.calls[index]
        value = self.program.callee(function, index)
        if value is not None and value[0] == "ext":
            offload = knowledge.offload(value[1])
            if offload is not None:
                return offload[0]
            if value[1].startswith(("builtins.", "subprocess.")):
                return None
        if value is not None and value[0] in ("fn", "meth"):
            own = self._hands_over_to_thread(value[1])
            if own is not None:
                return own
        by_name = knowledge.offload_method(call.name)
        return by_name[0] if by_name is not None else None

    def _hands_over_to_thread(self, function: Function) -> int | None:
        """Position of a parameter that a helper of the project itself gives to a thread."""
        found: int | None = self.conclude(handed_over, function) if function.params else None
        return found

    def own(self, hops: tuple[tuple[Function, int], ...]) -> tuple[tuple[Function, int], ...]:
        """The part of a way that lies in the project, before it enters a package."""
        libraries = self.program.libraries
        kept = tuple(each for each in hops if each[0].module not in libraries)
        return kept or hops

    # -- going through the project -----------------------------------------------------------

    def files(self) -> Iterator[Module]:
        """Every file."""
        yield from self.focus

    def functions(self) -> Iterator[Function]:
        """Every function, module bodies included."""
        for module in self.focus:
            yield module.body
            yield from module.functions.values()

    def entry_functions(self) -> Iterator[tuple[Function, str]]:
        """What frameworks run on the loop, with its kind."""
        for function in self.functions():
            kind = self.entries.get(function)
            if kind is not None:
                yield function, kind

    def on_loop(self) -> Iterator[Function]:
        """Functions that the loop itself starts: coroutine functions, and plain entries."""
        for function in self.functions():
            if function.is_async or function in self.entries:
                yield function

    def reached(self) -> Iterator[Function]:
        """Every function whose body the loop runs, plain ones called from coroutines included."""
        origins = self.origins()
        return (function for function in self.functions() if function in origins)

    def in_threads(self) -> Iterator[Function]:
        """Plain functions that plain routes lead to: a framework runs those in threads."""
        threads = self.threads()
        return (function for function in self.functions() if function in threads)

    def served(self) -> Iterator[Function]:
        """What the loop runs or a plain route leads to."""
        origins, threads = self.origins(), self.threads()
        return (each for each in self.functions() if each in origins or each in threads)

    # -- what is looked up over all files ----------------------------------------------------

    def has_loop(self) -> bool:
        """Whether the project has anything that the loop runs."""
        return bool(self.origins())

    def look_up(self, gather: Callable[[Graph, Module], Iterable[Pair]]) -> Index:
        """What a function of some module finds in each file, to be looked up over all of them."""
        word = f"{gather.__module__}:{gather.__qualname__}"
        return self.program.index(word, partial(gather, self))

    def anywhere(self, test: Callable[[Module, str], bool], what: str) -> bool:
        """Whether a test, a function of some module, is true of any file."""
        word = f"{test.__module__}:{test.__qualname__} {what}"
        return bool(self.program.index(word, partial(_tested, test, what)).get(what))

    def conclude(self, draw: Callable[..., Any], function: Function, *args: Any) -> Any:
        """Draw a conclusion about a function, once; `draw` is a function of some module.

        It is called with the graph, the function and what is given further, and may ask itself
        for others. In a circle, or too deep, it is None.
        """
        if function.module is not READER.here:
            READER.lean(function.module)
        key = (f"{draw.__module__}:{draw.__qualname__}", *args)
        return self.program.once(function, key, lambda: draw(self, function, *args))

    def concluded(self, function: Function, key: tuple[Any, ...]) -> Any:
        """What is concluded now where an earlier scan drew a conclusion."""
        module, _, name = key[0].partition(":")
        draw = getattr(sys.modules.get(module), name, None)
        return self.conclude(draw, function, *key[1:]) if draw is not None else None

    def index_of(self, word: str) -> Index | None:
        """The index that is known by a word; None for one that nobody knows any more."""
        if ":" not in word:
            self.first_indexes(), self.later_indexes(), self._import_index()
            return self.program.indexes.get(word)
        place, space, what = word.partition(" ")
        module, _, name = place.partition(":")
        function = getattr(sys.modules.get(module), name, None)
        if function is None:
            return None
        if not space:
            return self.look_up(function)
        return self.program.index(word, partial(_tested, function, what))

    def mentioned(self, name: str) -> bool:
        """Whether any function of the project mentions a name."""
        return self.anywhere(_mentions, name)

    def imported(self, module: str, name: str) -> bool:
        """Whether any file imports this name from that module."""
        return bool(self._import_index().get(f"{module}\0{name}"))

    def called_elsewhere(self, function: Function) -> bool:
        """Whether the loop calls a function from another file, tests and the like apart."""
        return bool(self._called_index().get(function.key))

    def _called_index(self) -> Index:
        return self.program.index("called elsewhere", self._called_in)

    def _called_in(self, module: Module) -> Iterator[Pair]:
        if off_duty(module.path):
            return
        targets = {
            edge.target: None
            for function in module.functions.values()
            if self.is_reached(function)
            for edge in self.edges(function)
            if edge.target is not None and edge.target.module is not module
        }
        yield from ((target.key, "") for target in targets)

    def _import_index(self) -> Index:
        return self.program.index("imported", _imports_of)

    def awaits_of(self, package: str) -> bool:
        """Whether the loop awaits any call of an outside package."""
        return bool(self._awaited_index().get(package))

    def _awaited_index(self) -> Index:
        return self.program.index("awaited", self._awaited_in)

    def _awaited_in(self, module: Module) -> Iterator[Pair]:
        found = set()
        for function in (module.body, *module.functions.values()):
            if function.is_async or function in self.entries:
                for edge in self.edges(function):
                    if edge.target is None and is_awaited(function.body.calls[edge.site]):
                        found.add(edge.dotted.partition(".")[0])
        return ((package, "") for package in sorted(found))

    # -- how the loop gets there -------------------------------------------------------------

    def is_reached(self, function: Function) -> bool:
        """Whether the loop runs the function's body."""
        return function in self.origins()

    def way(self, function: Function) -> Way:
        """The shortest way from an entry, from a framework's own entry where there is one."""
        return self._back(self.origins(), function) or Way(function, _KIND_LAST)

    def thread_way(self, function: Function) -> Way | None:
        """The shortest way from a plain route, if there is one."""
        return self._back(self.threads(), function)

    def _back(self, origins: dict[Function, Origin], function: Function) -> Way | None:
        hops: list[tuple[Function, int]] = []
        origin = origins.get(function)
        while isinstance(origin, tuple):
            hops.append(origin)
            function = origin[0]
            origin = origins.get(function)
        return Way(function, origin, tuple(reversed(hops))) if origin is not None else None

    def come_by(self, origins: dict[Function, Origin], threads: dict[Function, Origin]) -> None:
        """Take from an earlier scan how the loop, and threads, come to functions."""
        self._origins, self._threads = origins, threads

    def origins(self) -> dict[Function, Origin]:
        """Where the loop comes from to each function that it reaches."""
        if self._origins is None:
            with at_work(None):
                self._origins = self._walk()
        return self._origins

    def _walk(self) -> dict[Function, Origin]:
        # What no framework calls: each coroutine function is an entry of its own. Ways from
        # tests and the like come last: they are no reason to doubt what others come to.
        lone = [each for each in self.program.functions() if each.is_async]
        starts = [*self.entries.items(), *((each, _KIND_LAST) for each in lone)]
        origins: dict[Function, Origin] = {}
        for resting in (False, True):
            for listed in (True, False):
                new = {
                    function: kind
                    for function, kind in starts
                    if (kind != _KIND_LAST) is listed
                    and off_duty(function.path) is resting
                    and function not in origins
                }
                origins.update(new)
                self._spread(origins, deque(new))
        return origins

    def threads(self) -> dict[Function, Origin]:
        """Where a thread comes from to each plain function that plain routes lead to."""
        if self._threads is None:
            with at_work(None):
                table = self._threaded_index().table()
                routes = [self.program.function_of(each) for each in table]
                self._threads = dict.fromkeys(routes, "route")
                self._spread(self._threads, deque(self._threads), plain=True)
        return self._threads

    def _threaded_index(self) -> Index:
        return self.program.index("threaded", self._threaded_in)

    def _threaded_in(self, module: Module) -> Iterator[Pair]:
        for function in threaded_routes(self.program, [module]):
            yield function.key, ""

    def _spread(
        self, origins: dict[Function, Origin], queue: deque[Function], plain: bool = False
    ) -> None:
        while queue:
            function = queue.popleft()
            for edge in self.edges(function):
                target = edge.target
                if target is None or target in origins or edge.confidence == POSSIBLE:
                    continue
                if plain and target.is_async:
                    continue
                origins[target] = (function, edge.site)
                queue.append(target)


_KIND_LAST = "coroutine"


def handed_over(graph: Graph, function: Function) -> int | None:
    """Position of a parameter that a function gives to a thread."""
    if not function.mentions(*_OFFLOAD_WORDS):
        return None
    names = [name for name, _, _ in function.params[function.owner is not None :]]
    knowledge = graph.program.knowledge
    for index, call in enumerate(function.body.calls):
        value = graph.program.callee(function, index)
        found = knowledge.offload(value[1]) if value is not None and value[0] == "ext" else None
        found = found or knowledge.offload_method(call.name)
        if found is not None and len(call.args) > found[0] and call.args[found[0]] in names:
            return names.index(call.args[found[0]])
    return None


def is_awaited(call: Call) -> bool:
    """Whether a call is awaited, or given to somebody who may await it."""
    return call.awaited or bool(call.flags & extract.ARGUMENT)


def _tested(test: Callable[[Module, str], bool], what: str, module: Module) -> Iterator[Pair]:
    if test(module, what):
        yield what, ""


def _mentions(module: Module, name: str) -> bool:
    return any(each.mentions(name) for each in (module.body, *module.functions.values()))


def _imports_of(module: Module) -> Iterator[Pair]:
    for source, name in module.imports.values():
        yield f"{source}\0{name}", ""


def _may_wait(call: Call) -> bool:
    return call.name not in COMMON and call.name[:1].islower()


def _harmless(dotted: str) -> bool:
    return dotted.partition(".")[0] in _HARMLESS
