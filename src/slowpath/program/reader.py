"""Who looks at what: noted while a project is scanned, so that the next scan knows what an edit
touches.

A file is worked on by itself. What it wants to know of others it asks, and a question has an
answer that can be held against that of the next scan. Whoever looks into a part of another file
past all questions is noted here beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slowpath.program.model import Class, Function, Module


class Reader:
    """The file at hand, and what has been looked at in others.

    Attributes:
        here: the file that is worked on, or that is asked; None while nobody's work is done.
        answering: what is worked out is an answer that is kept for whoever asks.
        asked: (function or class, question) that other files asked.
        looked_into: functions that other files looked into, with those files.
        relied_on: functions that answers of other files were made of, past all questions.
        leaned_on: files whose own conclusions others took over, with those others.
    """

    __slots__ = ("answering", "asked", "here", "leaned_on", "looked_into", "relied_on")

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.here: Module | None = None
        self.answering = False
        self.asked: set[tuple[Function | Class, Any]] = set()
        self.looked_into: dict[Function, set[Module]] = {}
        self.relied_on: set[Function] = set()
        self.leaned_on: dict[Module, set[Module]] = {}

    def look(self, function: Function) -> None:
        """Note that a function of another file is looked into."""
        if self.answering:
            self.relied_on.add(function)
        elif self.here is not None:
            self.looked_into.setdefault(function, set()).add(self.here)

    def lean(self, on: Module) -> None:
        """Note that a conclusion of another file is taken over."""
        if self.here is not None:
            self.leaned_on.setdefault(on, set()).add(self.here)


READER = Reader()


@contextmanager
def at_work(here: Module | None) -> Iterator[None]:
    """Work out an answer of a file that is kept for whoever asks; of all files, with None."""
    outer = READER.here, READER.answering
    READER.here, READER.answering = here, here is not None
    try:
        yield
    finally:
        READER.here, READER.answering = outer


class asking:
    """Note a question about a part of a file, and work there while it is answered."""

    __slots__ = ("_outer",)

    def __init__(self, part: Function | Class, question: Any) -> None:
        here = READER.here
        self._outer = here, READER.answering
        if part.module is not here:
            if here is not None:
                READER.asked.add((part, question))
            READER.here, READER.answering = part.module, True

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        READER.here, READER.answering = self._outer
