"""What an edit touches: which files have to be worked on anew, and what stands.

Every file is worked on by itself, and asks about others. So after an edit

- what others asked about an edited file is asked again. If an answer differs, everything is
  scanned from the start; so it is if its functions look different to others, or if something
  was added that others had looked up in vain. A new file was empty before; it must have a name
  that no other file speaks of.
- an edited file is worked on anew, and so are files that looked into what differs in it.
- where calls lead elsewhere, so are files of whoever comes there, of whom the loop now comes to by
  another way, and those that lean on conclusions of any of these.

All other findings stand, moved to where their lines are now.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from slowpath.causes.base import Cause
from slowpath.program.answers import answer, question, unpack_conclusion
from slowpath.program.build import Tree, module_of
from slowpath.program.changes import Changes, changes, unmistakable
from slowpath.program.graph import Graph
from slowpath.program.model import Function, Module
from slowpath.program.packing import Packed, PackedOrigins, Packing
from slowpath.program.reader import READER
from slowpath.program.resolve import Gone, Program
from slowpath.program.team import Seat, together
from slowpath.scan_kept import Edits, Kept, digests
from slowpath.scan_memory import (
    Page,
    merge_edges,
    merge_indexes,
    notes,
    pack_edges,
    pack_indexes,
    pack_origins,
)
from slowpath.scan_moved import Shift, Unmapped, pack
from slowpath.scan_units import ask

# Beyond this part of the files it is quicker to scan them all, by several processes.
_MOST = 0.4
# From so many lines on the causes are asked by two processes.
_LINES_FOR_TWO = 5_000
# Indexes whose pairs are the beginnings of ways; the ways themselves are compared.
_BEGINNINGS = ("entries", "threaded")


class TooMuch(Exception):
    """The edit touches so much that everything is to be scanned."""


def scan_again(
    program: Program, tree: Tree, kept: Kept, edits: Edits, causes: Mapping[str, Cause]
) -> bool:
    """Bring what is kept up to date, but for what is shown; False if too much is touched."""
    READER.forget()
    try:
        _Again(program, kept, edits, causes).work(tree)
    except (TooMuch, Gone):
        return False
    finally:
        READER.forget()
    return True


class _Again:
    def __init__(
        self, program: Program, kept: Kept, edits: Edits, causes: Mapping[str, Cause]
    ) -> None:
        self._program = program
        self._kept = kept
        self._causes = causes
        self._limit = _MOST * len(program.files)
        self._edited: dict[str, tuple[Module, Module]] = {}
        self._pages: dict[str, Page] = {}
        self._edges: dict[str, dict[str, Packed]] = {}
        self._added = edits.added
        self._moved = dict(edits.moved)
        self._reached_or_not: set[str] = set()
        self._noted_elsewhere: list[list[Any]] = []
        self._indexes: dict[str, Packed] = kept.indexes
        for item, record in edits.changed:
            new = program.by_path[item.file.shown]
            self._edited[new.path] = module_of(item._replace(record=record), new.path), new
        for word, (told, _, _) in self._indexes.items():
            program.told[word] = {
                path: pairs for path, pairs in told.items() if path not in self._edited
            }
        self._graph = Graph(program)
        self._packing = Packing(self._graph)
        self._packing.given = self._given

    def work(self, tree: Tree) -> None:
        """All of it."""
        if self._added:
            self._none_speaks_of_new_ones(tree)
        touched = set(self._edited)
        led_elsewhere: set[str] = set()
        for path, (old, new) in self._edited.items():
            found = changes(old, new)
            page = self._page(path)
            if found.looks or not page.relied_on.isdisjoint(found.bodies):
                raise TooMuch
            for qual in found.bodies:
                touched |= page.looked_into.get(qual, set())
            led_elsewhere |= self._new_calls(path, old, new, found)
        others = led_elsewhere | self._begin_elsewhere()
        if others or self._new_starts():
            others |= self._new_ways()
        else:
            self._same_ways()
        if others:
            touched |= {_path(key) for key in others | self._callers(others)}
            touched |= self._all_leaning(touched)
        touched |= self._look_up_again()
        for path, (_, new) in self._edited.items():
            self._hear_again(self._page(path), new)
        self._ask(touched)
        self._keep(tree, touched)

    # -- what is kept ------------------------------------------------------------------------

    def _page(self, path: str) -> Page:
        found = self._pages.get(path)
        if found is None:
            found = self._pages[path] = Page(self._kept.pages.get(path))
        return found

    def _edges_of(self, path: str) -> dict[str, Packed]:
        found = self._edges.get(path)
        if found is None:
            found = self._edges[path] = self._kept.edges.get(path) or {}
        return found

    def _given(self, key: str) -> Packed:
        path, _, qual = key.partition("\0")
        return None if path in self._edited else self._edges_of(path).get(qual)

    def _none_speaks_of_new_ones(self, tree: Tree) -> None:
        """Whoever could import a new file, or something else by its name, would name it."""
        program = self._program
        before = Program(
            [each for each in program.files if each.path not in self._added], program.knowledge
        )
        old, new = before.names(), program.names()
        other = {name for name in {*old, *new} if old.get(name) != new.get(name)}
        words = {os.fsencode(name.rpartition(".")[2]) for name in other}
        for item in tree.items:
            if item.file.shown not in self._added:
                data = bytes(item.record.data)
                if any(word in data for word in words):
                    raise TooMuch

    # -- what differs ------------------------------------------------------------------------

    def _hear_again(self, page: Page, module: Module) -> None:
        for asked, said in page.answers.items():
            if answer(self._graph, module, asked) != said:
                raise TooMuch

    def _new_calls(self, path: str, old: Module, new: Module, found: Changes) -> set[str]:
        """Keys of functions whose calls lead elsewhere, or are gone; lines of the others."""
        differ = set()
        pairs = found.pairs
        for qual, before in self._edges_of(path).items():
            function = new.functions.get(qual) if qual else new.body
            if function is None:
                differ.add(f"{path}\0{qual}")
                continue
            if before[2] is not None:
                self._graph.local_of(function)
            rows, added = self._packing.pack(function)
            if (rows, self._packing.pack_waits(function)) != before[::2]:
                differ.add(function.key)
                continue
            calls = old.function(qual).body.calls
            for site, *_ in rows:
                if site < len(calls):
                    was, now = calls[site], function.body.calls[site]
                    pairs += [(was.line, now.line), (was.end_line, now.end_line)]
            pairs += [(one[1], two[1]) for one, two in zip(before[1], added, strict=True)]
        self._moved[path] = unmistakable(pairs)
        return differ

    def _begin_elsewhere(self) -> set[str]:
        """Keys of functions that begin, or no longer begin, a way of the loop or a thread."""
        found: set[str] = set()
        for word in _BEGINNINGS:
            for before, now in self._differing(word):
                found |= _different(before, now)
        if not {_path(key) for key in found} <= self._edited.keys():
            raise TooMuch
        return found

    def _look_up_again(self) -> set[str]:
        """Paths of files that found in an index what is no longer, or not the same, there."""
        found: set[str] = set()
        for word, (_, asked, gone_through) in self._indexes.items():
            if word in _BEGINNINGS:
                continue
            for before, now in self._differing(word):
                for key in _different(before, now) & asked.keys():
                    found |= asked[key]
                if gone_through and {key for key, _ in before} != {key for key, _ in now}:
                    raise TooMuch
        if "" in found:
            raise TooMuch
        return found

    def _differing(self, word: str) -> Iterator[tuple[Packed, Packed]]:
        """What files added to an index and add now, where that differs."""
        index = self._graph.index_of(word)
        if index is None:
            raise TooMuch
        told = self._indexes[word][0]
        for path in (*self._edited, *self._reached_or_not):
            if path not in self._edited:
                index.kept.pop(path, None)
            before, now = told.get(path, ()), index.of(self._program.by_path[path])
            if before != now:
                yield before, now

    # -- how the loop comes there ------------------------------------------------------------

    def _new_starts(self) -> bool:
        """Whether a coroutine function came, went or stands elsewhere: it begins a way."""
        return any(
            [each.qual for each in old.functions.values() if each.is_async]
            != [each.qual for each in new.functions.values() if each.is_async]
            for old, new in self._edited.values()
        )

    def _new_ways(self) -> set[str]:
        """Keys of functions that the loop, or a thread, comes to by another way."""
        found: set[str] = set()
        packed = pack_origins(self._graph, self._packing)
        for before, now in zip(self._kept.origins, packed, strict=True):
            if bool(before) != bool(now):
                raise TooMuch  # whether there is a loop at all matters everywhere
            other: set[str] = {key for key in before if key not in now}
            for key, origin in now.items():  # callers come before whom they lead to
                led = origin.__class__ is tuple and origin[0] in other
                if led or before.get(key) != origin:
                    other.add(key)
            found |= other
            changed = {_path(key) for key in other if (key in before) != (key in now)}
            self._reached_or_not |= changed - self._edited.keys()
        self._kept.origins = packed
        return found

    def _same_ways(self) -> None:
        origins, threads = self._kept.origins
        self._graph.come_by(
            PackedOrigins(origins, self._program), PackedOrigins(threads, self._program)
        )

    def _callers(self, keys: Iterable[str]) -> set[str]:
        """Who comes to one of these functions, over any number of calls."""
        callers: dict[str, set[str]] = defaultdict(set)
        for path in self._kept.edges.paths():
            for qual, (rows, *_) in self._edges_of(path).items():
                for row in rows:
                    if row[1]:
                        callers[row[1]].add(f"{path}\0{qual}")
        for key, (rows, *_) in self._packing.packed.items():
            for row in rows:
                callers[row[1]].add(key)
        found: set[str] = set()
        todo = list(keys)
        while todo:
            for caller in callers.get(todo.pop(), ()):
                if caller not in found:
                    found.add(caller)
                    todo.append(caller)
        return found

    # -- working on files anew ---------------------------------------------------------------

    def _all_leaning(self, touched: set[str]) -> set[str]:
        todo = list(touched)
        found = set(touched)
        while todo:
            new = self._page(todo.pop()).leaned_on - found
            found |= new
            todo += new
        return found

    def _ask(self, touched: set[str]) -> None:
        """Work on these files, and on those with findings at lines that nobody can follow."""
        shift = Shift(self._moved)
        kept = self._kept.found
        for path, found in kept.items():
            if path not in touched:
                try:
                    kept[path] = {
                        slug: [shift.finding(each) for each in said] for slug, said in found.items()
                    }
                except Unmapped:
                    touched.add(path)
        if len(touched) > self._limit:
            raise TooMuch
        for path in touched:
            self._page(path).conclusions.clear()
        self._graph.recall = self._recall
        files = [each for each in self._program.files if each.path in touched]
        for path, found in self._asked(files).items():
            kept[path] = found

    def _asked(self, files: list[Module]) -> dict[str, dict[str, list[Packed]]]:
        """Packed findings of files; causes are divided between two processes if it is worth it."""
        slugs = list(self._causes)
        words = set(self._program.indexes)

        def work(seat: Seat) -> tuple[Any, ...]:
            causes = {slug: self._causes[slug] for slug in slugs[seat.number :: seat.size]}
            try:
                found = {
                    module.path: {slug: [pack(e) for e in said] for slug, said in there.items()}
                    for module, there in ask(self._graph, causes, files)
                }
            except Gone:
                return (None,)
            if not seat.number:
                return (found,)  # what was noted meanwhile is in this process already
            pages = {path: page.packed() for path, page in notes(self._graph).items()}
            return found, pages, self._fresh_edges(), _without(pack_indexes(self._graph), words)

        size = 2 if sum(each.lines for each in files) >= _LINES_FOR_TWO else 1
        (merged, *_), *others = together(work, size)
        if merged is None or any(found is None for found, *_ in others):
            raise TooMuch
        for found, *noted in others:
            for path, each in found.items():
                merged.setdefault(path, {}).update(each)
            self._noted_elsewhere.append(noted)
        return merged  # type: ignore[no-any-return]

    def _fresh_edges(self) -> dict[str, Packed]:
        modules = {each.module for each in self._graph.resolved()}
        return pack_edges(self._graph, self._packing, modules)

    def _recall(self, function: Function, asked: Any) -> None:
        """A conclusion stands, as findings do, if nothing that it leans on is touched."""
        if asked not in function.memo:
            packed = self._page(function.path).conclusions.get(question(function, asked))
            if packed is not None:
                function.memo[asked] = unpack_conclusion(self._program, packed)

    def _keep(self, tree: Tree, touched: set[str]) -> None:
        kept, graph = self._kept, self._graph
        pages, edges, indexes = notes(graph), self._fresh_edges(), [pack_indexes(graph)]
        for other_pages, other_edges, other_indexes in self._noted_elsewhere:
            for path, packed in other_pages.items():
                pages[path].add(Page(packed))
            merge_edges(edges, other_edges)
            indexes.append(other_indexes)
        changed = set(touched)
        for path, page in pages.items():
            if not self._page(path).holds(page):
                self._page(path).add(page)
                changed.add(path)
        for path in changed:
            kept.pages.put(path, self._page(path).packed())
        for path, fresh in edges.items():
            known = {} if path in self._edited else self._edges_of(path)
            if any(known.get(qual) != each for qual, each in fresh.items()):
                kept.edges.put(path, {**known, **fresh})
        kept.indexes = merge_indexes([self._indexes, *indexes])
        kept.digests = digests(tree)


def _without(indexes: dict[str, Packed], words: set[str]) -> dict[str, Packed]:
    """Indexes without what files add to those that others have as well."""
    return {
        word: ({} if word in words else told, asked, through)
        for word, (told, asked, through) in indexes.items()
    }


def _path(key: str) -> str:
    return key.partition("\0")[0]


def _different(before: Iterable[Any], now: Iterable[Any]) -> set[str]:
    """First texts beside which something else stands now."""
    sides: list[dict[str, list[str]]] = [{}, {}]
    for side, pairs in zip(sides, (before, now), strict=True):
        for key, value in pairs:
            side.setdefault(key, []).append(value)
    one, two = sides
    return {key for key in {*one, *two} if one.get(key) != two.get(key)}
