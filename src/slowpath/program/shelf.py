"""Many pieces of bytes kept in a folder, of which a few are read, or written, at a time."""

from __future__ import annotations

import marshal
import mmap
import os
import tempfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

# Beyond so many files, or with more of them out of date than not, all goes into one file.
_MOST_FILES = 32

Piece = bytes | memoryview
#: Name, size and checksum: a machine that loses its power may leave a file of the right size.
_File = tuple[str, int, int]


class Shelf:
    """Pieces by key, and a head that is read at once.

    New pieces go into a file of their own beside those that are there, which stay as they are. A
    list says where each piece lies; it is written last and replaces the one before, so that a
    process that is stopped, or another at the same time, spoils nothing.

    Args:
        path: the list's.
        version: what was kept under another one is not there.

    Attributes:
        head: whatever is kept beside the pieces; None if nothing is.
    """

    def __init__(self, path: Path, version: str) -> None:
        self.head: Any = None
        self._path = path
        self._version = version
        self._names: list[_File] = []
        self._files: list[mmap.mmap] = []
        self._places: dict[str, tuple[int, int, int]] = {}
        saved = load_marshalled(path)
        if isinstance(saved, tuple) and len(saved) == 4 and saved[0] == version:
            files = list(_opened(path.parent, saved[2]))
            if len(files) == len(saved[2]):
                _, self.head, self._names, self._places = saved
                self._files = files

    def get(self, key: str) -> memoryview | None:
        """A piece; None if it is not there."""
        place = self._places.get(key)
        if place is None:
            return None
        number, start, end = place
        return memoryview(self._files[number])[start:end] if start < end else memoryview(b"")

    def known(self) -> Collection[str]:
        """Keys of the pieces that are there."""
        return self._places.keys()

    def save(self, head: Any, keys: Collection[str], anew: Mapping[str, Piece]) -> None:
        """Write a head and pieces that are new; of the others those of these keys are kept."""
        known, names = self._places, list(self._names)
        new: dict[str, Piece] = {key: anew[key] for key in keys if key in anew}
        places = {key: known[key] for key in keys if key in known and key not in new}
        used = sum(end - start for _, start, end in places.values())
        if len(names) >= _MOST_FILES or 2 * used < sum(size for _, size, _ in names):
            old = {key: piece for key in places if (piece := self.get(key)) is not None}
            new = {**old, **new}
            places, names = {}, []
        try:
            data = b"".join(new.values())
            if data:
                names.append((self._write_beside(data), len(data), zlib.crc32(data)))
        except OSError:
            return  # a cache that cannot be written is done without
        start = 0
        for key, fresh in new.items():
            places[key] = len(names) - 1, start, start + len(fresh)
            start += len(fresh)
        if save_marshalled(self._path, (self._version, head, names, places)):
            self._clear({name for name, _, _ in names})

    def _write_beside(self, data: bytes) -> str:
        _make(self._path.parent)
        with tempfile.NamedTemporaryFile(
            dir=self._path.parent, prefix=f"{self._path.stem}-", suffix=".part", delete=False
        ) as stream:
            stream.write(data)
        return Path(stream.name).name

    def _clear(self, used: set[str]) -> None:
        for file in self._path.parent.glob(f"{self._path.stem}-*.part"):
            if file.name not in used:
                try:
                    file.unlink()
                except OSError:
                    pass  # somebody has it open, or was quicker


def _opened(folder: Path, names: Iterable[_File]) -> Iterator[mmap.mmap]:
    """The files, as far as they are what they should be."""
    for name, size, checksum in names:
        try:
            with open(folder / name, "rb") as stream:
                if os.fstat(stream.fileno()).st_size == size:
                    found = mmap.mmap(stream.fileno(), size, access=mmap.ACCESS_READ)
                    if zlib.crc32(found) == checksum:
                        yield found
        except OSError:
            return


def _make(folder: Path) -> None:
    """Make a folder that no version control looks into, unless it is there."""
    if not folder.is_dir():
        folder.mkdir(parents=True)
        (folder / ".gitignore").write_text("*\n", "ascii")


def load_marshalled(path: Path) -> Any:
    """What `save_marshalled` wrote; None if it is not there, or was cut short."""
    try:
        return marshal.loads(path.read_bytes())
    except (OSError, ValueError, EOFError, TypeError):
        return None


def save_marshalled(path: Path, value: Any) -> bool:
    """Write all or nothing; whether it was. A cache that cannot be written is done without."""
    try:
        data = marshal.dumps(value)
        _make(path.parent)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as stream:
            stream.write(data)
        os.replace(stream.name, path)
    except (OSError, ValueError):
        return False
    return True
