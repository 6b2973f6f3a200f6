"""What an earlier scan found, used again as far as no edit touches it.

A scan is a function of the files' records and of slowpath itself. When both are what they were,
apart from the lines that things stand at, so are the findings; their lines are moved along. What
else an edit changes is worked out in `again`.
"""

from __future__ import annotations

import marshal
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from slowpath.causes.base import Cause
from slowpath.program.build import Item, Tree, empty
from slowpath.program.shelf import Piece, Shelf
from slowpath.program.shift import LineMap, line_map
from slowpath.program.source import SourceFile
from slowpath.program.store import Record, digest, root_name
from slowpath.warm.moved import Packed, Shift, Unmapped
from slowpath.warm.noted import compact, unfold

#: Of a file: the digest of its source, its module's name, how it is shown, whether it failed.
Digest = tuple[str, str, str, bool]


class Pieces:
    """Something of each file, by path; few of them are looked at.

    Args:
        letter: tells them from others on the same shelf.
        shelf: where those of the scan before are.
    """

    def __init__(self, letter: str, shelf: Shelf | None = None) -> None:
        self._letter = letter
        self._shelf = shelf
        self._dropped: set[str] = set()
        self.anew: dict[str, bytes] = {}

    def get(self, path: str) -> Any:
        """That of one file; None if there is nothing."""
        piece = self.piece(path)
        return marshal.loads(piece) if piece is not None else None

    def piece(self, path: str) -> Piece | None:
        """The same as it is kept: every text in it stands there as it is."""
        key = self._letter + path
        if key in self._dropped:
            return None
        found: Piece | None = self.anew.get(key)
        if found is None and self._shelf is not None:
            found = self._shelf.get(key)
        return found

    def put(self, path: str, what: Any) -> None:
        """Keep that of one file in place of what was."""
        key = self._letter + path
        self._dropped.discard(key)
        self.anew[key] = marshal.dumps(what)

    def drop(self, path: str) -> None:
        """Keep nothing of a file."""
        self._dropped.add(self._letter + path)

    def paths(self) -> list[str]:
        """Of files that have any."""
        return [key[1:] for key in self.keys()]

    def keys(self) -> set[str]:
        """By which the shelf knows them."""
        known = self._shelf.known() if self._shelf is not None else ()
        keys = {key for key in (*known, *self.anew) if key[0] == self._letter}
        return keys - self._dropped


@dataclass
class Kept:
    """All that a scan keeps for the next one.

    Attributes:
        digests: what the files were; see `digests`.
        found: packed findings of each file by slug, by path; not settled yet.
        indexes, origins, pages, edges: see `noted`; the last two of each file.
        shown: packed findings, as they were shown; not of any file.
    """

    digests: dict[str, Digest]
    found: dict[str, dict[str, list[Packed]]]
    indexes: dict[str, Any] = field(default_factory=dict)
    origins: Any = None
    pages: Pieces = field(default_factory=lambda: Pieces("p"))
    edges: Pieces = field(default_factory=lambda: Pieces("e"))
    shown: Pieces = field(default_factory=lambda: Pieces("s"))


@dataclass
class Edits:
    """Files that are not what they were.

    Attributes:
        moved: by path, where lines are now, if nothing but lines changed.
        changed: (item, record before) of the others; of a new file, or one that could not be
            read, as if it had been empty.
        gone: what files were that are no longer there, or that cannot be read any more.
        came: paths of files that are new, or that can be read at last.
    """

    moved: dict[str, LineMap] = field(default_factory=dict)
    changed: list[tuple[Item, Record]] = field(default_factory=list)
    gone: list[Item] = field(default_factory=list)
    came: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.moved or self.changed or self.gone)


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
        digests, found, indexes, origins = self._shelf.head
        pieces = [Pieces(letter, self._shelf) for letter in "pes"]
        return Kept(digests, found, unfold(indexes), origins, *pieces)

    def save(self, kept: Kept) -> None:
        """Keep it for the next scan."""
        head = kept.digests, kept.found, compact(kept.indexes), kept.origins
        keys: set[str] = set()
        anew: dict[str, bytes] = {}
        for pieces in (kept.pages, kept.edges, kept.shown):
            keys |= pieces.keys()
            anew |= pieces.anew
        self._shelf.save(head, keys, anew)


def digests(tree: Tree) -> dict[str, Digest]:
    """What the files are, and by what names they are imported and shown, by path."""
    return {
        item.file.path: (
            item.record.digest, item.file.module, item.file.shown, bool(item.record.failure)
        )
        for item in tree.items
    }  # fmt: skip


def edits(tree: Tree, kept: Kept) -> Edits | None:
    """What changed since; None if a file has another name, or what it was is not known."""
    now = digests(tree)
    found = Edits()
    for path, (digested, module, shown, failed) in kept.digests.items():
        if failed or (path in now and not now[path][3]):
            continue
        before = _before(tree, path, digested, module)
        if before is None:
            return None
        file = SourceFile(path, shown, module, os.path.basename(path) == "__init__.py")
        found.gone.append(Item(file, before, False))
    for item in tree.items:
        path = item.file.path
        known = kept.digests.get(path)
        if known == now[path] or item.record.failure:
            continue
        if known is None or known[3]:
            found.changed.append((item, empty(item.file)))
            found.came.add(item.file.shown)
            continue
        stored = _before(tree, path, *known[:2]) if known[1] == item.file.module else None
        if stored is None:
            return None
        lines = line_map(marshal.loads(stored.data)[0], marshal.loads(item.record.data)[0])
        if lines is None:
            found.changed.append((item, stored))
        else:
            found.moved[item.file.shown] = lines
    return found


def _before(tree: Tree, path: str, digested: str, module: str) -> Record | None:
    """What a file was at the scan that is remembered."""
    stored = tree.store.before(path) if tree.store is not None else None
    if stored is None or (stored.digest, stored.module, stored.failure) != (digested, module, ""):
        return None
    return stored


def move(kept: Kept, moved: Mapping[str, LineMap]) -> bool:
    """Move what was found to where its lines are now; whether that could be done."""
    shift = Shift(moved)
    try:
        kept.found = {
            path: {slug: [shift.finding(each) for each in said] for slug, said in found.items()}
            for path, found in kept.found.items()
        }
    except Unmapped:
        return False
    return True


def _engine(causes: Iterable[Cause]) -> str:
    """What the answers depend on beside the source: the code and the tables that give them."""
    packages = {
        "slowpath.program",
        "slowpath.causes",
        __package__,
        *(cause.package for cause in causes),
    }
    folders = {Path(import_module(name).__file__ or "").parent for name in packages}
    stamps = [sys.version]
    files = set(Path(__file__).parents[1].glob("scan*.py"))
    for folder in folders:
        files.update(folder.rglob("*"))
    for file in sorted(files):
        if file.suffix in (".py", ".toml"):
            status = file.stat()
            stamps.append(f"{file} {status.st_size} {status.st_mtime_ns}")
    return digest("\n".join(stamps).encode())
