"""What a report is written on: lines that fit the width, in the characters the terminal has."""

from __future__ import annotations

from typing import TypeVar

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from slowpath.report.words import clean, shorten

#: A piece of a line: text, or text and its style. Text of the app may be in any of them.
Piece = str | tuple[str, str]

_T = TypeVar("_T")
LEAST_WIDTH, MOST_WIDTH = 64, 140
LABEL_WIDTH = 10
#: Characters of one piece of a paragraph; only names that run wild need more.
MOST_TEXT = 500
_ASCII = {ord(char): plain for char, plain in zip("·×→─│▶…’–—", "-x>-|>~'--", strict=True)}


def ink(*pieces: Piece) -> Text:
    """Put pieces together, made harmless: neither markup nor control characters get through."""
    text = Text()
    for piece in pieces:
        words, style = (piece, "") if isinstance(piece, str) else piece
        text.append(clean(words), style)
    return text


def fit(words: str, width: int) -> str:
    """Cut and pad text to exactly `width` cells."""
    words = shorten(clean(words), width)
    while cell_len(words) > width:  # characters that are two cells wide
        words = shorten(words, len(words) - 1)
    return words + " " * (width - cell_len(words))


class Paper:
    """Writes lines on a console, none wider than it.

    Attributes:
        width: of a line, in cells.
        full: nothing is left out for length.
        cut: something was.
    """

    def __init__(self, console: Console, full: bool) -> None:
        self.width = max(LEAST_WIDTH, min(console.width, MOST_WIDTH))
        self.full = full
        self.cut = False
        self._console = console
        self._ascii = console.options.ascii_only

    def line(self, *pieces: Piece) -> None:
        """Write one line, cut at the width."""
        self._put(ink(*pieces))

    def blank(self) -> None:
        """Leave a line free."""
        self._put(Text())

    def heading(self, title: str, remark: str = "") -> None:
        """Begin a section."""
        self.blank()
        self.flow((title, "bold"), (f"  {remark}" if remark else "", "dim"))

    def flow(self, *pieces: Piece, indent: int = 0, first: Text | None = None) -> None:
        """Write a paragraph, wrapped, each line behind `indent` spaces; `first` replaces those."""
        words = ink(*map(self._bounded, pieces))
        lines = words.wrap(self._console, self.width - indent, overflow="fold")
        for number, wrapped in enumerate(lines):
            wrapped.rstrip()
            lead = first if first is not None and number == 0 else Text(" " * indent)
            self._put(lead + wrapped)

    def item(self, label: str, *pieces: Piece, indent: int = 4) -> None:
        """Write a paragraph behind a label; one label's further paragraphs have an empty one."""
        lead = ink(" " * indent, (label.ljust(LABEL_WIDTH), "dim"))
        self.flow(*pieces, indent=indent + LABEL_WIDTH, first=lead)

    def some(self, items: list[_T], most: int) -> list[_T]:
        """Return the first `most` items, or all if nothing is to be left out."""
        if self.full or len(items) <= most:
            return items
        self.cut = True
        return items[:most]

    def text(self, words: str, most: int) -> str:
        """Return a text of the app, cut in the middle unless nothing is to be left out."""
        if self.full or len(words) <= most:
            return words
        self.cut = True
        return shorten(words, most)

    def _bounded(self, piece: Piece) -> Piece:
        if isinstance(piece, str):
            return self.text(piece, MOST_TEXT)
        return self.text(piece[0], MOST_TEXT), piece[1]

    def _put(self, text: Text) -> None:
        if self._ascii:
            plain = text.plain.translate(_ASCII).encode("ascii", "replace").decode()
            text = Text(plain, spans=text.spans)
        text.rstrip()
        if cell_len(text.plain) > self.width:
            text.truncate(self.width, overflow="crop" if self._ascii else "ellipsis")
        self._console.print(
            text, no_wrap=True, overflow="ignore", crop=False, highlight=False, soft_wrap=True
        )
