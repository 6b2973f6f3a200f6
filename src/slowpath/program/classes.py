"""Classes, as `extract` gathered them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slowpath.program.extract import Ref
from slowpath.program.reader import READER

if TYPE_CHECKING:
    from slowpath.program.model import Function, Module


class Class:
    """A class; `self_attrs` are attributes that its methods set on their first argument."""

    __slots__ = (
        "_attrs",
        "_bases",
        "_decorators",
        "_keywords",
        "_methods",
        "_parent",
        "_self_attrs",
        "end_line",
        "line",
        "memo",
        "module",
        "qual",
    )

    def __init__(self, module: Module, record: tuple[Any, ...], kept: dict[str, int]) -> None:
        self.module = module
        self.qual: str = record[0]
        self.line: int = record[1]
        self.end_line: int = record[2]
        self._bases: tuple[Ref, ...] = record[3]
        self._keywords: tuple[tuple[str, Ref], ...] = record[4]
        self._decorators: tuple[Ref, ...] = record[5]
        self._attrs: dict[str, tuple[Ref, Ref]] = {}
        for name, annotation, value in record[6]:
            self._attrs[name] = (annotation, value)
        self._methods: frozenset[str] = frozenset(record[7])
        self._self_attrs: dict[str, list[tuple[str, Ref, Ref]]] = {}
        for name, method, annotation, value, number in record[8]:
            # Values are numbers of calls: those of a definition that is not kept mean nothing.
            if kept[method] == number:
                self._self_attrs.setdefault(name, []).append((method, annotation, value))
        self._parent: str = record[9]
        self.memo: dict[Any, Any] = {}

    @property
    def key(self) -> str:
        """Its file and name: what it is known by from one process or scan to the next."""
        return f"{self.module.path}\0{self.qual}"

    @property
    def parent(self) -> str:
        if self.module is not READER.here:
            READER.look(self)
        return self._parent

    @property
    def attrs(self) -> dict[str, tuple[Ref, Ref]]:
        """Name to (annotation, value) of what the class statement stores."""
        if self.module is not READER.here:
            READER.look(self)
        return self._attrs

    @property
    def bases(self) -> tuple[Ref, ...]:
        if self.module is not READER.here:
            READER.look(self)
        return self._bases

    @property
    def keywords(self) -> tuple[tuple[str, Ref], ...]:
        if self.module is not READER.here:
            READER.look(self)
        return self._keywords

    @property
    def methods(self) -> frozenset[str]:
        """Names of the methods written in this class itself."""
        if self.module is not READER.here:
            READER.look(self)
        return self._methods

    @property
    def self_attrs(self) -> dict[str, list[tuple[str, Ref, Ref]]]:
        """Name to (method, annotation, value) of what methods store."""
        if self.module is not READER.here:
            READER.look(self)
        return self._self_attrs

    @property
    def decorators(self) -> tuple[Ref, ...]:
        if self.module is not READER.here:
            READER.look(self)
        return self._decorators

    @property
    def name(self) -> str:
        return self.qual.rpartition(".")[2]

    @property
    def scope(self) -> Function:
        """Where the class statement runs."""
        return self.module.function(self.parent)

    def method(self, name: str) -> Function | None:
        """The method written in this class itself."""
        if name not in self.methods:
            return None
        return self.module.find(f"{self.qual}.{name}")

    def __repr__(self) -> str:
        return f"<class {self.module.name}:{self.qual}>"
