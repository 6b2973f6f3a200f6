"""What an earlier scan found, used again as far as no edit touches it.

A scan is a function of the files' records and of slowpath itself. When both are what they were,
apart from the lines that things stand at, so are the findings; their lines are moved along. What
else an edit changes is worked out in `scan_warm`.
"""

from __future__ import annotations

import marshal
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from slowpath.causes.base import Cause
from slowpath.program.build import Item, Tree
from slowpath.program.shelf import Piece, Shelf
from slowpath.program.shift import LineMap, line_map
from slowpath.program.store import Record, digest, root_name
from slowpath.scan_moved import Packed, Shift, Unmapped


class Pieces:
    """Something of each file, by path; few of them are looked at.

    Args:
        letter: tells them from others on the same shelf.
        shelf: where those of the scan before are.
    """

    def __init__(self, letter: str, shelf: Shelf | None = None) -> None:
        self._letter = letter
        self._shelf = shelf
        self.anew: dict[str, bytes] = {}

    def get(self, path: str) -> Any:
        """That of one file; None if there is nothing."""
        key = self._letter + path
        piece: Piece | None = self.anew.get(key)
        if piece is None and self._shelf is not None:
            piece = self._shelf.get(key)
        return marshal.loads(piece) if piece is not None else None

    def put(self, path: str, what: Any) -> None:
        """Keep that of one file in place of what was."""
        self.anew[self._letter + path] = marshal.dumps(what)

    def paths(self) -> list[str]:
        """Of files that have any."""
        keys = {*(self._shelf.keys() if self._shelf is not None else ()), *self.anew}
        return [key[1:] for key in keys if key[0] == self._letter]


@dataclass
class Kept:
    """All that a scan keeps for the next one.

    Attributes:
        digests: of the files' sources, by path.
        shown: packed findings, as they were shown.
        found: packed findings of each file by slug, by path; not settled yet.
        indexes, origins, pages, edges: see `scan_memory`; the last two of each file.
    """

    digests: dict[str, str]
    shown: list[Packed]
    found: dict[str, dict[str, list[Packed]]]
    indexes: dict[str, Any] = field(default_factory=dict)
    origins: Any = None
    pages: Pieces = field(default_factory=lambda: Pieces("p"))
    edges: Pieces = field(default_factory=lambda: Pieces("e"))


@dataclass
class Edits:
    """Files that are not what they were.

    Attributes:
        moved: by path, where lines are now, if nothing but lines changed.
        changed: (item, record before) of the others.
    """

    moved: dict[str, LineMap] = field(default_factory=dict)
    changed: list[tuple[Item, Record]] = field(default_factory=list)


class Keeper:
    """Keeps what one choice of causes found in one folder.

    Args:
        folder: where the cache lies.
        root: what is scanned.
        causes: those asked, by slug.
    """

    def __init__(self, folder: Path, root: Path, causes: Mapping[str, Cause]) -> None:
        chosen = digest(" ".join(causes).encode())[:8]
        self._path = folder / f"found-{root_name(root)}-{chosen}.bin"
        self._shelf = Shelf(self._path, _engine(causes.values()))

    def load(self) -> Kept | None:
        """What the scan before kept, if slowpath itself is what it was."""
        if self._shelf.head is None:
            return None
        pages, edges = Pieces("p", self._shelf), Pieces("e", self._shelf)
        digests, shown, found, indexes, origins = self._shelf.head
        return Kept(digests, shown, found, indexes, origins, pages, edges)

    def save(self, kept: Kept) -> None:
        """Keep it for the next scan."""
        head = kept.digests, kept.shown, kept.found, kept.indexes, kept.origins
        keys = {
            *(f"p{path}" for path in kept.pages.paths()),
            *(f"e{path}" for path in kept.edges.paths()),
        }
        self._shelf.save(head, keys, {**kept.pages.anew, **kept.edges.anew})


def digests(tree: Tree) -> dict[str, str]:
    """Digests of the files' sources, by path."""
    return {item.file.path: item.record.digest for item in tree.items}


def edits(tree: Tree, kept: Kept) -> Edits | None:
    """What changed since; None if files came or went, or what one was is not known."""
    now = digests(tree)
    if list(now) != list(kept.digests):
        return None
    found = Edits()
    for item in tree.items:
        path = item.file.path
        if kept.digests[path] == item.record.digest:
            continue
        before = tree.store.before(path) if tree.store is not None else None
        if before is None or before.digest != kept.digests[path]:
            return None
        if before.failure or item.record.failure:
            return None
        lines = line_map(marshal.loads(before.data)[0], marshal.loads(item.record.data)[0])
        if lines is None:
            found.changed.append((item, before))
        else:
            found.moved[item.file.shown] = lines
    return found


def move(kept: Kept, moved: Mapping[str, LineMap]) -> bool:
    """Move all findings to where their lines are now; whether that could be done."""
    shift = Shift(moved)
    try:
        kept.shown = [shift.finding(each) for each in kept.shown]
        kept.found = {
            path: {slug: [shift.finding(each) for each in said] for slug, said in found.items()}
            for path, found in kept.found.items()
        }
    except Unmapped:
        return False
    return True


def _engine(causes: Iterable[Cause]) -> str:
    """What the answers depend on beside the source: the code and the tables that give them."""
    packages = {"slowpath.program", "slowpath.causes", *(cause.package for cause in causes)}
    folders = {Path(import_module(name).__file__ or "").parent for name in packages}
    stamps = [sys.version]
    files = set(Path(__file__).parent.glob("scan*.py"))
    for folder in folders:
        files.update(folder.rglob("*"))
    for file in sorted(files):
        if file.suffix in (".py", ".toml"):
            status = file.stat()
            stamps.append(f"{file} {status.st_size} {status.st_mtime_ns}")
    return digest("\n".join(stamps).encode())
