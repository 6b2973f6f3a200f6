"""Conditions whose answer can be known: what is `None`, which system this is, whether it serves."""

from __future__ import annotations

import ast
from typing import Any

_SYSTEM = {"sys.platform": "linux", "os.name": "posix"}
_EQUALITY = (ast.Eq, ast.NotEq)
_START_OR_END = (("s", "lifespan.startup"), ("s", "lifespan.shutdown"))


def noneness(node: ast.expr) -> tuple[str, str] | None:
    """`x is None` and `x is not None`, told by the name of x."""
    if not isinstance(node, ast.Compare) or len(node.ops) != 1:
        return None
    operator = node.ops[0].__class__
    left, right = node.left, node.comparators[0]
    if (
        operator in (ast.Is, ast.IsNot)
        and left.__class__ in (ast.Name, ast.Attribute)
        and isinstance(right, ast.Constant)
        and right.value is None
    ):
        return ("none" if operator is ast.Is else "some", getattr(left, "id", ""))
    return None


def compared(left: Any, operator: ast.cmpop, right: Any) -> tuple[Any, ...] | None:
    """What is known of a comparison between the refs of two expressions."""
    return _on_linux(left, operator, right) or _at_start_or_end(operator, right)


def _on_linux(left: Any, operator: ast.cmpop, right: Any) -> tuple[str, bool] | None:
    """What a comparison with the system's name gives on Linux, where servers run."""
    if left in _SYSTEM and operator.__class__ in _EQUALITY and right.__class__ is tuple:
        return ("c", (right[1] == _SYSTEM[left]) is (operator.__class__ is ast.Eq))
    return None


def _at_start_or_end(operator: ast.cmpop, right: Any) -> tuple[str] | None:
    """`message["type"] == "lifespan.startup"`: so ASGI says that nobody is served yet."""
    return ("lifespan",) if operator.__class__ is ast.Eq and right in _START_OR_END else None
