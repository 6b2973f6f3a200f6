"""Evidence in words: keys that hold a unit become labels, their values get the unit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from slowpath.report.words import counted, listed, ms, number, percent, size

Write = Callable[[float], str]

#: By the part of a key that names a unit; it is left out of the label.
_UNITS: dict[str, Write] = {
    "ns": lambda value: f"{ms(value / 1e6)} ms",
    "us": lambda value: f"{ms(value / 1e3)} ms",
    "ms": lambda value: f"{ms(value)} ms",
    "s": lambda value: f"{number(value)} s",
    "bytes": size,
    "percent": lambda value: f"{number(value)}%",
}
#: These are a unit and the thing itself: they stay in the label.
_SHARES = {"share", "fraction"}
_PLACE = ("path", "line", "function")
MOST_ITEMS = 4


def phrase(key: str, value: Any, full: bool = False) -> tuple[str, list[str]]:
    """Return a piece of evidence as a label and lines; several lines for a list of records.

    >>> phrase("blocked_ms_per_call", 41.23)
    ('blocked per call', ['41 ms'])
    >>> phrase("queries_per_s", 12)
    ('queries', ['12/s'])
    """
    label, write = _unit(key)
    most = 10**6 if full else MOST_ITEMS
    if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        lines = [_record(item, most) for item in value[:most]]
        if rest := len(value) - len(lines):
            lines.append(counted(rest, "more", "more"))
        return label, lines
    return label, [_value(value, write, most)]


def _unit(key: str) -> tuple[str, Write]:
    """Return the label of a key, and how its values are written."""
    words = key.split("_")
    if words[-2:] == ["per", "s"]:
        return " ".join(words[:-2]) or key, lambda value: f"{number(value)}/s"
    if _SHARES & set(words):
        return " ".join(words), percent
    write = next((_UNITS[word] for word in words if word in _UNITS), number)
    return " ".join(word for word in words if word not in _UNITS) or key, write


def _value(value: Any, write: Write, most: int) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return write(value)
    if isinstance(value, Mapping):
        if "path" in value and "line" in value:
            return _record(value, most)
        entries = [f"{key} {_value(item, write, most)}" for key, item in value.items()]
        return listed(entries, most)
    if isinstance(value, list):
        return listed([_value(item, write, most) for item in value], most)
    return str(value)


def _record(record: Mapping[str, Any], most: int) -> str:
    """Write a record: its place or its first value, and what else is known of it."""
    rest = dict(record)
    if "path" in rest and "line" in rest:
        head = f"{rest['path']}:{rest['line']} {rest.get('function', '')}".rstrip()
        rest = {key: value for key, value in rest.items() if key not in _PLACE}
    elif rest:
        first = next(iter(rest))
        head = _value(rest.pop(first), _unit(first)[1], most)
    else:
        head = "nothing"
    details = []
    for key, value in rest.items():
        label, write = _unit(key)
        details.append(f"{label} {_value(value, write, most)}")
    return f"{head} ({', '.join(details)})" if details else head
