"""The findings that a user means, from a run's report or a scan, with what is offered for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from slowpath.causes import catalogue
from slowpath.errors import UserError


@dataclass(frozen=True)
class Wanted:
    """What the user named: numbers of findings, causes, and places; nothing means all."""

    numbers: frozenset[int]
    causes: frozenset[str]
    places: tuple[tuple[str, int], ...]

    def __bool__(self) -> bool:
        return bool(self.numbers or self.causes or self.places)

    def has(self, finding: Any, number: int) -> bool:
        """Whether a finding is meant; `number` is that of its list."""
        if not self:
            return True
        path, line = finding["path"], finding["line"]
        return (
            number in self.numbers
            or finding["cause"] in self.causes
            or any(
                (path == where or path.startswith(f"{where}/") or where == ".") and at in (0, line)
                for where, at in self.places
            )
        )


def wanted(words: Iterable[str], root: Path) -> Wanted:
    """Read what the user named.

    Args:
        words: numbers of findings, slugs of causes, `PATH` or `PATH:LINE`.
        root: what paths of findings are relative to.

    Raises:
        UserError: one of them is none of these.
    """
    numbers, causes, places = set(), set(), []
    known = catalogue()
    for word in words:
        path, _, line = word.rpartition(":")
        if word.isdecimal():
            numbers.add(int(word))
        elif word in known:
            causes.add(word)
        elif path and line.isdecimal():
            places.append((_relative(path, root), int(line)))
        elif Path(word).exists():
            places.append((_relative(word, root), 0))
        else:
            close = get_close_matches(word, known, n=1, cutoff=0.6)
            meant = f" Did you mean {close[0]}?" if close else ""
            raise UserError(
                f"{word} is no number of a finding, no cause, no file and no FILE:LINE.{meant}"
            )
    return Wanted(frozenset(numbers), frozenset(causes), tuple(places))


def _relative(path: str, root: Path) -> str:
    full = Path(path).absolute()
    base = root.absolute()
    if full.is_relative_to(base):
        return full.relative_to(base).as_posix()
    return Path(path).as_posix()


def numbered(findings: Sequence[Any], others: Sequence[Any] = ()) -> list[tuple[int, Any]]:
    """Findings of a report with their numbers, and what only the scan saw behind them."""
    first = len(findings) + 1
    return [(each["number"], each) for each in findings] + list(enumerate(others, first))
