"""What a scan is to show: options, `pyproject.toml`, ignore comments, baseline, changed lines."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from slowpath.causes.base import Finding
from slowpath.errors import UserError

_HUNK = re.compile(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@")


@dataclass
class Config:
    """The table `[tool.slowpath.scan]`.

    Attributes:
        select, ignore: slugs.
        exclude: patterns of paths whose findings are not shown.
        per_file_ignores: slugs not shown for paths that match a pattern.
        show_possible: show findings that are only possible.
        below: the folder that is scanned, seen from the one of `pyproject.toml`. Patterns may be
            written from either.
    """

    select: list[str] = field(default_factory=list)
    ignore: list[str] = field(default_factory=list)
    exclude: list[str] = field(default_factory=list)
    per_file_ignores: dict[str, list[str]] = field(default_factory=dict)
    show_possible: bool = False
    below: str = ""


def read_config(root: Path) -> Config:
    """The nearest `pyproject.toml` above `root` that has the table.

    Raises:
        UserError: it is not TOML, or a key is unknown or of the wrong type.
    """
    folder = root.resolve()
    for each in (folder, *folder.parents):
        path = each / "pyproject.toml"
        if not path.is_file():
            continue
        try:
            table = tomllib.loads(path.read_text("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
            raise UserError(f"{path} is not valid TOML: {exc}.") from exc
        own = table.get("tool", {}).get("slowpath", {}).get("scan")
        if own is not None:
            config = _checked(own, path)
            config.below = folder.relative_to(each).as_posix()
            return config
    return Config()


def _checked(table: dict[str, Any], path: Path) -> Config:
    config = Config()
    for key, value in table.items():
        name = key.replace("-", "_")
        if name == "below" or not hasattr(config, name):
            raise UserError(f"{path}: [tool.slowpath.scan] has no key {key!r}.")
        wanted = type(getattr(config, name))
        if not isinstance(value, wanted):
            raise UserError(f"{path}: {key} must be a {_TYPES[wanted]}.")
        setattr(config, name, value)
    return config


_TYPES: dict[type, str] = {list: "list of strings", dict: "table of lists", bool: "boolean"}


def check_slugs(slugs: Iterable[str], known: Collection[str]) -> None:
    """Raise a UserError for a slug that no cause has."""
    for slug in slugs:
        if slug not in known:
            close = get_close_matches(slug, known, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise UserError(
                f"There is no cause {slug!r} that reads code.{hint}\n"
                f"Those that do: {', '.join(sorted(known))}."
            )


def without_excluded(findings: list[Finding], config: Config) -> list[Finding]:
    """Leave out paths and causes that the project's settings exclude."""
    kept = []
    for found in findings:
        if any(_matches(found.path, pattern, config) for pattern in config.exclude):
            continue
        if any(
            found.cause.slug in slugs and _matches(found.path, pattern, config)
            for pattern, slugs in config.per_file_ignores.items()
        ):
            continue
        kept.append(found)
    return kept


def _matches(path: str, pattern: str, config: Config) -> bool:
    return any(
        fnmatch(each, pattern) or fnmatch(each, pattern.rstrip("/") + "/*")
        for each in (path, f"{config.below}/{path}")
    )


Ignores = dict[tuple[str, int], tuple[str, ...]]


def without_ignored(
    findings: list[Finding], ignores: Ignores
) -> tuple[list[Finding], list[tuple[str, int, tuple[str, ...]]]]:
    """Apply ignore comments.

    Returns:
        What is left, and the comments that hid nothing.
    """
    used = set()
    kept = []
    for found in findings:
        hidden = False
        for line in range(found.line, max(found.end_line, found.line) + 1):
            slugs = ignores.get((found.path, line))
            if slugs is not None and (not slugs or found.cause.slug in slugs):
                used.add((found.path, line))
                hidden = True
        if not hidden:
            kept.append(found)
    unused = [(*place, slugs) for place, slugs in sorted(ignores.items()) if place not in used]
    return kept, unused


# -- baseline --------------------------------------------------------------------------------


def _key(found: Finding) -> str:
    """What stays when the line moves; one for all ways to it."""
    return "|".join((found.cause.slug, found.path, found.function, found.culprit))


def write_baseline(path: Path, findings: list[Finding]) -> None:
    """Keep today's findings."""
    counts = Counter(_key(found) for found in findings)
    try:
        path.write_text(json.dumps({"version": 1, "known": dict(sorted(counts.items()))}, indent=1))
    except OSError as exc:
        raise UserError(f"The baseline {path} cannot be written: {exc.strerror}.") from exc


def new_since(path: Path, findings: list[Finding]) -> list[Finding]:
    """Leave out what the baseline holds, as often as it holds it."""
    try:
        document = json.loads(path.read_text("utf-8"))
        known = Counter({str(key): int(count) for key, count in document["known"].items()})
    except OSError as exc:
        raise UserError(f"The baseline {path} cannot be read: {exc.strerror}.") from exc
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise UserError(f"{path} is not a baseline of slowpath's; delete it to start one.") from exc
    kept = []
    for found in findings:
        key = _key(found)
        if known[key] > 0:
            known[key] -= 1
        else:
            kept.append(found)
    return kept


# -- changed lines ---------------------------------------------------------------------------


def changed_lines(root: Path, revision: str) -> dict[str, set[int]]:
    """Lines added or changed since a git revision, by path relative to `root`; new files whole.

    Raises:
        UserError: not a git repository, or no such revision.
    """
    folder = root if root.is_dir() else root.parent
    if revision.startswith("-"):
        raise UserError(f"{revision!r} is not a revision.")
    _git(folder, "rev-parse", "--git-dir")  # outside of a repository `diff` means something else
    diff = _git(folder, "diff", "--unified=0", "--no-color", "--relative", revision, "--", ".")
    found: dict[str, set[int]] = {}
    current: set[int] = set()
    for line in diff.splitlines():
        if line.startswith("+++ "):
            name = line[4:].split("\t")[0]
            current = found.setdefault(name.removeprefix("b/"), set())
        else:
            match = _HUNK.match(line)
            if match:
                start, count = int(match[1]), int(match[2] or 1)
                current.update(range(start, start + count))
    for name in _git(folder, "ls-files", "--others", "--exclude-standard").splitlines():
        try:
            lines = (folder / name).read_bytes().count(b"\n") + 1
        except OSError:
            continue
        found[name] = set(range(1, lines + 1))
    return found


def _git(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "GIT_PAGER": "cat", "LC_ALL": "C"}
    try:
        result = subprocess.run(
            ["git", "-c", "core.quotepath=off", "-C", str(folder), *arguments],
            capture_output=True, text=True, check=False, env=environment, errors="replace",
        )  # fmt: skip
    except FileNotFoundError:
        raise UserError("--diff needs git, which is not installed.") from None
    if result.returncode and "not a git repository" in result.stderr.lower():
        raise UserError(f"--diff needs a git repository; {folder} lies in none.")
    if result.returncode:
        last = result.stderr.strip().splitlines()[-1:] or ["git failed"]
        raise UserError(f"--diff: {last[0].removeprefix('fatal: ')}")
    return result.stdout


def touching(findings: list[Finding], changed: dict[str, set[int]]) -> list[Finding]:
    """Findings at a changed line, or that a changed call leads to."""

    def touched(path: str, line: int, end_line: int) -> bool:
        lines = changed.get(path)
        return lines is not None and not lines.isdisjoint(range(line, end_line + 1))

    return [
        found
        for found in findings
        if touched(found.path, found.line, max(found.end_line, found.line))
        or any(touched(hop.path, hop.line, hop.line) for hop in found.chain)
    ]
