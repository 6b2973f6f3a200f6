"""What runs on the event loop, how the loop comes there, and the effects beneath it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from slowpath.program import extract
from slowpath.program.calls import CERTAIN, COMMON, CONFIDENCE, LIKELY, POSSIBLE, Edge
from slowpath.program.duty import off_duty, once
from slowpath.program.index import Index, Pair
from slowpath.program.model import Call, Function, Module
from slowpath.program.nearest import Reached, find_nearest
from slowpath.program.reader import READER
from slowpath.program.ways import Way, Ways

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


@dataclass
class Graph(Ways):
    """The call graph; what is asked of it is worked out once and kept.

    Causes go through the project by `functions`, `files`, `on_loop`, `reached`, `served`,
    `in_threads` and `entry_functions`, so that they can be asked of some files alone; what they
    want to know of all files they look up in an index.

    Attributes:
        focus: the files that are gone through.
        recall: called with a function and a question before a conclusion is drawn; an earlier
            scan may have drawn it, and it goes into the function's memo.
    """

    focus: Sequence[Module] = ()
    recall: Callable[[Function, Any], None] | None = None
    _blocking: dict[Function, tuple[Reached, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.focus = self.program.files

    def first_indexes(self) -> tuple[Index, ...]:
        """What calls are resolved by, and where the loop begins."""
        return (*self.program.shared_indexes(), self.entry_index(), self.threaded_index())

    def later_indexes(self) -> tuple[Index, ...]:
        """What is dear to find once calls are resolved."""
        return self._offload_index(), self._awaited_index(), self._called_index()

    def starts(self) -> Iterator[Function]:
        """Where everything begins that matters to anybody."""
        yield from self.entries
        yield from (each for each in self.program.functions() if each.is_async)
        yield from map(self.program.function_of, self.threaded_index().table())

    # -- what blocks -------------------------------------------------------------------------

    def blocking(self, function: Function) -> tuple[Reached, ...]:
        """Primitives that stop or burn the thread when this function's body runs, nearest first.

        Async functions called from it are left out: they are reached in their own right.
        """
        if function.module is not READER.here:
            READER.follow(function)
        if function not in self._blocking:
            find_nearest(function, self._leads, self._blocking)
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
        for others. In a circle, or too deep, it is None. It may be kept for the next scan, when
        lines are others: places are told by the numbers of calls.
        """
        key = (f"{draw.__module__}:{draw.__qualname__}", *args)
        if self.recall is not None and function.module is not READER.here:
            self.recall(function, key)
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

    def callers_elsewhere(self, function: Function) -> list[Function] | None:
        """What the loop runs in other files, tests and the like apart, that calls a function.

        None if one of them does so again and again, or hands the call to somebody else.
        """
        keys = self._called_index().get(function.key)
        return None if "" in keys else [self.program.function_of(key) for key in keys]

    def _called_index(self) -> Index:
        return self.program.index("called elsewhere", self._called_in)

    def _called_in(self, module: Module) -> Iterator[Pair]:
        if off_duty(module.path):
            return
        pairs = {
            (edge.target.key, function.key if once(function, edge.site) else ""): None
            for function in module.functions.values()
            if self.is_reached(function)
            for edge in self.edges(function)
            if edge.target is not None and edge.target.module is not module
        }
        yield from pairs

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
