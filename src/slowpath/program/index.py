"""What single files say, to be looked up over all of them.

Nobody goes through all files to find one thing out: each file adds its own pairs to an index, so
that files can be worked on apart, by several processes or in several scans. What a file adds hangs
on no other index but those that calls are resolved by.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from slowpath.program.reader import READER

if TYPE_CHECKING:
    from slowpath.program.model import Module
    from slowpath.program.resolve import Program

Pair = tuple[str, str]

#: Stands before the path of a file that looked something up to resolve its calls.
RESOLVING = "\0"
Gather = Callable[["Module"], Iterable[Pair]]


class Index:
    """Pairs of texts that each module adds, to be looked up by the first over all modules.

    Attributes:
        kept: what modules add, by path; those that are here already are not asked.
        asked: what has been looked up, with the paths of the files that wanted to know; behind
            `RESOLVING` if only the calls of a file were resolved by it.
        gone_through: somebody looked at all of it.
        held_against: somebody held all first texts against what files say, behind this text;
            the same mark stands before it.
    """

    def __init__(self, program: Program, gather: Gather, modules: Iterable[Module]) -> None:
        self.kept: dict[str, tuple[Pair, ...]] = {}
        self.asked: dict[str, set[str]] = defaultdict(set)
        self.gone_through = False
        self.held_against: str | None = None
        self._program = program
        self._gather = gather
        self._modules = modules
        self._table: dict[str, list[str]] | None = None

    def of(self, module: Module) -> tuple[Pair, ...]:
        """What one module adds."""
        pairs = self.kept.get(module.path)
        if pairs is None:
            with self._program.afresh(module):
                pairs = self.kept[module.path] = tuple(self._gather(module))
        return pairs

    def get(self, key: str) -> list[str]:
        """The second texts beside a first one, in the order of the files."""
        here = READER.here
        if here is not None:
            self.asked[key].add(f"{RESOLVING}{here.path}" if READER.resolving else here.path)
        return self.whole().get(key, [])

    def names(self, behind: str = "") -> dict[str, list[str]]:
        """All first texts, to be held against what a file that is worked on says.

        It is asked of nobody else whether one of them is there: after an edit the files that hold
        it are worked on anew.

        Args:
            behind: a text that stands before them wherever that matters.
        """
        if not READER.resolving:
            self.held_against = behind
        elif self.held_against is None:
            self.held_against = f"{RESOLVING}{behind}"
        return self.whole()

    def table(self) -> dict[str, list[str]]:
        """All second texts by their first."""
        self.gone_through = True
        return self.whole()

    def whole(self) -> dict[str, list[str]]:
        """The same, for who makes nothing of it that is kept."""
        if self._table is None:
            table: dict[str, list[str]] = {}
            for module in self._modules:
                for key, value in self.of(module):
                    table.setdefault(key, []).append(value)
            self._table = table
        return self._table
