"""Where the event loop begins, and how it comes from there to each function."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from slowpath.program.calls import POSSIBLE
from slowpath.program.duty import off_duty
from slowpath.program.entries import find_entries, threaded_routes
from slowpath.program.index import Index, Pair
from slowpath.program.model import Function, Module
from slowpath.program.reader import READER, at_work
from slowpath.program.waits import Waits

_KIND_LAST = "coroutine"


@dataclass(slots=True)
class Way:
    """How the loop comes to a function: the entry, then every call on the way."""

    entry: Function
    kind: str
    hops: tuple[tuple[Function, int], ...] = ()


#: How the loop comes to a function: a call of another one, or the kind of entry that it is.
Origin = tuple[Function, int] | str
Origins = Mapping[Function, Origin]


@dataclass
class Ways(Waits):
    """The calls of the project, and the ways that lead along them."""

    _entries: dict[Function, str] | None = None
    _origins: Origins | None = None
    _threads: Origins | None = None

    @property
    def entries(self) -> dict[Function, str]:
        """What frameworks run on the loop, with its kind, in the order of the files."""
        if self._entries is None:
            with at_work(None):
                self._entries = self._find_entries()
        return self._entries

    def kind_of(self, function: Function) -> str | None:
        """What a framework runs on the loop there; None if nobody calls it but the project."""
        READER.follow(function)
        return self.entries.get(function)

    def _find_entries(self) -> dict[Function, str]:
        table = self.entry_index().table()
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

    def entry_index(self) -> Index:
        """What each file says of entries."""
        return self.program.index("entries", self._entries_in)

    def _entries_in(self, module: Module) -> Iterator[Pair]:
        for function, kind in find_entries(self.program, [module]).items():
            yield function.key, f"{kind}\0{module.path}"

    def is_reached(self, function: Function) -> bool:
        """Whether the loop runs the function's body."""
        READER.follow(function)
        return function in self.origins()

    def way(self, function: Function) -> Way:
        """The shortest way from an entry, from a framework's own entry where there is one."""
        READER.follow(function)
        return self._back(self.origins(), function) or Way(function, _KIND_LAST)

    def thread_way(self, function: Function) -> Way | None:
        """The shortest way from a plain route, if there is one."""
        READER.follow(function)
        return self._back(self.threads(), function)

    def _back(self, origins: Origins, function: Function) -> Way | None:
        hops: list[tuple[Function, int]] = []
        origin = origins.get(function)
        while isinstance(origin, tuple):
            hops.append(origin)
            function = origin[0]
            origin = origins.get(function)
        return Way(function, origin, tuple(reversed(hops))) if origin is not None else None

    def come_by(self, origins: Origins, threads: Origins) -> None:
        """Take from an earlier scan how the loop, and threads, come to functions."""
        self._origins, self._threads = origins, threads

    def origins(self) -> Origins:
        """Where the loop comes from to each function that it reaches."""
        if self._origins is None:
            with at_work(None):
                self._origins = self._walk()
        return self._origins

    def _walk(self) -> dict[Function, Origin]:
        # What no framework calls: each coroutine function is an entry of its own. Ways from
        # tests and the like come last: they are no reason to doubt what others come to.
        lone = [each for each in self.program.functions() if each.runs_async]
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

    def threads(self) -> Origins:
        """Where a thread comes from to each plain function that plain routes lead to."""
        if self._threads is None:
            with at_work(None):
                table = self.threaded_index().table()
                routes = [self.program.function_of(each) for each in table]
                threads: dict[Function, Origin] = dict.fromkeys(routes, "route")
                self._spread(threads, deque(threads), plain=True)
                self._threads = threads
        return self._threads

    def threaded_index(self) -> Index:
        """Plain routes of each file."""
        return self.program.index("threaded", self._threaded_in)

    def _threaded_in(self, module: Module) -> Iterator[Pair]:
        for function in threaded_routes(self.program, [module]):
            yield function.key, ""

    def _spread(
        self, origins: dict[Function, Origin], queue: deque[Function], plain: bool = False
    ) -> None:
        while queue:
            function = queue.popleft()
            for edge in self._leads(function):
                target = edge.target
                if target is None or target in origins or edge.confidence == POSSIBLE:
                    continue
                if plain and target.runs_async:
                    continue
                origins[target] = (function, edge.site)
                queue.append(target)
