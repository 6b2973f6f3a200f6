"""Answers that are worked out once, where questions may lead round in circles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from slowpath.program.model import Class, Function, Module
from slowpath.program.reader import READER, at_work
from slowpath.program.values import Value

MAX_DEPTH = 24
_BUSY = object()
# Under this key a memo keeps what holds only for questions from outside.
_OUTERMOST = object()
_NOTHING: dict[Any, Any] = {}


class Memo:
    """Remembers values, beside the function or class that the question is about."""

    def __init__(self) -> None:
        self._depth = 0
        self._height = 0
        self._passing: dict[tuple[int, Any], tuple[Value | None]] = {}
        self._cut = False

    def once(self, owner: Function | Class, key: Any, compute: Callable[[], Value | None]) -> Any:
        """Compute a value once; in a circle, or too deep, it is unknown.

        What an answer says never hangs on what was asked before. An answer is kept for all who
        ask only if no circle was met and it did not become too deep on the way: it is then what
        it would be if worked out anew. Any other holds for the question that came from outside
        (depth 0) and is kept for that question alone.
        """
        memo = owner.memo
        here = READER.here
        if owner.module is not here and here is not None:
            READER.asked[here].add((owner, key))
        known = memo.get(key)
        if known is _BUSY:
            self._cut = True
            READER.circle(owner.module)
            return None
        if known is not None and self._depth + known[1] <= MAX_DEPTH:
            self._height = max(self._height, self._depth + known[1])
            return known[0]
        outermost = not self._depth
        place = (id(memo), key)
        passing = memo.get(_OUTERMOST, _NOTHING).get(key) if outermost else self._passing.get(place)
        if passing is not None:
            self._cut = not outermost
            READER.circle(owner.module)
            return passing[0]
        if self._depth >= MAX_DEPTH:
            self._cut = True
            READER.circle(owner.module)
            return None
        outer = self._cut, self._height
        self._cut = False
        self._depth += 1
        self._height = self._depth
        memo[key] = _BUSY
        READER.here = owner.module
        try:
            value = compute()
        finally:
            READER.here = here
            self._depth -= 1
            cut, height = self._cut, self._height
            self._cut, self._height = outer
            if known is None:
                del memo[key]
            else:
                memo[key] = known
        self._height = max(self._height, height)
        if cut:
            READER.circle(owner.module)
        if not cut:
            memo[key] = (value, height - self._depth)
        elif outermost:
            memo.setdefault(_OUTERMOST, {})[key] = (value,)
        else:
            self._passing[place] = (value,)
            self._cut = True
        if outermost and self._passing:
            self._passing.clear()
        return value

    @contextmanager
    def afresh(self, here: Module) -> Iterator[None]:
        """Work out something of a file that is kept for all, as if asked from outside."""
        outer = self._depth, self._height, self._cut
        self._depth, self._height, self._cut = 0, 0, False
        try:
            with at_work(here):
                yield
        finally:
            self._depth, self._height, self._cut = outer
