"""What files add to indexes after an edit, and who found something else there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from slowpath.program.build import Tree
from slowpath.program.graph import Graph
from slowpath.program.index import RESOLVING
from slowpath.program.packing import Packed
from slowpath.warm.known import Known, TooMuch, who_speaks

# Indexes whose pairs are the beginnings of ways; the ways themselves are compared.
_BEGINNINGS = ("entries", "threaded")


class Lookups:
    """Indexes as they were, for a graph whose own are to be what they are now.

    Attributes:
        first: words of those that calls are resolved by.
        later: words of those that are looked up afterwards.

    Args:
        anew: files that may add something else to any index; those that others add are known.
    """

    def __init__(
        self, graph: Graph, tree: Tree, known: Known, indexes: dict[str, Packed], anew: set[str]
    ) -> None:
        program = graph.program
        if program.indexes:
            raise TooMuch  # an answer looked something up, and may have found what was
        self._graph = graph
        self._tree = tree
        self._known = known
        self._indexes = indexes
        self._anew = frozenset(anew)
        for word, (told, *_) in indexes.items():
            program.told[word] = {
                path: pairs for path, pairs in told.items() if path not in self._anew
            }
        graph.first_indexes()
        self.first = (program.indexes.keys() & indexes.keys()) - {*_BEGINNINGS}
        self.later = indexes.keys() - self.first - {*_BEGINNINGS}

    def begin_elsewhere(self, files: set[str]) -> set[str]:
        """Keys of functions that begin, or no longer begin, a way of the loop or a thread.

        Args:
            files: those that may say something else of them than before.
        """
        found: set[str] = set()
        for word in _BEGINNINGS:
            for before, now in self._differing(word, files):
                found |= _different(before, now)
        return found

    def look_up_again(self, files: set[str], words: Iterable[str]) -> set[str]:
        """Paths of files that found in an index what is no longer, or not the same, there.

        Of those that only resolved calls by it they stand behind `RESOLVING`.

        Args:
            files: those that may add something else than before.
        """
        found: set[str] = set()
        for word in words:
            _, asked, gone_through, held_against = self._indexes[word]
            differ: set[str] = set()
            for before, now in self._differing(word, files):
                differ |= _different(before, now)
                if gone_through and {key for key, _ in before} != {key for key, _ in now}:
                    raise TooMuch
            for key in differ & asked.keys():
                found |= asked[key]
            if held_against is not None and differ:
                found |= self._who_holds_against(word, differ)
        return found

    def _who_holds_against(self, word: str, differ: set[str]) -> set[str]:
        """Files that speak of a name that is now there, or no longer, in an index."""
        index = self._graph.index_of(word)
        now = set(index.whole()) if index is not None else set()
        before = {key for pairs in self._indexes[word][0].values() for key, _ in pairs}
        behind: str = self._indexes[word][3]
        mark = RESOLVING if behind.startswith(RESOLVING) else ""
        if not mark and bool(now) != bool(before):
            raise TooMuch  # where there was nothing, nobody has held it against anything
        texts = [behind.removeprefix(mark) + name for name in (now ^ before) & differ]
        return {f"{mark}{path}" for path in who_speaks(self._tree.items, texts)}

    def _differing(self, word: str, files: set[str]) -> Iterator[tuple[Packed, Packed]]:
        """What files added to an index and add now, where that differs."""
        index = self._graph.index_of(word)
        if index is None:
            raise TooMuch
        told = self._indexes[word][0]
        for path in files | self._known.gone:
            if path not in self._anew:
                index.kept.pop(path, None)
            module = self._graph.program.by_path.get(path)
            before, now = told.get(path, ()), index.of(module) if module is not None else ()
            if before != now:
                yield before, now


def _different(before: Iterable[Any], now: Iterable[Any]) -> set[str]:
    """First texts beside which something else stands now."""
    sides: list[dict[str, list[str]]] = [{}, {}]
    for side, pairs in zip(sides, (before, now), strict=True):
        for key, value in pairs:
            side.setdefault(key, []).append(value)
    one, two = sides
    return {key for key in {*one, *two} if one.get(key) != two.get(key)}
