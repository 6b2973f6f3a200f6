"""Who may import whom: the arrows of the design, held."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import slowpath
from slowpath.causes import catalogue

PACKAGE = Path(slowpath.__file__).parent
#: What each part may import, besides itself and `errors`.
MAY: dict[str, set[str]] = {
    "probe": set(),
    "recording": {"probe"},
    "program": set(),
    "ledger": {"recording"},
    "simulate": {"ledger", "recording"},
    "codemod": set(),
    "causes": {"codemod", "ledger", "program", "simulate", "recording"},
    "cure": {"causes", "codemod"},
    "traffic": {"recording"},
    "report": {
        "causes",
        "codemod",
        "cure",
        "ledger",
        "simulate",
        "recording",
        "traffic",
        "__version__",
    },
}


def imports() -> dict[str, set[str]]:
    """Return which parts each part imports, wherever in a module."""
    found = defaultdict(set)
    for path in PACKAGE.rglob("*.py"):
        part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module == "slowpath":
                names = [f"slowpath.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            found[part] |= {
                name.split(".")[1] for name in names if name.startswith("slowpath.")
            } - {part, "errors"}
    return found


def test_no_import_goes_against_the_arrows() -> None:
    found = imports()
    wrong = {part: found[part] - may for part, may in MAY.items() if found[part] - may}
    assert wrong == {}


def test_no_cause_is_named_outside_of_the_causes() -> None:
    slugs = set(catalogue())
    named = [
        (path.relative_to(PACKAGE).as_posix(), node.value)
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).parts[0] != "causes"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and node.value in slugs
    ]
    assert named == []
