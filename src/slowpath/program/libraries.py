"""Installed packages that a project uses: found by what is imported, theirs in turn, read once.

Packages that the tables speak of are left out: what blocks there is known by name.
"""

from __future__ import annotations

import marshal
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from slowpath.program import extract
from slowpath.program.knowledge import Knowledge
from slowpath.program.model import Module
from slowpath.program.shelf import load_marshalled, save_marshalled
from slowpath.program.store import digest

# So far from the project, and so much source, packages are read. Beyond it a chain is longer than
# a reader follows, and reading costs more than the project itself.
_DEEPEST = 4
_MOST_BYTES = 60_000_000

#: (path, dotted name, whether it is a package, lines, what was read, as records have it)
Row = tuple[str, str, bool, int, bytes]
Read = Callable[[Path], Iterable[Row]]


def libraries(
    modules: list[Module], site: Path, knowledge: Knowledge, cache: Path | None, read: Read
) -> Iterator[Module]:
    """Yield the modules of the packages under `site` that the modules lead to, nearest first.

    Args:
        cache: folder to keep a package in as long as it has the same version, or None.
        read: reads a package's folder, or its one file, from source.
    """
    pure = {name.partition(".")[0] for name in knowledge.sets.get("pure", ())}
    seen = {module.name.partition(".")[0] for module in modules}
    seen |= knowledge.packages | pure | sys.stdlib_module_names | {""}
    versions = _versions(site)
    wanted = _imported(modules, inner=True)
    left = _MOST_BYTES
    for _ in range(_DEEPEST):
        found: list[Module] = []
        for name in sorted(wanted - seen):
            place = _place(site, name)
            if place is None or left <= 0:
                continue
            for row in _package(place, versions.get(name, ""), cache, read):
                left -= len(row[4])
                module = _module(row)
                found.append(module)
                yield module
        seen |= wanted
        wanted = _imported(found, inner=False)


def _imported(modules: Iterable[Module], *, inner: bool) -> set[str]:
    """Top-level names that are imported; inside functions as well, if that is asked for."""
    found: set[str] = set()
    for module in modules:
        imports = [*module.imports.values(), *(module.inner_imports() if inner else ())]
        found.update(source.partition(".")[0] for source, _ in imports)
    return found


def _place(site: Path, name: str) -> Path | None:
    for place in (site / name, site / f"{name}.py"):
        if place.exists():
            return place
    return None


def _module(row: Row) -> Module:
    path, name, is_package, lines, data = row
    return Module(name, path, is_package, lines, partial(marshal.loads, data))


def _package(place: Path, version: str, cache: Path | None, read: Read) -> Iterable[Row]:
    """A package's rows, from the cache if it is the version that was read before."""
    if cache is None or not version:
        return read(place)
    # A package that was reinstalled at the same version is the same: nobody edits it.
    stamp = f"{extract.FORMAT}-{sys.version_info[0]}.{sys.version_info[1]}-{version}"
    kept = cache / f"library-{place.stem}-{digest(f'{place}{stamp}'.encode())[:16]}.bin"
    saved: Any = load_marshalled(kept)
    if isinstance(saved, list):
        return saved
    rows = list(read(place))
    save_marshalled(kept, rows)
    return rows


def _versions(site: Path) -> dict[str, str]:
    """Name and version of the distribution that each top-level name belongs to."""
    found = {}
    for folder in site.glob("*.dist-info"):
        try:
            record = (folder / "RECORD").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        for line in record.splitlines():
            top = line.partition(",")[0].partition("/")[0]
            if not top.endswith((".dist-info", "__pycache__")) and not top.startswith("."):
                found[top.removesuffix(".py")] = folder.name.removesuffix(".dist-info")
    return found
