"""A scan for people: where, what, the line itself, and how the loop comes there."""

from __future__ import annotations

import shlex
import textwrap
from collections import Counter
from functools import cache
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.text import Text

from slowpath.causes.base import Finding, Safety
from slowpath.report.scan_result import Result
from slowpath.report.words import counted

_WIDTH = 80
_STYLES = {"certain": "bold red", "likely": "yellow", "possible": "dim"}
_HOPS_SHOWN = 6


def render(result: Result, console: Console) -> None:
    """Print the findings of each line together, surest first, and a summary."""
    for _, group in groupby(result.findings, key=_place):
        _print(result, list(group), console)
    _summary(result, console)


def _place(found: Finding) -> tuple[str, str, int, str]:
    return found.confidence, found.path, found.line, found.cause.slug


def _print(result: Result, group: list[Finding], console: Console) -> None:
    found = group[0]
    head = Text()
    head.append(f"{result.shown_path(found.path)}:{found.line}", "bold")
    head.append("  ")
    head.append(found.cause.slug, _STYLES.get(found.confidence, ""))
    head.append(f"  {found.confidence}", "dim")
    console.print(head, soft_wrap=True)
    for line in textwrap.wrap(found.message, _WIDTH - 4, break_long_words=False):
        console.print(f"    {line}", highlight=False, markup=False, soft_wrap=True)
    source = _source_line(result, found)
    if source:
        shown = Text(f"    {found.line:>5} | ", "dim")
        shown.append(source[: _WIDTH - 12], "default")
        console.print(shown, soft_wrap=True)
    for step in _chain(result, found):
        console.print(Text(f"    {step}", "dim"), soft_wrap=True)
    if len(group) > 1:
        ways = len(group) - 1
        text = f"    and {ways} more way{'s' if ways > 1 else ''} to this line"
        console.print(Text(text, "dim"), soft_wrap=True)
    console.print()


def _chain(result: Result, found: Finding) -> list[str]:
    """The entry and the calls; those in the middle of a long way are left out."""
    entry = found.entry
    hops = list(found.chain)
    if entry is None or (entry.kind == "coroutine" and len(hops) < 2):
        return []
    steps = [f"{entry.kind} {entry.function} ({result.shown_path(entry.path)}:{entry.line})"]
    shown = hops
    if len(hops) > _HOPS_SHOWN:
        shown = hops[: _HOPS_SHOWN // 2] + hops[-_HOPS_SHOWN // 2 :]
    for position, hop in enumerate(shown):
        if len(hops) > _HOPS_SHOWN and position == _HOPS_SHOWN // 2:
            steps.append(f"... {len(hops) - _HOPS_SHOWN} more calls ...")
        steps.append(f"{hop.function} ({result.shown_path(hop.path)}:{hop.line})")
    return [("from " if not n else "  -> ") + step for n, step in enumerate(steps)]


def _source_line(result: Result, found: Finding) -> str:
    root = result.root if result.root.is_dir() else result.root.parent
    lines = _lines(root / found.path)
    return lines[found.line - 1].strip() if 0 < found.line <= len(lines) else ""


@cache
def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _summary(result: Result, console: Console) -> None:
    for path, message in result.errors[:20]:
        console.print(
            f"not read: {result.shown_path(path)}: {message}",
            highlight=False, markup=False, soft_wrap=True,
        )  # fmt: skip
    if len(result.errors) > 20:
        console.print(f"... and {len(result.errors) - 20} more files not read", highlight=False)
    for path, line, slugs in result.unused_ignores:
        what = f"[{', '.join(slugs)}]" if slugs else ""
        console.print(
            f"{result.shown_path(path)}:{line}: this ignore{what} hides nothing; remove it",
            highlight=False, markup=False, soft_wrap=True,
        )  # fmt: skip
    counts = Counter(found.cause.slug for found in result.findings)
    if counts:
        width = max(map(len, counts))
        for slug, count in sorted(counts.items(), key=lambda each: (-each[1], each[0])):
            console.print(f"{slug:{width}} {count:>5}", highlight=False)
    if any(found.cause.cure is not Safety.NONE for found in result.findings):
        # Which of them can be cured so takes longer to say than to find them.
        where = shlex.quote(str(result.root))
        console.print(
            f"cures as changes of your code: slowpath fix --scan {where}", highlight=False
        )
    files, lines = counted(result.files, "file"), counted(result.lines, "line")
    read = f"{files}, {lines} in {result.seconds:.1f} s"
    number = len(result.findings)
    found = f"{number} finding{'' if number == 1 else 's'}" if number else "nothing found"
    console.print(f"{found}: {read}", highlight=False)
    hidden = []
    if result.possible:
        hidden.append(f"{result.possible} possible (--show-possible)")
    if result.known:
        hidden.append(f"{result.known} in the baseline")
    if hidden:
        console.print(f"hidden: {', '.join(hidden)}", highlight=False)
