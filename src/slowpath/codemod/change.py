"""What a cure does to a file, as splices of its text."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass


class Refused(Exception):
    """There is no change that is known to be right; its text is a sentence that says why."""


@dataclass(frozen=True, order=True)
class Splice:
    """`text` instead of what stands from `start` to `end`, in characters of the file.

    Of several that insert at one place, those of lower `rank` come first: imports.
    """

    start: int
    end: int
    rank: int
    text: str


@dataclass(frozen=True)
class Change:
    """A change of one file.

    Attributes:
        path: of the file, as findings name it.
        splices: disjoint, in order.
        title: what it does, one sentence.
        safe: behaviour is kept; else `look` says what to look at.
        look: a sentence, empty for what is safe.
    """

    path: str
    splices: tuple[Splice, ...]
    title: str
    safe: bool = False
    look: str = ""


def spliced(text: str, splices: Iterable[Splice]) -> str:
    """Return a text with splices put in; equal ones count once.

    Raises:
        Refused: two of them overlap and differ.
    """
    parts, at = [], 0
    for splice in sorted(set(splices)):
        if splice.start < at:
            raise Refused("Another change touches the same lines.")
        parts += [text[at : splice.start], splice.text]
        at = splice.end
    return "".join([*parts, text[at:]])


def check(text: str) -> None:
    """See that a text is still Python.

    Raises:
        Refused: it is not. Compiling sees more than parsing, such as an `await` in a plain
            function.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, "<changed>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError) as exc:
        raise Refused("The changed code would not be Python any more.") from exc
