"""From a folder to a Program: find, read in parallel, keep what was read."""

from __future__ import annotations

import gc
import marshal
import multiprocessing
import os
import re
import stat
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from slowpath.errors import UserError
from slowpath.program import extract
from slowpath.program.knowledge import load
from slowpath.program.libraries import Row, libraries
from slowpath.program.model import Module
from slowpath.program.resolve import Program
from slowpath.program.source import SourceFile, find
from slowpath.program.store import Record, Store, digest
from slowpath.program.team import Seat, together

_RECURSION = 6000
_PARALLEL_FROM = 2_000_000  # bytes; below it a second process costs more than it saves
_ASIDE_FROM = (
    100_000  # bytes; below it a second process is not worth it even if there is more to do
)
_CHUNK = 400_000  # bytes of source a worker takes at a time
_LARGEST = 20_000_000  # bytes; no person wrote such a file

# Keeps letters, digits and what is beyond ASCII; all else parts words.
_WORDS = bytes(
    each if each > 127 or chr(each).isalnum() or each == 95 else 32 for each in range(256)
)
_IGNORE = re.compile(r"#\s*slowpath:\s*ignore(?:\[([\w\-, ]*)\])?")

Progress = Callable[[float, float], None]
#: Why a file could not be read, lines, ignores and data of its record.
_Reduced = tuple[str, int, dict[int, tuple[str, ...]], bytes]


class Item(NamedTuple):
    """One file as read: its record, and whether it was parsed anew."""

    file: SourceFile
    record: Record
    anew: bool


@dataclass
class Tree:
    """Every file under a root, read but not yet put together.

    Attributes:
        items: the files in the order of their paths as shown.
        errors: (path, message) of what could not even be looked at.
        store: where they are kept, with what they were before; None without a cache.
    """

    root: Path
    items: list[Item]
    errors: list[tuple[str, str]]
    store: Store | None = None

    @property
    def read(self) -> int:
        """How many files were parsed anew."""
        return sum(item.anew for item in self.items)


def read_tree(
    root: Path,
    cache: Path | None = None,
    progress: Progress | None = None,
    meanwhile: Callable[[], object] | None = None,
) -> Tree:
    """Read every Python file under `root`.

    Args:
        root: a folder or one file.
        cache: folder for what was read, used again while a file's content is the same.
        progress: called with (bytes done, bytes in all).
        meanwhile: what is to be done anyway; it may be called while another process reads the few
            files that have changed.
    """
    files, errors = find(root)
    with _no_collection():
        store = Store(cache, root) if cache is not None else None
        items = sorted(_items(files, store, progress, meanwhile), key=lambda each: each.file.shown)
        if store is not None and any(item.anew for item in items):
            store.save()
    return Tree(root, items, errors, store)


def build(tree: Tree, cache: Path | None = None, environment: Path | None = None) -> Program:
    """Make a program of what was read.

    Args:
        cache: folder for what is read of the environment.
        environment: a virtual environment; packages in it that the project leads to and that no
            table speaks of are read as well, so that calls are followed into them.

    Raises:
        UserError: there is no environment where one is said to be.
    """
    site = site_packages(environment) if environment is not None else None
    with _no_collection():
        modules = [
            module_of(item, item.file.shown) for item in tree.items if not item.record.failure
        ]
        found = libraries(modules, site, load(), cache, _read_package) if site is not None else ()
        return Program(modules, load(), list(found))


def module_of(item: Item, shown: str) -> Module:
    """The module of a file that could be read; it is unpacked when it is looked into."""
    file, record = item.file, item.record
    unpack = partial(marshal.loads, record.data)
    return Module(file.module, shown, file.is_package, record.lines, unpack, record.ignores)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Millions of small tuples that live to the end: collecting them only costs time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def site_packages(environment: Path) -> Path:
    """The folder of installed packages of an environment, or of its interpreter."""
    folder = environment.parent.parent if environment.is_file() else environment
    for pattern in ("lib/python3*/site-packages", "Lib/site-packages"):
        for found in sorted(folder.glob(pattern)):
            return found
    raise UserError(f"{environment} is not a virtual environment: it has no site-packages.")


def _read_package(place: Path) -> Iterator[Row]:
    for item in read_tree(place).items:
        if not item.record.failure:
            file, record = item.file, item.record
            yield file.path, file.module, file.is_package, record.lines, bytes(record.data)


