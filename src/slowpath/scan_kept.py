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
from slowpath.program.build import Item, Tree, empty
from slowpath.program.shelf import Piece, Shelf
from slowpath.program.shift import LineMap, line_map
from slowpath.program.store import Record, digest, root_name
from slowpath.scan_memory import compact, unfold
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
        return [key[1:] for key in self.keys()]

    def keys(self) -> set[str]:
        """By which the shelf knows them."""
        known = self._shelf.known() if self._shelf is not None else ()
        return {key for key in (*known, *self.anew) if key[0] == self._letter}


@dataclass
class Kept:
    """All that a scan keeps for the next one.

    Attributes:
        digests: see `digests`.
        found: packed findings of each file by slug, by path; not settled yet.
        indexes, origins, pages, edges: see `scan_memory`; the last two of each file.
        shown: packed findings, as they were shown; not of any file.
    """

    digests: dict[str, str]
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
        changed: (item, record before) of the others.
        added: paths of those of the others that are new.
    """

    moved: dict[str, LineMap] = field(default_factory=dict)
    changed: list[tuple[Item, Record]] = field(default_factory=list)
    added: list[str] = field(default_factory=list)


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


def digests(tree: Tree) -> dict[str, str]:
    """Digests of the files' sources, with the names they are imported by, by path."""
    return {item.file.path: f"{item.record.digest} {item.record.module}" for item in tree.items}


def edits(tree: Tree, kept: Kept) -> Edits | None:
    """What changed since; None if a file went or became another, or what it was is not known."""
    now = digests(tree)
    if not kept.digests.keys() <= now.keys():
        return None
    found = Edits()
    for item in tree.items:
        path = item.file.path
        known = kept.digests.get(path)
        if known == now[path]:
            continue
        if known is None:
            before = empty(item.file)
            found.added.append(item.file.shown)
        else:
            stored = tree.store.before(path) if tree.store is not None else None
            if stored is None or f"{stored.digest} {item.file.module}" != known:
                return None
            before = stored
        if before.failure or item.record.failure:
            return None
        lines = line_map(marshal.loads(before.data)[0], marshal.loads(item.record.data)[0])
        if lines is None or known is None:
            found.changed.append((item, before))
        else:
            found.moved[item.file.shown] = lines
    return found


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
