"""Findings of an earlier scan, used again while no file has changed its meaning.

A scan is a function of the files' records and of slowpath itself. When both are what they were,
apart from the lines that things stand at, so are the findings; their lines are moved along.
"""

from __future__ import annotations

import marshal
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from slowpath.causes.base import Cause, Entry, Finding, Hop
from slowpath.program.build import Record, Tree
from slowpath.program.shift import LineMap, line_map
from slowpath.program.store import digest, load_marshalled, root_name, save_marshalled

Packed = tuple[Any, ...]

_PLAIN = [
    each.name
    for each in fields(Finding)
    if each.name not in ("cause", "entry", "chain", "blame", "claims")
]


class KeptFindings:
    """What one choice of causes found in one folder.

    Args:
        folder: where the cache lies.
        root: what is scanned.
        causes: those asked, by slug.
    """

    def __init__(self, folder: Path, root: Path, causes: dict[str, Cause]) -> None:
        self._causes = causes
        chosen = digest(" ".join(causes).encode())[:8]
        self._path = folder / f"found-{root_name(root)}-{chosen}.bin"
        self._engine = _engine(causes.values())

    def recall(self, tree: Tree) -> list[Finding] | None:
        """The findings, if they must be what they were."""
        saved = load_marshalled(self._path)
        if not isinstance(saved, tuple) or len(saved) != 3 or saved[0] != self._engine:
            return None
        moved = _moved(tree, saved[1])
        if moved is None:
            return None
        findings = [unpack(each, self._causes) for each in saved[2]]
        if moved:
            shift = Shift(moved)
            findings = [shift.finding(each) for each in findings]
            self.keep(tree, findings)
        return findings

    def keep(self, tree: Tree, findings: list[Finding]) -> None:
        """Remember what was found, for the files as they are."""
        packed = [pack(each) for each in findings]
        save_marshalled(self._path, (self._engine, _digests(tree), packed))


def _digests(tree: Tree) -> dict[str, str]:
    return {item.file.path: item.digest for item in tree.items}


def _moved(tree: Tree, known: dict[str, str]) -> dict[str, LineMap] | None:
    """How lines moved in the files that changed; None if more than lines did."""
    now = _digests(tree)
    if list(now) != list(known):
        return None
    moved: dict[str, LineMap] = {}
    for item in tree.items:
        path = item.file.path
        if known[path] == item.digest:
            continue
        before = tree.store.before(path) if tree.store is not None else None
        if before is None or before.digest != known[path]:
            return None
        old = Record._make(marshal.loads(before.data))
        lines = line_map(old.summary, item.record.summary)
        if lines is None:
            return None
        moved[item.file.shown] = lines
    return moved


class Shift:
    """Moves findings to where their lines are now.

    Messages speak of lines in two ways: "line 12" of the finding's own file, and
    "app/main.py:12" of any.
    """

    def __init__(self, moved: dict[str, LineMap]) -> None:
        self._moved = moved
        paths = "|".join(re.escape(path) for path in sorted(moved))
        self._spoken = re.compile(rf"(?:\bline |(?<![\w/.-])({paths}):)(\d+)\b")

    def line(self, path: str, line: int) -> int:
        return self._moved[path].get(line, line) if path in self._moved else line

    def finding(self, found: Finding) -> Finding:
        """The same finding, its lines and those of its chain moved."""

        def spoken(match: re.Match[str]) -> str:
            line = self.line(match[1] or found.path, int(match[2]))
            return f"{match[0].removesuffix(match[2])}{line}"

        entry = found.entry
        return replace(
            found,
            line=self.line(found.path, found.line),
            end_line=self.line(found.path, found.end_line),
            message=self._spoken.sub(spoken, found.message),
            entry=replace(entry, line=self.line(entry.path, entry.line)) if entry else None,
            chain=tuple([replace(hop, line=self.line(hop.path, hop.line)) for hop in found.chain]),
        )


def pack(finding: Finding) -> Packed:
    """A finding as plain tuples, for another process or scan."""
    entry = finding.entry
    return (
        finding.cause.slug,
        {name: getattr(finding, name) for name in _PLAIN},
        (entry.kind, entry.path, entry.line, entry.function) if entry is not None else None,
        tuple([(hop.path, hop.line, hop.function) for hop in finding.chain]),
    )


def unpack(packed: Packed, causes: Mapping[str, Cause]) -> Finding:
    """What was packed."""
    slug, plain, entry, chain = packed
    return Finding(
        causes[slug],
        **plain,
        entry=Entry(*entry) if entry is not None else None,
        chain=tuple([Hop(*each) for each in chain]),
    )


def _engine(causes: Iterable[Cause]) -> str:
    """What the answers depend on beside the source: the code and the tables that give them."""
    packages = {"slowpath.program", "slowpath.causes", *(cause.package for cause in causes)}
    folders = {Path(import_module(name).__file__ or "").parent for name in packages}
    stamps = [sys.version, str(Path(__file__).stat().st_mtime_ns)]
    for folder in sorted(folders):
        for file in sorted(folder.rglob("*")):
            if file.suffix in (".py", ".toml"):
                status = file.stat()
                stamps.append(f"{file} {status.st_size} {status.st_mtime_ns}")
    return digest("\n".join(stamps).encode())
