"""New statements at the top of a module."""

from __future__ import annotations

import ast

from slowpath.codemod.change import Splice
from slowpath.codemod.imports import head_of
from slowpath.codemod.source import Source, imported


def behind_imports(source: Source, text: str) -> Splice | None:
    """A statement behind the imports that a module begins with; None if it begins with none."""
    head = [each for each in head_of(source) if isinstance(each, ast.Import | ast.ImportFrom)]
    if not head:
        return None
    start = source.offsets[head[-1].end_lineno or 1]
    newline = source.newline
    return Splice(start, start, 1, f"{newline}{text}{newline}")


def above_function(source: Source, line: int, text: str) -> Splice:
    """A statement above the function or class at the top of the module that holds a line.

    It goes behind the assignments that the module begins with, where they stand together; so
    what it is made of must be bound by then.
    """
    holder = next(
        stmt for stmt in source.tree.body if _first(stmt) <= line <= (stmt.end_lineno or line)
    )
    start_line = _first(holder)
    # Comments right above belong to the function.
    while start_line > 1 and source.lines[start_line - 2].startswith("#"):
        start_line -= 1
    start = source.offsets[start_line - 1]
    newline = source.newline
    before = [each for each in source.tree.body if (each.end_lineno or 0) < start_line]
    if before and isinstance(before[-1], ast.Assign | ast.AnnAssign):
        end = source.offsets[before[-1].end_lineno or 1]
        return Splice(end, end, 1, f"{text}{newline}")
    if before and isinstance(before[-1], ast.Import | ast.ImportFrom):
        end = source.offsets[before[-1].end_lineno or 1]
        return Splice(end, end, 1, f"{newline}{text}{newline}")
    return Splice(start, start, 1, f"{text}{newline * 3}")


def _first(stmt: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(stmt, "decorator_list", [])
    return min([stmt.lineno, *(each.lineno for each in decorators)])


def bound_above(source: Source, line: int) -> set[str]:
    """Names that are bound for sure where `above_function` puts a statement."""
    names = {"__name__", "__file__"}
    for stmt in source.tree.body:
        if (stmt.end_lineno or stmt.lineno) >= line:
            break
        if isinstance(stmt, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(stmt.name)
        elif isinstance(stmt, ast.Import | ast.ImportFrom):
            names.update(imported(stmt))
        elif isinstance(stmt, ast.Assign | ast.AnnAssign) and stmt.value is not None:
            for node in ast.walk(stmt):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    names.add(node.id)
    return names
