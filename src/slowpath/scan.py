"""Read a project and ask every cause what it sees; the work behind `slowpath scan`."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from slowpath.causes import catalogue
from slowpath.causes.base import Cause, Finding
from slowpath.program.build import Progress, Tree, build, read_tree
from slowpath.program.graph import Graph
from slowpath.program.resolve import Program
from slowpath.program.shares import divide, prepare
from slowpath.program.team import Seat, together
from slowpath.scan_kept import KeptFindings, Packed, pack, unpack

_RANK = {"certain": 0, "likely": 1, "possible": 2}
# Chains of calls in large projects are long.
_RECURSION = 20_000
_KIND_LAST = "coroutine"
_MOST_PROCESSES = 8
# With fewer lines another process costs more than it saves.
_LINES_EACH = 20_000
# The share of a first scan that goes into reading files.
_READING = 0.65


@dataclass
class Scan:
    """What a scan saw.

    Attributes:
        findings: surest first, real entries before lone coroutines.
        files, lines: how much was read.
        errors: (path, message) of what could not be.
        ignores: `# slowpath: ignore[...]` comments by (path, line); no slugs means all.
        read: files that were parsed anew.
    """

    findings: list[Finding]
    files: int
    lines: int
    errors: list[tuple[str, str]] = field(default_factory=list)
    ignores: dict[tuple[str, int], tuple[str, ...]] = field(default_factory=dict)
    read: int = 0


def scanning_causes(select: Collection[str] = (), ignore: Collection[str] = ()) -> dict[str, Cause]:
    """The causes that can be seen in code, by slug, as chosen."""
    return {
        slug: cause
        for slug, cause in sorted(catalogue().items())
        if cause.part("scan") is not None and (not select or slug in select) and slug not in ignore
    }


def scan(
    root: Path,
    *,
    select: Collection[str] = (),
    ignore: Collection[str] = (),
    cache: Path | None = None,
    progress: Progress | None = None,
    environment: Path | None = None,
) -> Scan:
    """Scan a folder or a file.

    Args:
        root: what to read; paths in findings are relative to it.
        select, ignore: slugs of causes to ask, and not to.
        cache: folder to keep what was parsed in, or None.
        progress: called with (work done, work in all) while files are read and causes asked.
        environment: a virtual environment whose packages are read too.
    """
    causes = scanning_causes(select, ignore)
    tell = progress or _untold
    tree = read_tree(root, cache, lambda done, total: tell(_READING * done, total))
    # With an environment, what its packages hold counts as well.
    kept = KeptFindings(cache, root, causes) if cache and environment is None else None
    findings = kept.recall(tree) if kept is not None else None
    if findings is None:
        findings = _analyse(build(tree, cache, environment), causes, tell)
        if kept is not None:
            kept.keep(tree, findings)
    return _result(tree, findings)


def _untold(done: float, total: float) -> None:
    """The progress of a scan that nobody watches."""


def _analyse(program: Program, causes: Mapping[str, Cause], tell: Progress) -> list[Finding]:
    """Ask the causes, file by file; of what several say of one place and way, the first is kept."""
    size = _processes(sum(each.lines for each in program.files))
    shares = divide(program.files, size)

    def work(seat: Seat) -> list[Packed]:
        graph = Graph(program)
        mine = shares[seat.number]
        if seat.size > 1:
            prepare(graph, seat, mine)
        found = []
        for number, module in enumerate(mine):
            tell(_READING + (1 - _READING) * number / len(mine), 1)
            graph.focus = (module,)
            for cause in causes.values():
                found += [pack(each) for each in _part(cause).scan(graph)]
        return found

    with _at_work():
        found: dict[str, list[Finding]] = {slug: [] for slug in causes}
        for part in together(work, size):
            for packed in part:
                finding = unpack(packed, causes)
                found[finding.cause.slug].append(finding)
    return _settled(found, causes)


def _processes(lines: int) -> int:
    return min(os.cpu_count() or 1, _MOST_PROCESSES, lines // _LINES_EACH + 1)


@contextmanager
def _at_work() -> Iterator[None]:
    """Long chains, and millions of small objects that live to the end."""
    enabled, limit = gc.isenabled(), sys.getrecursionlimit()
    gc.disable()
    sys.setrecursionlimit(max(limit, _RECURSION))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)
        if enabled:
            gc.enable()


def _part(cause: Cause) -> ModuleType:
    part = cause.part("scan")
    assert part is not None
    return part


def _settled(found: Mapping[str, list[Finding]], causes: Mapping[str, Cause]) -> list[Finding]:
    kept: dict[tuple[str, str, int, str, str], Finding] = {}
    for slug, cause in causes.items():
        settle = getattr(_part(cause), "settle", None)
        for finding in settle(found[slug]) if settle is not None else found[slug]:
            top = finding.chain[0] if finding.chain else None
            way = f"{top.path}:{top.line}" if top is not None else ""
            key = (slug, finding.path, finding.line, finding.culprit, way)
            kept.setdefault(key, finding)
    return sorted(kept.values(), key=_order)


def _result(tree: Tree, findings: list[Finding]) -> Scan:
    result = Scan(findings, 0, 0, list(tree.errors), read=tree.read)
    for item in tree.items:
        record = item.record
        if record.failure:
            result.errors.append((item.file.shown, record.failure))
            continue
        result.files += 1
        result.lines += record.lines
        for line, slugs in record.ignores.items():
            result.ignores[item.file.shown, line] = slugs
    result.errors.sort()
    return result


def _order(finding: Finding) -> tuple[int, bool, str, int, str]:
    lone = finding.entry is None or finding.entry.kind == _KIND_LAST
    return (
        _RANK.get(finding.confidence, 3),
        lone,
        finding.path,
        finding.line,
        finding.cause.slug,
    )
