"""Which files make up the project, and by what name each would be imported."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_SKIPPED = frozenset(
    {
        "__pycache__", "node_modules", "site-packages", "venv", "env", "build", "dist",
        "__pypackages__",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to read: where it is, how it is shown, and its module's name."""

    path: str
    shown: str
    module: str
    is_package: bool


def find(root: Path) -> tuple[list[SourceFile], list[tuple[str, str]]]:
    """Collect the Python files under `root`, or `root` itself.

    Hidden folders, environments and links to folders are passed over, so a loop of links ends.

    Returns:
        The files in order of their paths, and (path, message) of what cannot be read.
    """
    if root.is_file():
        parts = [*_parts(str(root.parent), _package_root(root.parent)), root.name]
        return [_describe(str(root), root.name, parts)], []
    files: list[SourceFile] = []
    errors: list[tuple[str, str]] = []
    base = _package_root(root)
    top = str(root)

    def failed(exc: OSError) -> None:
        errors.append((_relative(str(exc.filename), top), exc.strerror or "cannot be read"))

    for folder, folders, names in os.walk(top, onerror=failed):
        folders[:] = sorted(
            each
            for each in folders
            if not each.startswith(".")
            and each not in _SKIPPED
            and not each.endswith((".egg-info", ".dist-info"))
            and not os.path.exists(os.path.join(folder, each, "pyvenv.cfg"))
        )
        above = f"{_relative(folder, top)}{os.sep}" if folder != top else ""
        parts = _parts(folder, base)
        for name in sorted(names):
            if name.endswith(".py"):
                files.append(_describe(os.path.join(folder, name), above + name, [*parts, name]))
            elif name.endswith(".ipynb"):
                errors.append((above + name, "notebooks are not read"))
    return files, errors


def _relative(path: str, top: str) -> str:
    return os.path.relpath(path, top) if path != top else os.path.basename(path)


def _package_root(folder: Path) -> str:
    """The folder that would be on `sys.path`: the first one up without an `__init__.py`."""
    # Not resolved: files are named as they were found, beneath a link as well.
    folder = Path(os.path.abspath(folder))
    while (folder / "__init__.py").exists() and folder.parent != folder:
        folder = folder.parent
    return str(folder)


def _describe(path: str, shown: str, parts: list[str]) -> SourceFile:
    if "src" in parts[:-1]:
        parts = parts[parts.index("src") + 1 :]
    is_package = parts[-1] == "__init__.py"
    parts[-1] = parts[-1][:-3]
    if is_package:
        parts.pop()
    return SourceFile(path, shown.replace(os.sep, "/"), ".".join(parts), is_package)


def _parts(folder: str, base: str) -> list[str]:
    """The folders from the base down to this one."""
    below = os.path.relpath(os.path.abspath(folder), base)
    return below.split(os.sep) if below != os.curdir else []
