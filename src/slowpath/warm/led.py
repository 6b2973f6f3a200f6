"""Where calls lead after an edit, how the loop comes to functions, and what lies beneath them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from slowpath.program.changes import unmistakable
from slowpath.program.graph import Graph
from slowpath.program.model import Function
from slowpath.program.packing import Packed, PackedOrigins, Packing
from slowpath.program.shift import LineMap
from slowpath.program.waits import Io
from slowpath.warm.kept import Kept
from slowpath.warm.known import Known, TooMuch
from slowpath.warm.noted import merge_edges, pack_edges, pack_origins


class Led:
    """Edges as they were, for a graph; those of some files are resolved anew.

    Attributes:
        anew: these files.
        moved: of edited files, where lines are now.
    """

    def __init__(self, graph: Graph, known: Known, kept: Kept, anew: set[str]) -> None:
        self.anew = anew
        self.moved: dict[str, LineMap] = {}
        self._program = graph.program
        self._graph = graph
        self._known = known
        self._kept = kept
        #: Functions beneath which calls lead elsewhere, and what is waited for there now.
        self._beneath_differs: set[str] = set()
        self._other_io: dict[str, Packed] = {}
        self._packing = Packing(graph)
        self._packing.given = self._given

    def _given(self, key: str) -> Packed:
        path, _, qual = key.partition("\0")
        return None if path in self.anew else self._known.edges_of(path).get(qual)

    def _known_io(self, function: Function) -> Io | None:
        if function.key in self._beneath_differs:
            return None
        packed = self._known.edges_of(function.path).get(function.qual)
        return self._packing.unpack_io(packed[3]) if packed is not None and packed[3] else None

    def elsewhere(self) -> set[str]:
        """Keys of functions whose calls lead elsewhere, or are gone, or that run another way."""
        differ: set[str] = set()
        for path in self.anew | self._known.gone:
            differ |= self._new_calls_in(path)
        for path, found in self._known.changes.items():
            differ |= {f"{path}\0{qual}" for qual in found.steps}
        return differ

    def _new_calls_in(self, path: str) -> set[str]:
        differ: set[str] = set()
        edited = self._known.edited.get(path)
        pairs = self._known.changes[path].pairs if edited is not None else []
        old, new = edited or (None, self._program.by_path[path])
        for qual, before in self._known.edges_of(path).items():
            function = new.functions.get(qual) if qual else new.body
            if function is None or path in self._known.gone:
                differ.add(f"{path}\0{qual}")
                continue
            if before[2] is not None:
                self._graph.local_of(function)
            rows, added = self._packing.pack(function)
            if (rows, self._packing.pack_waits(function)) != (before[0], before[2]):
                differ.add(function.key)
                continue
            if old is None:
                continue
            calls = old.function(qual).body.calls
            for site, *_ in rows:
                if site < len(calls):
                    was, now = calls[site], function.body.calls[site]
                    pairs += [(was.line, now.line), (was.end_line, now.end_line)]
            pairs += [(one[1], two[1]) for one, two in zip(before[1], added, strict=True)]
        if edited is not None:
            self.moved[path] = unmistakable(pairs) if path not in self._known.gone else {}
        return differ

    def starts_elsewhere(self) -> bool:
        """Whether a coroutine function came, went or stands elsewhere: it begins a way."""
        return any(
            [each.qual for each in old.functions.values() if each.is_async]
            != [each.qual for each in new.functions.values() if each.is_async]
            for old, new in self._known.edited.values()
        )

    def new_ways(self) -> set[str]:
        """Keys of functions that the loop, or a thread, comes to by another way."""
        found: set[str] = set()
        packed = pack_origins(self._graph, self._packing)
        if bool(packed[0]) != bool(self._kept.origins[0]):
            raise TooMuch  # whether there is a loop at all matters everywhere
        for before, now in zip(self._kept.origins, packed, strict=True):
            other: set[str] = {key for key in before if key not in now}
            for key, origin in now.items():  # callers come before whom they lead to
                led = origin.__class__ is tuple and origin[0] in other
                if led or before.get(key) != origin:
                    other.add(key)
            found |= other
        self._kept.origins = packed
        return found

    def same_ways(self) -> None:
        origins, threads = self._kept.origins
        self._graph.come_by(
            PackedOrigins(origins, self._program), PackedOrigins(threads, self._program)
        )

    def beneath(self, lead_elsewhere: set[str]) -> tuple[set[str], set[str]]:
        """Keys of functions beneath which something else may be found than before.

        Behind them those of which their own files did not want to know what is waited for.

        Args:
            lead_elsewhere: functions whose own calls lead elsewhere.
        """
        if not lead_elsewhere:
            return set(), set()
        callers = self._callers()
        self._beneath_differs = _spread(lead_elsewhere, callers)
        found, unknown = set(), set()
        for key in self._beneath_differs:
            path, _, qual = key.partition("\0")
            function = self._function(key)
            before = self._known.edges_of(path).get(qual)
            if function is None or before is None or before[3] is None:
                unknown.add(key)
                continue
            self._graph.io(function)
            now = self._other_io[key] = self._packing.pack_io(function)
            if now != before[3]:
                found.add(key)
        turned = {
            f"{path}\0{qual}" for path, each in self._known.changes.items() for qual in each.steps
        }

        def may_block(key: str) -> bool:
            """What blocks a coroutine function blocks nobody who calls it."""
            function = self._function(key)
            return function is None or key in turned or not function.runs_async

        return found | _spread(lead_elsewhere, callers, may_block), unknown

    def _function(self, key: str) -> Function | None:
        path, _, qual = key.partition("\0")
        module = self._program.by_path.get(path)
        if module is None:
            return None
        return module.functions.get(qual) if qual else module.body

    def _callers(self) -> dict[str, set[str]]:
        """Who calls each function, or called it before."""
        callers: dict[str, set[str]] = defaultdict(set)
        for path, edges in self._known.all_edges():
            for qual, (rows, *_) in edges.items():
                for row in rows:
                    if row[1]:
                        callers[row[1]].add(f"{path}\0{qual}")
        for key, (rows, *_) in self._packing.packed.items():
            for row in rows:
                callers[row[1]].add(key)
        return callers

    def resolved(self) -> dict[str, Packed]:
        """Edges that are known by now, by path and name."""
        modules = {each.module for each in self._graph.resolved()}
        return pack_edges(self._graph, self._packing, modules)

    def keep(self, edges: dict[str, Packed]) -> None:
        """Keep edges in place of what was; those of edited files are all of them."""
        paths = {path_of(key) for key in self._other_io}
        for path in paths | edges.keys() | self._known.edited.keys():
            before = self._known.edges_of(path)
            still = {} if path in self._known.edited else {
                qual: (*each[:3], self._other_io.get(f"{path}\0{qual}", each[3]))
                for qual, each in before.items()
            }  # fmt: skip
            now = {path: edges.get(path, {})}
            merge_edges(now, {path: still})
            if now[path] != before:
                self._kept.edges.put(path, now[path])


def _spread(
    keys: Iterable[str],
    callers: Mapping[str, set[str]],
    through: Callable[[str], bool] = lambda key: True,
) -> set[str]:
    """These functions, and whoever comes to one of them over any number of calls.

    Args:
        through: whether callers of a function are concerned by what it does.
    """
    found = set(keys)
    todo = [*found]
    while todo:
        key = todo.pop()
        new = callers.get(key, set()) - found if through(key) else set()
        found |= new
        todo += new
    return found


def path_of(key: str) -> str:
    return key.partition("\0")[0]
