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
from slowpath.program.model import Module
from slowpath.program.packing import Packed, Packing
from slowpath.program.reader import READER, at_work


class Page:
    """What is kept of one file.

    Attributes:
        answers: what other files asked about it.
        conclusions: of these answers conclusions, to be taken over as they are.
        looked_into: functions that others looked into, with the paths of these.
        relied_on: functions that answers of other files were made of.
        leaned_on: paths of files that took over its conclusions.
    """

    __slots__ = ("answers", "conclusions", "leaned_on", "looked_into", "relied_on")

    def __init__(self, packed: Packed = None) -> None:
        answers, conclusions, looked_into, relied_on, leaned_on = packed or ({}, {}, {}, (), ())
        self.answers: dict[Question, str | None] = answers
        self.conclusions: dict[Question, Packed] = conclusions
        self.looked_into: dict[str, set[str]] = looked_into
        self.relied_on: set[str] = set(relied_on)
        self.leaned_on: set[str] = set(leaned_on)

    def packed(self) -> Packed:
        """All of it as plain tuples and the like."""
        return (
            self.answers, self.conclusions, self.looked_into, self.relied_on, self.leaned_on
        )  # fmt: skip

    def holds(self, other: Page) -> bool:
        """Whether all that another one has is here already."""
        return (
            other.answers.items() <= self.answers.items()
            and other.conclusions.items() <= self.conclusions.items()
            and all(p <= self.looked_into.get(q, set()) for q, p in other.looked_into.items())
            and other.relied_on <= self.relied_on
            and other.leaned_on <= self.leaned_on
        )

    def add(self, other: Page) -> None:
        """Add what another process, or a later scan, noted of the file."""
        self.answers.update(other.answers)
        self.conclusions.update(other.conclusions)
        for qual, paths in other.looked_into.items():
            self.looked_into.setdefault(qual, set()).update(paths)
        self.relied_on |= other.relied_on
        self.leaned_on |= other.leaned_on


def notes(graph: Graph) -> dict[str, Page]:
    """What `READER` noted of every file, by path; it begins anew."""
    pages: dict[str, Page] = defaultdict(Page)
    asked, looked_into = READER.asked, READER.looked_into
    relied_on, leaned_on = READER.relied_on, READER.leaned_on
    # Asking once more to hear the answers is nobody's question.
    READER.forget()
    with at_work(None):
        for part, what in asked:
            said = question(part, what)
            text = answer(graph, part.module, said)
            if text is None:
                continue
            page = pages[part.module.path]
            page.answers[said] = text
            if is_conclusion(said):
                packed = pack_conclusion(part, what)
                if packed is not None:
                    page.conclusions[said] = packed
    for function, readers in looked_into.items():
        page = pages[function.module.path]
        page.looked_into[function.qual] = {each.path for each in readers}
    for function in relied_on | READER.relied_on:
        pages[function.module.path].relied_on.add(function.qual)
    for module, readers in leaned_on.items():
        pages[module.path].leaned_on.update(each.path for each in readers)
    READER.forget()
    return pages


def pack_edges(graph: Graph, packing: Packing, files: Iterable[Module]) -> dict[str, Packed]:
    """By path and name, edges that were resolved here, and what functions wait for by themselves.

    Those of other files that somebody else has resolved are left out.
    """
    chosen = frozenset(files)
    found: dict[str, Packed] = {}
    for function in graph.resolved():
        if function.module in chosen:
            known = packing.packed.get(packing.key(function)) or packing.pack(function)
            waits = packing.pack_waits(function) or (known[2] if len(known) > 2 else None)
            found.setdefault(function.path, {})[function.qual] = (*known[:2], waits)
    return found


def merge_edges(edges: dict[str, Packed], others: Mapping[str, Packed]) -> None:
    """Add what another process resolved; either may know what a function waits for."""
    for path, theirs in others.items():
        mine = edges.setdefault(path, {})
        for qual, packed in theirs.items():
            known = mine.get(qual)
            if known is None or known[2] is None:
                mine[qual] = packed


def pack_indexes(graph: Graph) -> dict[str, Packed]:
    """What files add to indexes, and what was looked up there, by word."""
    return {
        word: (index.kept, index.asked, index.gone_through)
        for word, index in graph.program.indexes.items()
    }


def merge_indexes(parts: Iterable[Mapping[str, Packed]]) -> dict[str, Packed]:
    """What several processes, or scans, know of indexes; later ones count first."""
    merged: dict[str, tuple[dict[str, Any], dict[str, set[str]], bool]] = {}
    for part in parts:
        for word, (kept, asked, through) in part.items():
            known, all_asked, gone = merged.get(word, ({}, {}, False))
            known.update(kept)
            for key, askers in asked.items():
                all_asked.setdefault(key, set()).update(askers)
            merged[word] = known, all_asked, gone or through
    return merged


def compact(indexes: Mapping[str, Packed]) -> Packed:
    """Indexes as they are kept: most files add nothing to most of them."""
    every = tuple(dict.fromkeys(path for told, _, _ in indexes.values() for path in told))
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
