"""What single files say, to be looked up over all of them.

Nobody goes through all files to find one thing out: each file adds its own pairs to an index, so
that files can be worked on apart, by several processes or in several scans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from slowpath.program.reader import READER

if TYPE_CHECKING:
    from slowpath.program.model import Module
    from slowpath.program.resolve import Program

Pair = tuple[str, str]
Gather = Callable[["Module"], Iterable[Pair]]


class Index:
    """Pairs of texts that each module adds, to be looked up by the first over all modules.

    Attributes:
        kept: what modules add, by path; those that are here already are not asked.
        asked: what has been looked up, with the paths of the files that wanted to know; "" if it
            went into an answer.
        gone_through: somebody looked at all of it.
    """

    def __init__(self, program: Program, gather: Gather, modules: Iterable[Module]) -> None:
        self.kept: dict[str, tuple[Pair, ...]] = {}
        self.asked: dict[str, set[str]] = {}
        self.gone_through = False
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
            asker = "" if READER.answering else here.path
            if asker not in self.asked.setdefault(key, set()):
                self.asked[key].add(asker)
        return self._whole().get(key, [])

    def table(self) -> dict[str, list[str]]:
        """All second texts by their first."""
        self.gone_through = True
        return self._whole()

    def _whole(self) -> dict[str, list[str]]:
        if self._table is None:
            table: dict[str, list[str]] = {}
            for module in self._modules:
                for key, value in self.of(module):
                    table.setdefault(key, []).append(value)
            self._table = table
        return self._table
