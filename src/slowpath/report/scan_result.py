"""What the renderers of a scan are given."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from slowpath.causes.base import Finding


@dataclass
class Result:
    """A scan after the user's choices.

    Attributes:
        root: what was scanned; paths of findings are relative to it.
        findings: those to show, surest first.
        files, lines: how much was read.
        errors: (path, message) of what could not be read.
        unused_ignores: (path, line, slugs) of ignore comments that hid nothing.
        possible: findings hidden because they are only possible.
        known: findings hidden because the baseline holds them.
        seconds: how long it took.
    """

    root: Path
    findings: list[Finding]
    files: int
    lines: int
    errors: list[tuple[str, str]] = field(default_factory=list)
    unused_ignores: list[tuple[str, int, tuple[str, ...]]] = field(default_factory=list)
    possible: int = 0
    known: int = 0
    seconds: float = 0.0

    def shown_path(self, path: str) -> str:
        """The path as it can be opened from here."""
        root = self.root if self.root.is_dir() else self.root.parent
        joined = (root / path).as_posix()
        return joined.removeprefix("./")
