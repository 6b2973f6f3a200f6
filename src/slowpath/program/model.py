"""Names for what `extract` gathered: modules, classes, functions and the parts of a body."""

from __future__ import annotations

import marshal
from bisect import bisect_right
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from slowpath.program import extract
from slowpath.program.extract import Ref
from slowpath.program.reader import READER


class Call(NamedTuple):
    """One call as written; `flags` are those of `extract`."""

    func: Ref
    line: int
    end_line: int
    flags: int
    block: int
    args: tuple[Ref, ...]
    kwargs: tuple[tuple[str, Ref], ...]

    @property
    def awaited(self) -> bool:
        return bool(self.flags & extract.AWAITED)

    @property
    def deferred(self) -> bool:
        return bool(self.flags & extract.DEFERRED)

    @property
    def discarded(self) -> bool:
        return bool(self.flags & extract.DISCARDED)

    @property
    def starred(self) -> bool:
        return bool(self.flags & extract.STARRED)

    @property
    def used(self) -> bool:
        """Whether the result is taken for a value at once: tested, looped over, looked into."""
        return bool(self.flags & extract.USED)

    def keyword(self, name: str) -> Ref:
        """The ref passed as `name=`, or None."""
        for key, ref in self.kwargs:
            if key == name:
                return ref
        return None

    def has_keyword(self, *names: str) -> bool:
        return any(key in names for key, _ in self.kwargs)

    @property
    def name(self) -> str:
        """Last part of what is called, or "" when it has no name."""
        func = self.func
        if func.__class__ is str:
            return func.rpartition(".")[2]
        if func.__class__ is tuple and func[0] == ".":
            return func[2].rpartition(".")[2]  # type: ignore[no-any-return]
        return ""


class Stmt(NamedTuple):
    """One simple statement, or the head of a compound one.

    Kinds: a assign, n annotation alone, g augmented assign, e expression, r return, y yield,
    f loop head, w with item, i test, d delete, x raise, b break, s names of outer scopes that it
    may bind, o other.
    Writes name what is bound: "x", "self.x", "x[]" for an element, "[2]x" for the third part of
    an unpacked value. Reads name what is used, as dotted chains; "x?" is a
    test for membership in x.
    """

    kind: str
    block: int
    line: int
    end_line: int
    writes: tuple[str, ...]
    reads: tuple[str, ...]
    value: Ref
    annotation: Ref
    calls_end: int


class Block(NamedTuple):
    """A nested suite: body, for, afor, while, comp, acomp, with, awith, try, except, finally, if,
    else, lambda or class. `stmt` is the index of the first statement inside."""

    parent: int
    kind: str
    line: int
    stmt: int


LOOPS = frozenset({"for", "afor", "while", "comp", "acomp"})


