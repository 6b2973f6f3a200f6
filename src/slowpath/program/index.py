"""What single files say, to be looked up over all of them.

Nobody goes through all files to find one thing out: each file adds its own pairs to an index, so
that files can be worked on apart, by several processes or in several scans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slowpath.program.model import Module

Pair = tuple[str, str]
Gather = Callable[["Module"], Iterable[Pair]]


class Index:
    """Pairs of texts that each module adds, to be looked up by the first over all modules.

    Attributes:
        kept: what modules add, by path; those that are here already are not asked.
    """

    def __init__(self, gather: Gather, modules: Iterable[Module]) -> None:
        self.kept: dict[str, tuple[Pair, ...]] = {}
        self._gather = gather
        self._modules = modules
        self._table: dict[str, list[str]] | None = None

    def of(self, module: Module) -> tuple[Pair, ...]:
        """What one module adds."""
        pairs = self.kept.get(module.path)
        if pairs is None:
            pairs = self.kept[module.path] = tuple(self._gather(module))
        return pairs

    def get(self, key: str) -> list[str]:
        """The second texts beside a first one, in the order of the files."""
        return self.table().get(key, [])

    def table(self) -> dict[str, list[str]]:
        """All second texts by their first."""
        if self._table is None:
            table: dict[str, list[str]] = {}
            for module in self._modules:
                for key, value in self.of(module):
                    table.setdefault(key, []).append(value)
            self._table = table
        return self._table
