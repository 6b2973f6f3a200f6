"""Small projects, written to a folder and scanned."""

from __future__ import annotations

import textwrap
from pathlib import Path

from slowpath.causes.base import Finding
from slowpath.scan import scan


def write(folder: Path, **files: str) -> Path:
    """Write files; `app__svc` stands for `app/svc.py`."""
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        if path.parent != folder:
            (path.parent / "__init__.py").touch()
    return folder


def findings(folder: Path, cause: str = "", **files: str) -> list[Finding]:
    """What is certain or likely, of one cause if it is named."""
    return [
        found
        for found in scan(write(folder, **files)).findings
        if found.confidence != "possible" and cause in ("", found.cause.slug)
    ]


def lines(found: list[Finding]) -> list[int]:
    return sorted({each.line for each in found})
