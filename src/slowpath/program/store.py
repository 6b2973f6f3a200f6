"""Files as they were read in an earlier run, kept while their content is the same."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import NamedTuple

from slowpath.program import extract
from slowpath.program.shelf import Piece, Shelf
from slowpath.program.source import SourceFile

_Facts = tuple[str, int, int, str, str, int, dict[int, tuple[str, ...]]]


class Record(NamedTuple):
    """What is kept of a file.

    Attributes:
        module: the name that it was read under, on which relative imports hang.
        mtime_ns, size, digest: of its source.
        failure: why it could not be read, or "".
        lines: lines of source, blank ones and comments included.
        ignores: slugs of `# slowpath: ignore[...]` comments by line; none of them means all.
        data: what `extract` made of it and every word of the source once, marshalled; empty if
            it could not be read.
    """

    module: str
    mtime_ns: int
    size: int
    digest: str
    failure: str
    lines: int
    ignores: dict[int, tuple[str, ...]]
    data: Piece


class Store:
    """Records of earlier runs, by path.

    A file whose time and size are as they were is taken as unchanged, as git does; one that was
    only touched is told by its digest.
    """

    def __init__(self, folder: Path, root: Path) -> None:
        version = f"{extract.FORMAT}-{sys.version_info[0]}.{sys.version_info[1]}"
        self._shelf = Shelf(folder / f"scan-{root_name(root)}.bin", version)
        self._known: dict[str, _Facts] = self._shelf.head or {}
        self._kept: dict[str, _Facts] = {}
        self._read: dict[str, Piece] = {}

    def get(self, file: SourceFile, status: os.stat_result) -> Record | None:
        """What is kept of the file, if it is as it was."""
        known = self.before(file.path)
        if known is None or (known.module, known.size) != (file.module, status.st_size):
            return None
        if known.mtime_ns != status.st_mtime_ns:
            try:
                with open(file.path, "rb") as stream:
                    if digest(stream.read()) != known.digest:
                        return None
            except OSError:
                return None
            known = known._replace(mtime_ns=status.st_mtime_ns)
        self._kept[file.path] = known[:-1]
        return known

    def before(self, path: str) -> Record | None:
        """What the file was when the store was last saved, whatever it is now."""
        facts = self._known.get(path)
        data = self._shelf.get(path) if facts is not None else None
        return Record(*facts, data) if facts is not None and data is not None else None

    def put(self, file: SourceFile, record: Record) -> None:
        """Keep what was read anew; `before` still tells what was."""
        self._kept[file.path] = record[:-1]
        self._read[file.path] = record.data

    def save(self) -> None:
        """Write what is current."""
        self._shelf.save(self._kept, self._kept, self._read)


def root_name(root: Path) -> str:
    """A short name for a scanned folder, for the names of files in the cache."""
    return digest(os.fsencode(root.resolve()))[:16]


def digest(source: bytes) -> str:
    return hashlib.blake2b(source, digest_size=16).hexdigest()
