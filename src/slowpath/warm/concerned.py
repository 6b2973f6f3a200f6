"""Whom an edit concerns: files that asked about an edited one and would hear something else.

Answers hang on nothing but what stands in files, so this is told before any call is resolved.
An answer that differs concerns whoever asked, and what these answer to others is asked again in
turn; where it is what it was, nobody further is concerned.
"""

from __future__ import annotations

from collections.abc import Iterable

from slowpath.program.answers import GONE, Question, answer, hangs_on_calls
from slowpath.program.graph import Graph
from slowpath.warm.known import Known


def concerned(graph: Graph, known: Known, others: Iterable[str]) -> set[str]:
    """Paths of files, edited ones among them, that see others than they were.

    Args:
        others: files that are concerned anyway.
    """
    found: set[str] = set(known.edited)
    todo = [*found]

    def add(paths: Iterable[str]) -> None:
        new = known.still_there(paths) - found
        found.update(new)
        todo.extend(new)

    add(others)
    for path in known.edited:
        add(_lookers(known, path))
    while todo:
        path = todo.pop()
        add(_who_hears_otherwise(graph, known, path))
        add(known.page(path).circled)
    return found


def _lookers(known: Known, path: str) -> set[str]:
    """Who looked at what differs in an edited file, without a question."""
    page, differs = known.page(path), known.changes[path]
    found: set[str] = set()
    for noted, parts in (
        (page.looked, differs.bodies),
        (page.looked, {f"C{qual}" for qual in differs.classes}),
        (page.seen, differs.looks),
    ):
        for part in parts:
            found |= noted.get(part, set())
    return found


def _who_hears_otherwise(graph: Graph, known: Known, path: str) -> set[str]:
    found: set[str] = set()
    for asked in [*known.page(path).answers]:
        if not hangs_on_calls(asked):
            found |= who_hears_otherwise(graph, known, path, asked)
    return found


def who_hears_otherwise(graph: Graph, known: Known, path: str, asked: Question) -> set[str]:
    """Paths of those who asked a file something, if the answer is not what it was.

    What is answered now is noted on the file's page.
    """
    page = known.page(path)
    module = graph.program.by_path.get(path)
    text = answer(graph, module, asked) if module is not None else GONE
    if text is None or text == GONE:
        # Who asked is concerned, and notes anew what it asks.
        del page.answers[asked]
        return page.askers.pop(asked, set())
    if page.answers[asked] == text:
        return set()
    page.answers[asked] = text
    return page.askers.get(asked, set())
