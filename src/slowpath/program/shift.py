"""Whether two versions of a file mean the same, and which line became which.

Comments, blank lines, formatting and the inside of docstrings are no part of a file's record, so
a file in which only these changed has the same record but for its lines.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

LineMap = dict[int, int]

# Positions of (line, end line) in the tuples of `extract`; a block has one line.
_CALL = (1, 2)
_STMT = (2, 3)
_BLOCK = (2, 2)
_DEFINITION = (1, 2)


def line_map(old: Any, new: Any) -> LineMap | None:
    """Where each line that the old summary of `extract` speaks of is in the new one.

    None if they differ in more than their lines.
    """
    pairs: list[tuple[int, int]] = [(1, 1)]
    if not _same_summary(old, new, pairs):
        return None
    return _monotone(pairs)


def _same_summary(old: Any, new: Any, pairs: list[tuple[int, int]]) -> bool:
    functions, classes, imports, stars, assigns, body = old
    if (
        list(imports.items()) != list(new[2].items())
        or not _same((stars, assigns), new[3:5])
        or not _same_rows(classes, new[1], _DEFINITION, pairs)
        or not same_body(body, new[5], pairs)
        or not _same_rows(
            (each[:9] for each in functions), [each[:9] for each in new[0]], _DEFINITION, pairs
        )
    ):
        return False
    return all(same_body(one[9], two[9], pairs) for one, two in zip(functions, new[0], strict=True))


def same_body(old: bytes, new: bytes, pairs: list[tuple[int, int]]) -> bool:
    """Whether two bodies are equal apart from their lines, which are added to `pairs`."""
    one, two = marshal.loads(old), marshal.loads(new)
    return (
        list(one[0].items()) == list(two[0].items())
        and _same_rows(one[1], two[1], _CALL, pairs)
        and _same_rows(one[2], two[2], _STMT, pairs)
        and _same_rows(one[3], two[3], _BLOCK, pairs)
    )


def _same_rows(
    old: Iterable[tuple[Any, ...]],
    new: Iterable[tuple[Any, ...]],
    lines: tuple[int, int],
    pairs: list[tuple[int, int]],
) -> bool:
    """Whether rows are equal apart from their lines, which are added to `pairs`."""
    first, last = lines
    old, new = list(old), list(new)
    if len(old) != len(new):
        return False
    for one, two in zip(old, new, strict=True):
        if not _same(one[:first], two[:first]) or not _same(one[last + 1 :], two[last + 1 :]):
            return False
        pairs.append((one[first], two[first]))
        pairs.append((one[last], two[last]))
    return True


def _same(old: Any, new: Any) -> bool:
    """Equality that tells True from 1 and 1 from 1.0, as their types are looked at."""
    if old.__class__ is not new.__class__:
        return False
    if old.__class__ is tuple:
        return len(old) == len(new) and all(map(_same, old, new))
    return bool(old == new)


def _monotone(pairs: list[tuple[int, int]]) -> LineMap | None:
    """The pairs as a map, if lines that were apart are apart and in the same order.

    Two calls that share a line are one place to a report, so that splitting the line matters.
    """
    found: LineMap = {}
    for old, new in pairs:
        if found.setdefault(old, new) != new:
            return None
    ordered = [found[line] for line in sorted(found)]
    if any(one >= two for one, two in pairwise(ordered)):
        return None
    return found
