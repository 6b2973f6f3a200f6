"""Files as they were read in an earlier run, kept while their content is the same."""

from __future__ import annotations

import hashlib
import marshal
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from slowpath.program import extract
from slowpath.program.source import SourceFile


class Kept(NamedTuple):
    """A file's record as marshalled, with the time (ns), size (bytes) and digest of its source."""

    mtime_ns: int
    size: int
    digest: str
    data: bytes


class Store:
    """Records of earlier runs, by path.

    A file whose time and size are as they were is taken as unchanged, as git does; one that was
    only touched is told by its digest.
    """

    def __init__(self, folder: Path, root: Path) -> None:
        self._path = folder / f"scan-{root_name(root)}.bin"
        self._version = f"{extract.FORMAT}-{sys.version_info[0]}.{sys.version_info[1]}"
        self._known: dict[str, tuple[int, int, str, bytes]] = {}
        self._kept: dict[str, tuple[int, int, str, bytes]] = {}
        saved = load_marshalled(self._path)
        if isinstance(saved, tuple) and len(saved) == 2 and saved[0] == self._version:
            self._known = saved[1]

    def get(self, file: SourceFile, status: os.stat_result) -> Kept | None:
        """What is kept of the file, if it is as it was."""
        known = self._known.get(file.path)
        if known is None or known[1] != status.st_size:
            return None
        if known[0] != status.st_mtime_ns:
            try:
                with open(file.path, "rb") as stream:
                    if digest(stream.read()) != known[2]:
                        return None
            except OSError:
                return None
        kept = self._kept[file.path] = (status.st_mtime_ns, *known[1:])
        return Kept._make(kept)

    def before(self, path: str) -> Kept | None:
        """What the file was when the store was last saved, whatever it is now."""
        known = self._known.get(path)
        return Kept._make(known) if known is not None else None

    def put(self, file: SourceFile, kept: Kept) -> None:
        self._kept[file.path] = kept[:]

    def save(self) -> None:
        """Write what is current."""
        save_marshalled(self._path, (self._version, self._kept))


def root_name(root: Path) -> str:
    """A short name for a scanned folder, for the names of files in the cache."""
    return digest(str(root.resolve()).encode())[:16]


def digest(source: bytes) -> str:
    return hashlib.blake2b(source, digest_size=16).hexdigest()


def load_marshalled(path: Path) -> Any:
    """What `save_marshalled` wrote; None if it is not there, or was cut short."""
    try:
        return marshal.loads(path.read_bytes())
    except (OSError, ValueError, EOFError, TypeError):
        return None


def save_marshalled(path: Path, value: Any) -> None:
    """Write all or nothing; a cache that cannot be written is done without."""
    try:
        data = marshal.dumps(value)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as stream:
            stream.write(data)
        os.replace(stream.name, path)
    except (OSError, ValueError):
        pass
