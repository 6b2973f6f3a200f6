"""Who looks at what: noted while a project is scanned, so that the next scan knows what an edit
touches.

A file is worked on by itself. What it wants to know of others it asks, and a question has an
answer that can be held against that of the next scan. Whoever looks into a part of another file
past all questions is noted here beside it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slowpath.program.model import Class, Function, Module


class Reader:
    """The file at hand, and what was looked at from it in others.

    Attributes:
        here: the file that is worked on, or that is asked; None while nobody's work is done.
        resolving: the calls of a function are resolved, and nothing else is made of what is seen.
        asked: questions, each about a function or class, of each file.
        looked: functions and classes that each file looked into.
        seen: functions of which each file saw what others see of them: parameters, say.
        followed: functions of which each file wanted to know how the loop comes there, or what
            calls lead to beneath them.
        sought: names of modules that each file looked up, in vain or not.
        circled: (file, other) if an answer about the other hung on a circle that was met, or on
            how deep it was asked, so that what it is to others does not tell what it was there.
    """

    __slots__ = (
        "asked", "circled", "followed", "here", "looked", "resolving", "seen", "sought"
    )  # fmt: skip

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.here: Module | None = None
        self.resolving = False
        self.asked: dict[Module, set[tuple[Function | Class, Any]]] = defaultdict(set)
        self.looked: dict[Module, set[Function | Class]] = defaultdict(set)
        self.seen: dict[Module, set[Function]] = defaultdict(set)
        self.followed: dict[Module, set[Function]] = defaultdict(set)
        self.sought: dict[Module, set[str]] = defaultdict(set)
        self.circled: set[tuple[Module, Module]] = set()

    def look(self, part: Function | Class) -> None:
        """Note that a part of another file is looked into."""
        if self.here is not None:
            self.looked[self.here].add(part)

    def see(self, function: Function) -> None:
        """Note that it is seen what a function of another file looks like to others."""
        if self.here is not None:
            self.seen[self.here].add(function)

    def follow(self, function: Function) -> None:
        """Note that it is asked how one comes to a function, or where one goes from there."""
        if self.here is not None and function.module is not self.here:
            self.followed[self.here].add(function)

    def seek(self, name: str) -> None:
        """Note that a module is looked up by its name."""
        if self.here is not None:
            self.sought[self.here].add(name)

    def circle(self, other: Module) -> None:
        """Note that what is heard of another file holds only for who asks."""
        if self.here is not other and self.here is not None:
            self.circled.add((self.here, other))


READER = Reader()


@contextmanager
def at_work(here: Module | None) -> Iterator[None]:
    """Work out something of a file that is kept for whoever asks; of all files, with None."""
    outer = READER.here
    READER.here = here
    try:
        yield
    finally:
        READER.here = outer


@contextmanager
def resolving() -> Iterator[None]:
    """Resolve the calls of a function: what that gives is compared by itself."""
    outer = READER.resolving
    READER.resolving = True
    try:
        yield
    finally:
        READER.resolving = outer


class asking:
    """Note a question about a part of a file, and work there while it is answered."""

    __slots__ = ("_outer",)

    def __init__(self, part: Function | Class, question: Any) -> None:
        here = self._outer = READER.here
        if part.module is not here:
            if here is not None:
                READER.asked[here].add((part, question))
            READER.here = part.module

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        READER.here = self._outer