def _items(
    files: list[SourceFile],
    store: Store | None,
    progress: Progress | None,
    meanwhile: Callable[[], object] | None,
) -> Iterator[Item]:
    todo: list[tuple[SourceFile, int]] = []
    done = total = 0
    for file in files:
        try:
            status = os.stat(file.path)
        except OSError as exc:
            yield Item(file, _unread(file, exc.strerror or "cannot be read", 0), False)
            continue
        if not stat.S_ISREG(status.st_mode):  # reading a pipe would wait for ever
            yield Item(file, _unread(file, "not a regular file", 0), False)
            continue
        total += status.st_size
        kept = store.get(file, status) if store is not None else None
        if kept is not None:
            done += status.st_size
            yield Item(file, kept, False)
        else:
            todo.append((file, status.st_size))
    chunks = list(_chunks(todo))
    size = sum(each for _, each in todo)
    for chunk, results in _run(chunks, size, meanwhile):
        for file, kept in zip(chunk, results, strict=True):
            if store is not None:
                store.put(file, kept)
            done += kept.size
            yield Item(file, kept, True)
        if progress is not None:
            progress(done, total)


def _chunks(todo: list[tuple[SourceFile, int]]) -> Iterator[list[SourceFile]]:
    chunk: list[SourceFile] = []
    size = 0
    for file, each in todo:
        chunk.append(file)
        size += each
        if size >= _CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _run(
    chunks: list[list[SourceFile]], size: int, meanwhile: Callable[[], object] | None
) -> Iterator[tuple[list[SourceFile], list[Record]]]:
    workers = min(os.cpu_count() or 1, 8, len(chunks))
    if size < _PARALLEL_FROM or workers < 2:
        if meanwhile is not None and size >= _ASIDE_FROM:
            yield from zip(chunks, _read_aside(chunks, meanwhile), strict=True)
            return
        for chunk in chunks:
            yield chunk, _read_chunk(chunk)
        return
    method = "fork" if sys.platform == "linux" else "spawn"
    with multiprocessing.get_context(method).Pool(workers) as pool:
        yield from zip(chunks, pool.imap(_read_chunk, chunks), strict=True)


def _read_aside(
    chunks: list[list[SourceFile]], meanwhile: Callable[[], object]
) -> list[list[Record]]:
    def work(seat: Seat) -> list[list[Record]]:
        if seat.number or seat.size == 1:
            return [_read_chunk(chunk) for chunk in chunks]
        meanwhile()
        return []

    return together(work, 2)[-1]


def _read_chunk(chunk: list[SourceFile]) -> list[Record]:
    gc.disable()
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, _RECURSION))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in other people's strings
            return [read_file(file) for file in chunk]
    finally:
        sys.setrecursionlimit(limit)


def read_file(file: SourceFile) -> Record:
    """Reduce one file; a file that cannot be read gives a record with the reason."""
    try:
        with open(file.path, "rb") as stream:
            status = os.fstat(stream.fileno())
            if status.st_size > _LARGEST:
                return _unread(file, "too large to be source", status.st_size)
            source = stream.read()
    except OSError as exc:
        return _unread(file, exc.strerror or "cannot be read", 0)
    return _read(file, source, status.st_mtime_ns)


def empty(file: SourceFile) -> Record:
    """What would be read if nothing stood in the file."""
    return _read(file, b"", 0)


def _read(file: SourceFile, source: bytes, mtime_ns: int) -> Record:
    return Record(file.module, mtime_ns, len(source), digest(source), *_reduce(source, file))


def _unread(file: SourceFile, reason: str, size: int) -> Record:
    return Record(file.module, 0, size, digest(reason.encode()), *_failed(reason))


def _failed(reason: str) -> _Reduced:
    return reason, 0, {}, b""


def _reduce(source: bytes, file: SourceFile) -> _Reduced:
    if b"\0" in source:
        return _failed("cannot be decoded: it holds null bytes, as UTF-16 does")
    try:
        summary = extract.extract(source, file.module, file.is_package)
        words = b" ".join(dict.fromkeys(source.translate(_WORDS).split()))
        data = marshal.dumps((summary, words))
    except SyntaxError as exc:
        if exc.msg.startswith("(unicode error)"):
            return _failed(f"cannot be decoded: {exc.msg.removeprefix('(unicode error) ')}")
        where = f" (line {exc.lineno})" if exc.lineno else ""
        return _failed(f"not Python 3: {exc.msg}{where}")
    except (ValueError, UnicodeDecodeError) as exc:
        return _failed(f"cannot be decoded: {exc}")
    except (RecursionError, MemoryError):
        return _failed("nested too deeply to be read")
    lines = source.count(b"\n") + (not source.endswith(b"\n") and bool(source))
    return "", lines, ignore_comments(source), data


def ignore_comments(source: bytes) -> dict[int, tuple[str, ...]]:
    """Lines with `# slowpath: ignore[slug, ...]`, and the slugs; none of them means all."""
    if b"slowpath:" not in source:
        return {}
    found: dict[int, tuple[str, ...]] = {}
    for number, line in enumerate(source.decode("utf-8", "replace").splitlines(), 1):
        match = _IGNORE.search(line)
        if match:
            found[number] = tuple(s.strip() for s in (match[1] or "").split(",") if s.strip())
    return found
