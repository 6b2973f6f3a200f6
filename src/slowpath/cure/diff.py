"""A change as a unified diff."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import unified_diff

from slowpath.codemod.change import Splice, spliced
from slowpath.codemod.source import Source

CONTEXT = 3
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


def diff_of(source: Source, splices: Iterable[Splice], context: int = CONTEXT) -> list[str]:
    """The lines of a unified diff, without the newlines between; a carriage return stays."""
    after = spliced(source.text, splices)
    found: list[str] = []
    for line in unified_diff(
        _LINE.findall(source.text),
        _LINE.findall(after),
        f"a/{source.path}",
        f"b/{source.path}",
        n=context,
    ):
        if line.endswith("\n"):
            found.append(line[:-1])
        else:
            found += [line, "\\ No newline at end of file"]
    return found
