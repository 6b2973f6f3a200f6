"""One file of source, read: its functions, and what its names stand for."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from slowpath.codemod.change import Refused

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef
# Python counts lines by these ends only, not by all that str.splitlines knows.
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$")
_LOCALS = re.compile(r"\.<locals>|\.<[a-z]+>$")
_WIDTH, _WIDEST = 88, 120


@dataclass(frozen=True)
class Scope:
    """A function of a file, from its first decorator to its end; `node` is None for a module."""

    qual: str
    node: AnyFunction | None
    first: int
    last: int

    @property
    def is_async(self) -> bool:
        return isinstance(self.node, ast.AsyncFunctionDef)


class Source:
    """The text of one file.

    Args:
        path: as findings name it.
        text: with the line ends that it has.
    """

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self.lines: list[str] = _LINE.findall(text)
        #: What was parsed of it, by its first line.
        self.regions: dict[int, object] = {}

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree.

        Raises:
            Refused: the file is no Python.
        """
        try:
            return ast.parse(self.text)
        except (SyntaxError, ValueError, RecursionError) as exc:
            raise Refused(f"{self.path} cannot be parsed.") from exc

    @cached_property
    def offsets(self) -> list[int]:
        """Where each line starts, and the end of the text, in characters."""
        found = [0]
        for line in self.lines:
            found.append(found[-1] + len(line))
        return found

    @cached_property
    def newline(self) -> str:
        return "\r\n" if self.lines and self.lines[0].endswith("\r\n") else "\n"

    @cached_property
    def width(self) -> int:
        """How long its lines may be: as long as they are, within reason."""
        code = [len(line.rstrip()) for line in self.lines if not line.lstrip().startswith("#")]
        return min(_WIDEST, max([_WIDTH, *(size for size in code if size <= _WIDEST)]))

    @cached_property
    def scopes(self) -> list[Scope]:
        """Every function, outer ones first."""
        return list(_functions(self.tree, ""))

    def scope(self, line: int, name: str) -> Scope:
        """The function of this name that holds a line, or the module for "<module>".

        Raises:
            Refused: there is none; the file is not what it was.
        """
        if not 1 <= line <= len(self.lines):
            raise Refused(f"{self.path} has no line {line} any more.")
        name = _LOCALS.sub("", _LOCALS.sub("", name))
        held = [each for each in self.scopes if each.first <= line <= each.last]
        if name in ("", "<module>"):
            if held:
                raise Refused(f"{self.path}:{line} is not at the top of the module any more.")
            return Scope("", None, 1, len(self.lines))
        found = [each for each in held if each.qual == name or each.qual.endswith(f".{name}")]
        if not found:
            raise Refused(f"{self.path}:{line} does not lie in {name} any more.")
        return found[-1]

    def region(self, line: int) -> tuple[int, int]:
        """First and last line of the outermost function around a line, else of the statement.

        Raises:
            Refused: no statement is there.
        """
        for scope in self.scopes:
            if scope.first <= line <= scope.last:
                return scope.first, scope.last
        for stmt in self.tree.body:
            first = min([stmt.lineno, *(d.lineno for d in getattr(stmt, "decorator_list", []))])
            if first <= line <= (stmt.end_lineno or stmt.lineno):
                return first, stmt.end_lineno or stmt.lineno
        raise Refused(f"There is no statement at {self.path}:{line} any more.")

    @cached_property
    def imports(self) -> dict[str, str]:
        """What the names that the module imports at its top stand for, as dotted names.

        What it tries to import counts: whatever it does without, the code at hand has it.
        """
        found: dict[str, str] = {}
        for stmt in self.tree.body:
            for each in stmt.body if isinstance(stmt, ast.Try) else (stmt,):
                found.update(imported(each))
        return found

    @cached_property
    def bound(self) -> frozenset[str]:
        """Every name that the file uses anywhere: a new one must be none of them."""
        names = set(self.imports)
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Name):
                names.add(node.id)
            elif isinstance(node, ast.arg):
                names.add(node.arg)
            elif isinstance(node, AnyFunction | ast.ClassDef):
                names.add(node.name)
        return frozenset(names)

    @cached_property
    def top_names(self) -> frozenset[str]:
        """What the module itself binds, wherever outside of functions."""
        names = set(self.imports)
        left: list[ast.AST] = list(self.tree.body)
        while left:
            node = left.pop()
            if isinstance(node, AnyFunction | ast.ClassDef):
                names.add(node.name)
            else:
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    names.add(node.id)
                elif isinstance(node, ast.stmt):
                    names.update(imported(node))
                left.extend(ast.iter_child_nodes(node))
        return frozenset(names)

    @cached_property
    def variables(self) -> frozenset[str]:
        """Names that the module assigns to, wherever outside of functions."""
        defined = {each.qual for each in self.scopes}
        classes = {each.name for each in self.tree.body if isinstance(each, ast.ClassDef)}
        return self.top_names - set(self.imports) - defined - classes

    @cached_property
    def assigned(self) -> dict[str, tuple[int, ast.expr | None]]:
        """Names assigned once at the top of the module: line and value."""
        found: dict[str, tuple[int, ast.expr | None]] = {}
        twice = set()
        for stmt in self.tree.body:
            targets = stmt.targets if isinstance(stmt, ast.Assign) else []
            if isinstance(stmt, ast.AnnAssign):
                targets = [stmt.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    if target.id in found:
                        twice.add(target.id)
                    found[target.id] = (stmt.lineno, getattr(stmt, "value", None))
        return {name: value for name, value in found.items() if name not in twice}

    def dotted(self, name: str) -> str:
        """What a name or a chain of attributes stands for, by the module's own imports.

        >>> Source("x.py", "from time import sleep as nap").dotted("nap")
        'time.sleep'
        """
        head, dot, rest = name.partition(".")
        return self.imports.get(head, head) + dot + rest

    def free(self, *names: str) -> str:
        """The first of some names that the file does not use yet; they are numbered in the end."""
        for name in names:
            if name not in self.bound:
                return name
        number = 2
        while f"{names[-1]}_{number}" in self.bound:
            number += 1
        return f"{names[-1]}_{number}"


def imported(stmt: ast.stmt) -> dict[str, str]:
    """The names that one import statement binds, and what they stand for."""
    if isinstance(stmt, ast.Import):
        return {
            alias.asname or alias.name.partition(".")[0]: (
                alias.name if alias.asname else alias.name.partition(".")[0]
            )
            for alias in stmt.names
        }
    if isinstance(stmt, ast.ImportFrom):
        module = "." * stmt.level + (stmt.module or "")
        return {alias.asname or alias.name: f"{module}.{alias.name}" for alias in stmt.names}
    return {}


def _functions(node: ast.AST, prefix: str) -> Iterator[Scope]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, AnyFunction):
            qual = f"{prefix}{child.name}"
            first = min([child.lineno, *(each.lineno for each in child.decorator_list)])
            yield Scope(qual, child, first, child.end_lineno or child.lineno)
            yield from _functions(child, f"{qual}.")
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")
        elif not isinstance(child, ast.expr):
            yield from _functions(child, prefix)


def dotted_name(node: ast.expr) -> str:
    """`a.b.c` as text; empty for anything that is more than names and dots."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = dotted_name(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return ""
