"""Numbers and foreign text as a person reads them."""

from __future__ import annotations

from collections.abc import Sequence


def number(value: float) -> str:
    """Write a number with three significant digits or all of its whole part.

    >>> [number(value) for value in (0, 0.0421, 3.14159, 42.4, 12345.6)]
    ['0', '0.042', '3.1', '42', '12,346']
    """
    size = abs(value)
    if size >= 9.95 or value == int(value):
        return f"{round(value):,}"
    if size >= 0.995:
        return f"{value:.1f}"
    if size >= 0.0995:
        return f"{value:.2f}"
    return f"{value:.2g}"


def ms(value: float | None) -> str:
    """Write milliseconds without their unit; a dash for none."""
    if value is None:
        return "-"
    # Nobody needs a tenth of a microsecond.
    return "0" if value < 0.005 else number(value)


def percent(share: float) -> str:
    """Write a share (0 to 1); rounded, but 0 and 100 only if it is so.

    >>> [percent(share) for share in (0, 0.00004, 0.0312, 0.461, 0.9951, 0.99999, 1)]
    ['0%', '<0.1%', '3.1%', '46%', '99.5%', '99.9%', '100%']
    """
    value = share * 100
    if value == 0 or value >= 100:
        return f"{value:.0f}%"
    if value < 0.1:
        return "<0.1%"
    if value < 9.95:
        return f"{value:.1f}%"
    if value < 98.95:
        return f"{value:.0f}%"
    return f"{min(value, 99.9):.1f}%"


def size(count: float) -> str:
    """Write bytes.

    >>> [size(count) for count in (12, 4200, 7_300_000)]
    ['12 bytes', '4.2 kB', '7.3 MB']
    """
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if abs(count) >= factor:
            return f"{number(count / factor)} {unit}"
    return f"{number(count)} bytes"


def counted(count: int, one: str, many: str = "") -> str:
    """Write a count of things; `many` defaults to `one` with an s.

    >>> counted(1, "request"), counted(1200, "request"), counted(2, "process", "processes")
    ('1 request', '1,200 requests', '2 processes')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def listed(items: Sequence[str], most: int) -> str:
    """Join items with commas; of more than `most`, tell how many there are besides.

    >>> listed(["a", "b", "c", "d"], 2)
    'a, b and 2 more'
    """
    if len(items) <= most:
        return ", ".join(items)
    return f"{', '.join(items[:most])} and {len(items) - most:,} more"


def clean(text: str) -> str:
    r"""Make text from the app harmless on a terminal, on one line.

    White space becomes spaces; what cannot be seen (control characters, escapes, marks that turn
    the direction of writing, lone surrogates) is written as an escape.

    >>> clean("a\tb\n\x1b[31mred\u202e")
    'a b \\x1b[31mred\\u202e'
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else " " if char.isspace() else _escape(char) for char in text
    )


def _escape(char: str) -> str:
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def shorten(text: str, most: int) -> str:
    """Cut the middle out of a text longer than `most` characters: both ends tell it apart.

    >>> shorten("GET /a/very/long/route/{id}", 15)
    'GET /a/…te/{id}'
    """
    if len(text) <= most:
        return text
    if most < 1:
        return ""
    tail = (most - 1) // 2
    head = most - 1 - tail
    return f"{text[:head]}…{text[len(text) - tail :]}"