@cache
def _encoded(names: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(name.encode() for name in names)


class Body:
    """What a function does, in the order in which it is written."""

    __slots__ = ("_bindings", "_ends", "blocks", "calls", "imports", "stmts")

    def __init__(self, data: bytes) -> None:
        imports, calls, stmts, blocks = marshal.loads(data)
        self.imports: dict[str, tuple[str, str | None]] = imports
        # As `_make` does, without a look at the length: there are millions of them.
        new = tuple.__new__
        self.calls: list[Call] = [new(Call, each) for each in calls]
        self.stmts: list[Stmt] = [new(Stmt, each) for each in stmts]
        self.blocks: list[Block] = [new(Block, each) for each in blocks]
        self._bindings: dict[str, list[tuple[Stmt, int | None]]] | None = None
        self._ends: list[int] | None = None

    @property
    def bindings(self) -> dict[str, list[tuple[Stmt, int | None]]]:
        """Statements that bind each local name, with the position in an unpacked value."""
        if self._bindings is None:
            found: dict[str, list[tuple[Stmt, int | None]]] = {}
            for stmt in self.stmts:
                for name in stmt.writes:
                    position = None
                    if name[0] == "[":
                        index, _, name = name[1:].partition("]")
                        position = int(index)
                    if "." not in name and "[" not in name and stmt.kind in "anfwg":
                        found.setdefault(name, []).append((stmt, position))
            self._bindings = found
        return self._bindings

    @property
    def shared(self) -> frozenset[str]:
        """Names that belong to an outer scope or the module, though the body may bind them."""
        return frozenset(name for stmt in self.stmts if stmt.kind == "s" for name in stmt.writes)

    def stmt_of(self, call: int) -> int:
        """Index of the statement that call number `call` is part of."""
        if self._ends is None:
            # Running maximum: calls_end never falls, so bisect finds the first statement past it.
            self._ends = [stmt.calls_end for stmt in self.stmts]
        return bisect_right(self._ends, call)

    def ancestors(self, block: int) -> list[int]:
        """The block and all around it, innermost first."""
        found = []
        while block >= 0:
            found.append(block)
            block = self.blocks[block].parent
        return found

    def loop_of(self, block: int) -> int | None:
        """The innermost loop around the block, if any; a lambda's body runs elsewhere."""
        while block >= 0:
            kind = self.blocks[block].kind
            if kind in LOOPS:
                return block
            if kind == "lambda":
                return None
            block = self.blocks[block].parent
        return None

    def inside(self, block: int, kinds: frozenset[str]) -> bool:
        """Whether the block or one around it is of one of these kinds."""
        while block >= 0:
            if self.blocks[block].kind in kinds:
                return True
            block = self.blocks[block].parent
        return False


class Function:
    """A function, method, or the body of a module (`qual` is "")."""

    __slots__ = (
        "_body",
        "_data",
        "cls",
        "decorators",
        "end_line",
        "flags",
        "line",
        "memo",
        "module",
        "params",
        "parent",
        "qual",
        "returns",
    )

    def __init__(self, module: Module, record: tuple[Any, ...]) -> None:
        self.module = module
        self.qual: str = record[0]
        self.line: int = record[1]
        self.end_line: int = record[2]
        self.flags: int = record[3]
        self.params: tuple[tuple[str, Ref, Ref], ...] = record[4]
        self.decorators: tuple[Ref, ...] = record[5]
        self.returns: Ref = record[6]
        self.parent: str = record[7]
        self.cls: str | None = record[8]
        self._data: bytes = record[9]
        self._body: Body | None = None
        self.memo: dict[Any, Any] = {}

    @property
    def body(self) -> Body:
        if self.module is not READER.here:
            READER.look(self)
        if self._body is None:
            self._body = Body(self._data)
        return self._body

    @property
    def packed(self) -> bytes:
        """The body as it is kept."""
        return self._data

    def mentions(self, *names: str) -> bool:
        """Whether the body holds one of these names; quick, since it is not unpacked."""
        if self.module is not READER.here:
            READER.look(self)
        if not self.module.mentions(names):
            return False
        data = self._data
        for name in _encoded(names):  # noqa: SIM110 - asked of every function, by many
            if name in data:
                return True
        return False

    @property
    def key(self) -> str:
        """Its file and name: what it is known by from one process or scan to the next."""
        return f"{self.module.path}\0{self.qual}"

    @property
    def name(self) -> str:
        return self.qual.rpartition(".")[2]

    @property
    def label(self) -> str:
        """The qualified name that people read."""
        return self.qual or "<module>"

    @property
    def is_async(self) -> bool:
        return bool(self.flags & extract.ASYNC)

    @property
    def is_generator(self) -> bool:
        return bool(self.flags & extract.GENERATOR)

    @property
    def is_stub(self) -> bool:
        return bool(self.flags & extract.STUB)

    @property
    def awaits(self) -> bool:
        return bool(self.flags & extract.AWAITS)

    @property
    def path(self) -> str:
        return self.module.path

    @property
    def scope(self) -> Function:
        """Where the function's decorators, defaults and annotations are evaluated."""
        return self.module.function(self.parent)

    @property
    def owner(self) -> Class | None:
        return self.module.owner_of(self)

    def __repr__(self) -> str:
        return f"<{self.module.name}:{self.label}>"


class Class:
    """A class; `self_attrs` are attributes that its methods set on their first argument."""

    __slots__ = (
        "_attrs",
        "_bases",
        "_decorators",
        "_keywords",
        "_methods",
        "_self_attrs",
        "end_line",
        "line",
        "memo",
        "module",
        "parent",
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
        self.parent: str = record[9]
        self.memo: dict[Any, Any] = {}

    @property
    def key(self) -> str:
        """Its file and name: what it is known by from one process or scan to the next."""
        return f"{self.module.path}\0{self.qual}"

    @property
    def attrs(self) -> dict[str, tuple[Ref, Ref]]:
        """Name to (annotation, value) of what the class statement stores."""
        if self.module is not READER.here:
            READER.look(self.module.body)
        return self._attrs

    @property
    def bases(self) -> tuple[Ref, ...]:
        if self.module is not READER.here:
            READER.look(self.module.body)
        return self._bases

    @property
    def keywords(self) -> tuple[tuple[str, Ref], ...]:
        if self.module is not READER.here:
            READER.look(self.module.body)
        return self._keywords

    @property
    def methods(self) -> frozenset[str]:
        """Names of the methods written in this class itself."""
        if self.module is not READER.here:
            READER.look(self.module.body)
        return self._methods

    @property
    def self_attrs(self) -> dict[str, list[tuple[str, Ref, Ref]]]:
        """Name to (method, annotation, value) of what methods store."""
        if self.module is not READER.here:
            READER.look(self.module.body)
        return self._self_attrs

    @property
    def decorators(self) -> tuple[Ref, ...]:
        if self.module is not READER.here:
            READER.look(self.module.body)
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
        if name not in self._methods:
            return None
        return self.module.functions.get(f"{self.qual}.{name}")

    def __repr__(self) -> str:
        return f"<class {self.module.name}:{self.qual}>"


class Module:
    """One file."""

    __slots__ = (
        "_assigns",
        "_classes",
        "_functions",
        "_imports",
        "_mentioned",
        "_stars",
        "body",
        "ignores",
        "is_package",
        "lines",
        "name",
        "path",
        "words",
    )

    def __init__(
        self,
        name: str,
        path: str,
        is_package: bool,
        lines: int,
        record: tuple[Any, ...],
        ignores: dict[int, tuple[str, ...]] | None = None,
        words: bytes = b"",
    ) -> None:
        functions, classes, imports, stars, assigns, body = record
        self.name = name
        self.path = path
        self.is_package = is_package
        self.lines = lines
        self.ignores = ignores or {}
        self.words = words
        self._mentioned: dict[tuple[str, ...], bool] = {}
        self._functions: dict[str, Function] = {}
        seen: dict[str, int] = {}
        kept: dict[str, int] = {}
        for each in functions:
            number = seen[each[0]] = seen.get(each[0], -1) + 1
            # Of two definitions of one name (overloads, `if` branches) the fuller one is kept.
            known = self._functions.get(each[0])
            if known is None or len(each[9]) >= len(known._data):
                self._functions[each[0]] = Function(self, each)
                kept[each[0]] = number
        self._classes: dict[str, Class] = {each[0]: Class(self, each, kept) for each in classes}
        self._imports: dict[str, tuple[str, str | None]] = imports
        self._stars: tuple[str, ...] = stars
        self._assigns: dict[str, list[tuple[Ref, Ref]]] = {}
        for target, value, annotation in assigns:
            self._assigns.setdefault(target, []).append((value, annotation))
        self.body = Function(self, ("", 1, lines, 0, (), (), None, "", None, body))

    @property
    def functions(self) -> dict[str, Function]:
        if self is not READER.here:
            READER.look(self.body)
        return self._functions

    @property
    def classes(self) -> dict[str, Class]:
        if self is not READER.here:
            READER.look(self.body)
        return self._classes

    @property
    def imports(self) -> dict[str, tuple[str, str | None]]:
        if self is not READER.here:
            READER.look(self.body)
        return self._imports

    @property
    def assigns(self) -> dict[str, list[tuple[Ref, Ref]]]:
        if self is not READER.here:
            READER.look(self.body)
        return self._assigns

    @property
    def stars(self) -> tuple[str, ...]:
        if self is not READER.here:
            READER.look(self.body)
        return self._stars

    # Of what one holds in hands already these tell nothing new, whoever asks.

    def function(self, qual: str) -> Function:
        """The function of a name that is there; the module's body for ""."""
        return self._functions[qual] if qual else self.body

    def cls(self, qual: str) -> Class:
        """The class of a name that is there."""
        return self._classes[qual]

    def owner_of(self, function: Function) -> Class | None:
        """The class that a function stands in."""
        return self._classes.get(function.cls) if function.cls is not None else None

    def mentions(self, names: tuple[str, ...]) -> bool:
        """Whether one of these names may be anywhere in the file."""
        known = self._mentioned.get(names)
        if known is None:
            known = self._mentioned[names] = self._may_hold(names)
        return known

    def _may_hold(self, names: tuple[str, ...]) -> bool:
        words = self.words
        for name in _encoded(names):
            if name.rpartition(b".")[2] in words:
                return True
        return not words

    def inner_imports(self) -> Iterator[tuple[str, str | None]]:
        """What functions import for themselves."""
        for function in self._functions.values():
            yield from function.body.imports.values()

    def __repr__(self) -> str:
        return f"<module {self.name}>"
