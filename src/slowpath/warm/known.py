"""What a scan before this one noted, file by file, as the scan of today asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from slowpath.program.build import Item, empty, module_of
from slowpath.program.changes import Changes, changes
from slowpath.program.model import Module
from slowpath.program.packing import Packed
from slowpath.program.resolve import Program
from slowpath.warm.kept import Edits, Kept
from slowpath.warm.noted import Page


class TooMuch(Exception):
    """The edit touches so much that everything is to be scanned."""


class Known:
    """Pages, edges and what files are now; few of the files are looked at.

    Attributes:
        edited: what an edited file was, and what it is; one that is gone is empty.
        changes: how they differ.
        gone: paths of those that are gone.
        pages: those that were looked at, by path.
    """

    def __init__(self, program: Program, kept: Kept, edits: Edits) -> None:
        self.edited: dict[str, tuple[Module, Module]] = {}
        self.gone: set[str] = {item.file.shown for item in edits.gone}
        self.pages: dict[str, Page] = {}
        self._program = program
        self._kept = kept
        self._edges: dict[str, dict[str, Packed]] = {}
        for item, record in edits.changed:
            new = program.by_path[item.file.shown]
            self.edited[new.path] = module_of(item._replace(record=record), new.path), new
        for item in edits.gone:
            path = item.file.shown
            nothing = item._replace(record=empty(item.file))
            self.edited[path] = module_of(item, path), module_of(nothing, path)
        self.changes: dict[str, Changes] = {
            path: changes(old, new) for path, (old, new) in self.edited.items()
        }

    def page(self, path: str) -> Page:
        """What was noted of a file."""
        found = self.pages.get(path)
        if found is None:
            found = self.pages[path] = Page(self._kept.pages.get(path))
        return found

    def edges_of(self, path: str) -> dict[str, Packed]:
        """Edges of a file's functions, as they were, by name."""
        found = self._edges.get(path)
        if found is None:
            found = self._edges[path] = self._kept.edges.get(path) or {}
        return found

    def all_edges(self) -> Iterator[tuple[str, dict[str, Packed]]]:
        """Edges of every file, as they were."""
        for path in self._kept.edges.paths():
            yield path, self.edges_of(path)

    def still_there(self, paths: Iterable[str]) -> set[str]:
        """Those of these files that are part of the project."""
        return {path for path in paths if path in self._program.by_path}

    def who_sought(self, names: set[str]) -> Iterator[str]:
        """Paths of files that looked up one of these names of modules."""
        texts = [_as_kept(name) for name in names]
        for path in self._kept.pages.paths():
            piece = bytes(self._kept.pages.piece(path) or b"")
            if any(text in piece for text in texts) and not names.isdisjoint(
                self.page(path).sought
            ):
                yield path


def who_speaks(items: Iterable[Item], names: Iterable[str]) -> set[str]:
    """Paths of files that hold one of these texts."""
    texts = [_as_kept(name) for name in names]
    found: set[str] = set()
    for item in items if texts else ():
        data = bytes(item.record.data)
        if any(text in data for text in texts):
            found.add(item.file.shown)
    return found


def _as_kept(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def other_names(program: Program, edits: Edits, known: Known) -> set[str]:
    """Names of modules that stand for another file, for none any more, or for one at last."""
    if not edits.came and not known.gone:
        return set()
    stayed = [each for each in program.files if each.path not in edits.came]
    gone = [known.edited[path][0] for path in known.gone]
    files = sorted([*stayed, *gone], key=lambda each: each.path)
    before, now = Program(files, program.knowledge).names(), program.names()
    return {name for name in {*before, *now} if before.get(name) != now.get(name)}
