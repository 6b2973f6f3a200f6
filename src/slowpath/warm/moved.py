"""Findings as plain tuples, and where their lines are after an edit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from slowpath.causes.base import Cause, Entry, Finding, Hop
from slowpath.program.shift import LineMap

Packed = tuple[Any, ...]

_DEFAULTS: dict[str, Any] = {
    each.name: each.default_factory() if callable(each.default_factory) else each.default
    for each in fields(Finding)
    if each.default is not MISSING or each.default_factory is not MISSING
}
_PLAIN = [
    each.name
    for each in fields(Finding)
    if each.name not in ("cause", "entry", "chain", "blame", "claims")
]


def pack(finding: Finding) -> Packed:
    """A finding as plain tuples, for another process or scan; what is usual is left out."""
    entry = finding.entry
    values = finding.__dict__
    return (
        finding.cause.slug,
        {
            name: values[name]
            for name in _PLAIN
            if name not in _DEFAULTS or values[name] != _DEFAULTS[name]
        },
        (entry.kind, entry.path, entry.line, entry.function) if entry is not None else None,
        tuple([(hop.path, hop.line, hop.function) for hop in finding.chain]),
    )


def unpack(packed: Packed, causes: Mapping[str, Cause]) -> Finding:
    """What was packed."""
    slug, plain, entry, chain = packed
    finding = object.__new__(Finding)  # as its `__init__` does, which takes thrice as long
    finding.__dict__.update(
        _DEFAULTS,
        cause=causes[slug],
        **plain,
        entry=Entry(*entry) if entry is not None else None,
        chain=tuple([Hop(*each) for each in chain]),
    )
    return finding


class Unmapped(Exception):
    """A line of which nobody knows where it is now."""


class Shift:
    """Moves packed findings to where their lines are now.

    Messages speak of lines in two ways: "line 12" of the finding's own file, and
    "app/main.py:12" of any.
    """

    def __init__(self, moved: Mapping[str, LineMap]) -> None:
        self._moved = moved
        paths = "|".join(re.escape(path) for path in sorted(moved))
        self._spoken = re.compile(rf"(?:\bline |(?<![\w/.-])({paths}):)(\d+)\b")

    def line(self, path: str, line: int) -> int:
        """Where a line is now; raises `Unmapped` if that is not known."""
        lines = self._moved.get(path)
        if lines is None:
            return line
        if line not in lines:
            raise Unmapped
        return lines[line]

    def finding(self, found: Packed) -> Packed:
        """The same finding, its lines and those of its chain moved."""
        slug, plain, entry, chain = found
        path: str = plain["path"]
        message: str = plain["message"]
        places = {path, *(hop[0] for hop in chain), *(entry[1:2] if entry is not None else ())}
        speaks = any(each in message for each in self._moved)
        if places.isdisjoint(self._moved) and not speaks:
            return found

        def spoken(match: re.Match[str]) -> str:
            line = self.line(match[1] or path, int(match[2]))
            return f"{match[0].removesuffix(match[2])}{line}"

        return (
            slug,
            {
                **plain,
                "line": self.line(path, plain["line"]),
                "end_line": self.line(path, plain.get("end_line", 0)),
                "message": self._spoken.sub(spoken, message),
            },
            (*entry[:2], self.line(*entry[1:3]), *entry[3:]) if entry is not None else None,
            tuple([(hop[0], self.line(*hop[:2]), *hop[2:]) for hop in chain]),
        )
