"""Names for the parts of a body: calls, statements, blocks."""

from __future__ import annotations

import marshal
from bisect import bisect_right
from typing import NamedTuple

from slowpath.program import extract
from slowpath.program.extract import Ref


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
    f loop head, w with item, i test, d delete, x raise, b break, c the
    condition of a conditional expression, s names of outer scopes that it
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
