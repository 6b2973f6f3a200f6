"""What runs on the event loop, how the loop comes there, and the effects beneath it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from slowpath.program.calls import CERTAIN, COMMON, CONFIDENCE, LIKELY, POSSIBLE, Edge
from slowpath.program.entries import find_entries
from slowpath.program.model import Call, Function
from slowpath.program.nearest import Reached, find_nearest
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


@dataclass
class Graph(Waits):
    """The call graph; what is asked of it is worked out once and kept."""

    entries: dict[Function, str] = field(default_factory=dict)
    _blocking: dict[Function, tuple[Reached, ...]] = field(default_factory=dict)
    _ways: dict[Function, Way] | None = None
    _on_loop: list[Function] | None = None
    _offloaded: dict[object, tuple[Function, int]] | None = None

    def __post_init__(self) -> None:
        self.entries = find_entries(self.program)

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

    def offloaded(self) -> dict[object, tuple[Function, int]]:
        """What is handed to a thread anywhere: functions and outside names, with the place."""
        if self._offloaded is None:
            self._offloaded = {}
            for function in self.program.functions():
                if function.mentions(*_OFFLOAD_WORDS):
                    self._note_offloaded(function, self._offloaded)
        return self._offloaded

    def _note_offloaded(
        self, function: Function, found: dict[object, tuple[Function, int]]
    ) -> None:
        for index, call in enumerate(function.body.calls):
            position = self.offload_position(function, index)
            if position is None or len(call.args) <= position:
                continue
            value = self.program.value(function, call.args[position])
            while value is not None and value[0] == "part":
                value = value[1]
            if value is None:
                continue
            if value[0] in ("fn", "meth") or value[0] == "ext":
                found.setdefault(value[1], (function, index))

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
        by_name = knowledge.offload_method(call.name)
        return by_name[0] if by_name is not None else None

    def own(self, hops: tuple[tuple[Function, int], ...]) -> tuple[tuple[Function, int], ...]:
        """The part of a way that lies in the project, before it enters a package."""
        libraries = self.program.libraries
        kept = tuple(each for each in hops if each[0].module not in libraries)
        return kept or hops

    # -- how the loop gets there -------------------------------------------------------------

    def on_loop(self) -> list[Function]:
        """Functions that the loop itself starts: coroutine functions, and plain entries."""
        if self._on_loop is None:
            self._on_loop = [
                function
                for function in self.program.functions()
                if function.is_async or function in self.entries
            ]
        return self._on_loop

    def reached(self) -> Iterator[Function]:
        """Every function whose body the loop runs, plain ones called from coroutines included."""
        if self._ways is None:
            self._ways = self._walk()
        yield from self._ways

    def way(self, function: Function) -> Way:
        """The shortest way from an entry, from a framework's own entry where there is one."""
        if self._ways is None:
            self._ways = self._walk()
        known = self._ways.get(function)
        return known if known is not None else Way(function, "coroutine")

    def _walk(self) -> dict[Function, Way]:
        ways: dict[Function, Way] = {}
        queue: deque[Function] = deque()
        for function, kind in self.entries.items():
            ways[function] = Way(function, kind)
            queue.append(function)
        self._spread(ways, queue)
        # What no framework calls: each coroutine function is an entry of its own.
        lone = [function for function in self.on_loop() if function not in ways]
        for function in lone:
            ways[function] = Way(function, "coroutine")
        queue.extend(lone)
        self._spread(ways, queue)
        return ways

    def _spread(self, ways: dict[Function, Way], queue: deque[Function]) -> None:
        while queue:
            function = queue.popleft()
            way = ways[function]
            for edge in self.edges(function):
                target = edge.target
                if target is None or target in ways or edge.confidence == POSSIBLE:
                    continue
                ways[target] = Way(way.entry, way.kind, (*way.hops, (function, edge.site)))
                queue.append(target)


def _may_wait(call: Call) -> bool:
    return call.name not in COMMON and call.name[:1].islower()


def _harmless(dotted: str) -> bool:
    return dotted.partition(".")[0] in _HARMLESS
