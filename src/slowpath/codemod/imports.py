"""Names that a change needs: as the file has them already, or with an import that it lacks."""

from __future__ import annotations

import ast
import sys

from slowpath.codemod.change import Refused, Splice
from slowpath.codemod.source import AnyFunction, Scope, Source, imported


def reference(
    source: Source, scope: Scope, dotted: str, line: int = 0
) -> tuple[str, tuple[Splice, ...]]:
    """How a function of the file writes an outside name, and the import to add for it, if any.

    Args:
        line: where the name is to stand; what the function imports above it counts.

    Raises:
        Refused: the name means something else there.

    >>> reference(Source("x.py", "import asyncio as aio\\n"), ..., "asyncio.sleep")
    ('aio.sleep', ())
    """
    module, _, name = dotted.rpartition(".")
    hidden, at_hand = _inner_names(scope, line)
    known = {bound: stands for bound, stands in source.imports.items() if bound not in hidden}
    for bound, stands_for in (known | at_hand).items():
        if stands_for == dotted:
            return bound, ()
        if module and stands_for == module:
            return f"{bound}.{name}", ()
        # `import anyio` is enough for `anyio.to_thread.run_sync`.
        if module.startswith(f"{stands_for}.") and "." not in stands_for:
            return f"{bound}{dotted.removeprefix(stands_for)}", ()
    short = "." not in module and name[:1].islower()
    whole = module in sys.stdlib_module_names or (short and not _takes_from(source, module))
    wanted = module if whole else name
    if wanted in hidden or wanted in source.top_names:
        raise Refused(f"The name {wanted} is taken in {source.path}.")
    text = f"import {module}" if whole else f"from {module} import {name}"
    return dotted if whole else name, (added(source, text),)


def _inner_names(scope: Scope, line: int) -> tuple[set[str], dict[str, str]]:
    """Names that a function binds itself, which hide those of the module; and its own imports."""
    names: set[str] = set()
    at_hand: dict[str, str] = {}
    for node in ast.walk(scope.node) if scope.node is not None else ():
        if isinstance(node, ast.Import | ast.ImportFrom):
            names.update(imported(node))
            if scope.node is not None and node in scope.node.body and node.lineno < line:
                at_hand.update(imported(node))
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
    return names, at_hand


def _takes_from(source: Source, module: str) -> bool:
    return any(
        isinstance(stmt, ast.ImportFrom) and stmt.module == module for stmt in source.tree.body
    )


def added(source: Source, line: str) -> Splice:
    """One more import at the top of a module: at its place among its like."""
    known = [stmt for stmt in source.tree.body if isinstance(stmt, ast.Import | ast.ImportFrom)]
    head = head_of(source)
    known = [stmt for stmt in known if stmt in head and not _is_future(stmt)]
    module = line.split()[1]
    of_module = [
        stmt for stmt in known if isinstance(stmt, ast.ImportFrom) and stmt.module == module
    ]
    if of_module and line.startswith("from "):
        extended = _extended(source, of_module[-1], line.split()[-1])
        return extended or _after(source, of_module[-1], line)
    rank = _rank(line)
    near = [stmt for stmt in known if _rank_of(stmt)[0] == rank[0]]
    if near:
        # Plain ones first, or all by their names: in another order no place means anything.
        for plain_first in (True, False):
            ranks = [_order(_rank_of(stmt), plain_first) for stmt in near]
            if ranks == sorted(ranks):
                place = _order(rank, plain_first)
                before = [stmt for stmt, each in zip(near, ranks, strict=True) if each <= place]
                if before:
                    return _after(source, before[-1], line)
                start = source.offsets[_first_line(source, near[0]) - 1]
                return Splice(start, start, 0, f"{line}{source.newline}")
        return _after(source, near[-1], line)
    earlier = [stmt for stmt in known if _rank_of(stmt)[0] < rank[0]]
    if earlier:
        # A part of its own is set off by an empty line.
        return _after(source, earlier[-1], f"{source.newline}{line}")
    if known:
        start = source.offsets[_first_line(source, known[0]) - 1]
        return Splice(start, start, 0, f"{line}{source.newline * 2}")
    if head:
        return _after(source, head[-1], f"{source.newline}{line}")
    start = _after_comments(source)
    body = source.tree.body
    apart = 3 if body and isinstance(body[0], AnyFunction | ast.ClassDef) else 2
    return Splice(start, start, 0, f"{line}{source.newline * apart}")


def head_of(source: Source) -> list[ast.stmt]:
    """The docstring and the imports that a module begins with."""
    found: list[ast.stmt] = []
    for number, stmt in enumerate(source.tree.body):
        doc = (
            number == 0
            and isinstance(stmt, ast.Expr)
            and isinstance(stmt.value, ast.Constant)
            and isinstance(stmt.value.value, str)
        )
        if not doc and not isinstance(stmt, ast.Import | ast.ImportFrom):
            break
        found.append(stmt)
    return found


def _is_future(stmt: ast.stmt) -> bool:
    return isinstance(stmt, ast.ImportFrom) and stmt.module == "__future__"


def _rank(line: str) -> tuple[int, int, str]:
    """Where isort puts an import: the standard library, others, the project's own; plain first."""
    words = line.split()
    module = words[1].rstrip(",")
    part = 3 if module.startswith(".") else 2
    if module.partition(".")[0] in sys.stdlib_module_names:
        part = 1
    return part, int(words[0] == "from"), module.lower()


def _order(rank: tuple[int, int, str], plain_first: bool) -> tuple[int, str]:
    return (rank[1] if plain_first else 0), rank[2]


def _rank_of(stmt: ast.stmt) -> tuple[int, int, str]:
    return _rank(ast.unparse(stmt))


def _first_line(source: Source, stmt: ast.stmt) -> int:
    """The line of a statement or of the comments right above it."""
    line = stmt.lineno
    while line > 1 and source.lines[line - 2].lstrip().startswith("#"):
        line -= 1
    return line


def _after(source: Source, stmt: ast.stmt, line: str) -> Splice:
    start = source.offsets[stmt.end_lineno or stmt.lineno]
    ended = source.text[:start].endswith(("\n", "\r"))
    return Splice(start, start, 0, f"{'' if ended else source.newline}{line}{source.newline}")


def _after_comments(source: Source) -> int:
    """Where the code of a module without imports or docstring may begin."""
    number = 0
    while number < len(source.lines) and source.lines[number].startswith("#"):
        number += 1
    return source.offsets[number]


def _extended(source: Source, stmt: ast.stmt, name: str) -> Splice | None:
    """`from m import a, c` with one more name, if it stands on a line of its own."""
    assert isinstance(stmt, ast.ImportFrom)
    line = source.lines[stmt.lineno - 1]
    bare = line.rstrip("\r\n")
    if stmt.lineno != stmt.end_lineno or "(" in bare or "#" in bare or ";" in bare:
        return None
    if any(alias.name == "*" or alias.asname for alias in stmt.names):
        return None
    names = [alias.name for alias in stmt.names]
    if names == sorted(names, key=_by_kind):
        names = sorted([*names, name], key=_by_kind)
    else:
        names.append(name)
    text = f"from {'.' * stmt.level}{stmt.module} import {', '.join(names)}"
    if len(text) > source.width:
        return None
    start = source.offsets[stmt.lineno - 1]
    return Splice(start, start + len(bare), 0, text)


def _by_kind(name: str) -> tuple[int, str]:
    """Constants, classes, functions: isort's order within a statement."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, name
