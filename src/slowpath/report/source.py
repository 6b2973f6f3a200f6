"""The lines of source around a site, as they are now."""

from __future__ import annotations

import tokenize
from datetime import datetime
from pathlib import Path

from slowpath.report.model import Source

AROUND = 2
#: No line of a report needs more, and no generated file is worth reading whole.
MOST_CHARACTERS = 400
MOST_BYTES = 4_000_000


def excerpt(path: Path, line: int, started: str = "") -> Source | None:
    """Return `line` of a file and those around it; None if it cannot be read or is not there.

    Args:
        started: when the run began (ISO 8601), to tell whether the file was changed since.
    """
    try:
        status = path.stat()
        if line < 1 or not path.is_file() or status.st_size > MOST_BYTES:
            return None
        # Decoded as Python does; a file that is not Python at all is still shown.
        try:
            with tokenize.open(path) as file:
                text = file.read()
        except (SyntaxError, UnicodeDecodeError):
            text = path.read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return None
    # Python counts lines by these ends only, not by all that str.splitlines knows.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if line > len(lines):
        return None
    first = max(1, line - AROUND)
    chosen = [text.expandtabs(4)[:MOST_CHARACTERS] for text in lines[first - 1 : line + AROUND]]
    return {
        "first_line": first,
        "lines": chosen,
        "changed": _is_newer(status.st_mtime, started),
    }


def _is_newer(mtime: float, started: str) -> bool:
    try:
        return mtime > datetime.fromisoformat(started).timestamp()
    except ValueError:
        return False
