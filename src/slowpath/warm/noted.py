"""What a scan keeps for the next one beside its findings: who asked what, and the answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from slowpath.program.answers import (
    Question,
    answer,
    is_conclusion,
    pack_conclusion,
    question,
)
from slowpath.program.graph import Graph
from slowpath.program.index import RESOLVING
from slowpath.program.model import Class, Function, Module
from slowpath.program.packing import Packed, Packing
from slowpath.program.reader import READER, at_work


class Page:
    """What is kept of one file.

    Attributes:
        answers: what other files asked about it.
        askers: paths of the files that asked.
        conclusions: of these answers conclusions, to be taken over as they are.
        looked: functions, and classes behind a "C", that others looked into, with their paths.
        seen: functions of which others saw what they look like, with their paths.
        followed: functions of which others wanted to know the way there or on, with their paths.
        circled: paths of files that heard what only holds for them.
        sought: names of modules that the file itself looked up.
    """

    __slots__ = (
        "answers", "askers", "circled", "conclusions", "followed", "looked", "seen", "sought"
    )  # fmt: skip

    def __init__(self, packed: Packed = None) -> None:
        answers, askers, conclusions, looked, seen, followed, circled, sought = packed or (
            {}, {}, {}, {}, {}, {}, set(), set()
        )  # fmt: skip
        self.answers: dict[Question, str] = answers
        self.askers: dict[Question, set[str]] = askers
        self.conclusions: dict[Question, Packed] = conclusions
        self.looked: dict[str, set[str]] = looked
        self.seen: dict[str, set[str]] = seen
        self.followed: dict[str, set[str]] = followed
        self.circled: set[str] = circled
        self.sought: set[str] = sought

    def packed(self) -> Packed:
        """All of it as plain tuples and the like."""
        return (
            self.answers, self.askers, self.conclusions, self.looked, self.seen, self.followed,
            self.circled, self.sought,
        )  # fmt: skip

    def holds(self, other: Page) -> bool:
        """Whether all that another one has is here already."""
        return (
            other.answers.items() <= self.answers.items()
            and other.conclusions.items() <= self.conclusions.items()
            and all(
                paths <= mine.get(key, _NOBODY)
                for mine, theirs in self._of_others(other)
                for key, paths in theirs.items()
            )
            and other.circled <= self.circled
            and other.sought <= self.sought
        )

    def add(self, other: Page) -> None:
        """Add what another process, or a later scan, noted of the file."""
        self.answers.update(other.answers)
        self.conclusions.update(other.conclusions)
        for mine, theirs in self._of_others(other):
            for key, paths in theirs.items():
                mine.setdefault(key, set()).update(paths)
        self.circled |= other.circled
        self.sought |= other.sought

    def _of_others(self, other: Page) -> Iterable[tuple[dict[Any, set[str]], dict[Any, set[str]]]]:
        return (
            (self.askers, other.askers), (self.looked, other.looked),
            (self.seen, other.seen), (self.followed, other.followed),
        )  # fmt: skip


_NOBODY: frozenset[str] = frozenset()


def part_key(part: Function | Class) -> str:
    """What a part of a file is called on its page."""
    return f"C{part.qual}" if isinstance(part, Class) else part.qual


def notes(graph: Graph) -> dict[str, Page]:
    """What `READER` noted of every file, by path; it begins anew."""
    pages: dict[str, Page] = defaultdict(Page)
    heard: dict[Any, set[str]] = {}
    while True:
        asked = _noted(pages)
        READER.forget()
        if not asked:
            return pages
        # To hear the answers once more is nobody's question; what they are made of is.
        with at_work(None):
            for each, askers in asked.items():
                if each in heard:
                    heard[each] |= askers
                    continue
                part, what = each
                said = question(part, what)
                text = answer(graph, part.module, said)
                if text is None:
                    continue
                page = pages[part.module.path]
                page.answers[said] = text
                heard[each] = page.askers[said] = askers
                if is_conclusion(said):
                    packed = pack_conclusion(part, what)
                    if packed is not None:
                        page.conclusions[said] = packed


def _noted(pages: dict[str, Page]) -> dict[Any, set[str]]:
    """Put what was noted on the pages; the questions, with the paths of who asked, are left."""
    for here, parts in READER.looked.items():
        for part in parts:
            pages[part.module.path].looked.setdefault(part_key(part), set()).add(here.path)
    for here, functions in READER.seen.items():
        for function in functions:
            pages[function.module.path].seen.setdefault(function.qual, set()).add(here.path)
    for here, functions in READER.followed.items():
        for function in functions:
            pages[function.module.path].followed.setdefault(function.qual, set()).add(here.path)
    for here, other in READER.circled:
        pages[other.path].circled.add(here.path)
    for here, names in READER.sought.items():
        pages[here.path].sought |= names
    asked: dict[Any, set[str]] = defaultdict(set)
    for here, questions in READER.asked.items():
        for each in questions:
            asked[each].add(here.path)
    return asked


def pack_edges(graph: Graph, packing: Packing, files: Iterable[Module]) -> dict[str, Packed]:
    """By path and name, edges that were resolved here, with the calls that were added for them,
    what functions wait for by themselves, and what is waited for beneath them.

    Those of other files that somebody else has resolved are left out.
    """
    chosen = frozenset(files)
    found: dict[str, Packed] = {}
    for function in graph.resolved():
        known = packing.packed.get(packing.key(function))
        if function.module in chosen or known is None:
            known = known or packing.pack(function)
            waits = packing.pack_waits(function) or (known[2] if len(known) > 2 else None)
            packed = (*known[:2], waits, packing.pack_io(function))
            found.setdefault(function.path, {})[function.qual] = packed
    return found


def merge_edges(edges: dict[str, Packed], others: Mapping[str, Packed]) -> None:
    """Add what another process, or scan, resolved; either may know what functions wait for."""
    for path, theirs in others.items():
        mine = edges.setdefault(path, {})
        for qual, packed in theirs.items():
            known = mine.get(qual, packed)
            mine[qual] = (*known[:2], known[2] or packed[2], known[3] or packed[3])


def pack_indexes(graph: Graph) -> dict[str, Packed]:
    """What files add to indexes, and what was looked up there, by word."""
    return {
        word: (index.kept, index.asked, index.gone_through, index.held_against)
        for word, index in graph.program.indexes.items()
    }


def merge_indexes(parts: Iterable[Mapping[str, Packed]]) -> dict[str, Packed]:
    """What several processes, or scans, know of indexes; later ones count first."""
    merged: dict[str, tuple[dict[str, Any], dict[str, set[str]], bool, str | None]] = {}
    for part in parts:
        for word, (kept, asked, through, against) in part.items():
            known, all_asked, gone, held = merged.get(word, ({}, {}, False, None))
            known.update(kept)
            for key, askers in asked.items():
                all_asked.setdefault(key, set()).update(askers)
            # Who held it against something beside the calls of a file counts first.
            if held is None or (against is not None and not against.startswith(RESOLVING)):
                held = against
            merged[word] = known, all_asked, gone or through, held
    return merged


def compact(indexes: Mapping[str, Packed]) -> Packed:
    """Indexes as they are kept: most files add nothing to most of them."""
    every = tuple(dict.fromkeys(path for told, *_ in indexes.values() for path in told))
    return every, {
        word: (
            {path: pairs for path, pairs in told.items() if pairs},
            None if len(told) == len(every) else tuple(told),
            *rest,
        )
        for word, (told, *rest) in indexes.items()
    }


def unfold(compacted: Packed) -> dict[str, Packed]:
    """Indexes as they were before `compact`."""
    every, indexes = compacted
    nothing = dict.fromkeys(every, ())
    return {
        word: (
            {**(nothing if paths is None else dict.fromkeys(paths, ())), **told},
            *rest,
        )
        for word, (told, paths, *rest) in indexes.items()
    }


def pack_origins(graph: Graph, packing: Packing) -> Packed:
    """How the loop, and threads, come to functions."""
    key = packing.key
    return tuple(
        {
            key(function): origin if isinstance(origin, str) else (key(origin[0]), origin[1])
            for function, origin in origins.items()
        }
        for origins in (graph.origins(), graph.threads())
    )
