"""Read a project and ask every cause what it sees; the work behind `slowpath scan`."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from slowpath.causes import catalogue
from slowpath.causes.base import Cause, Finding
from slowpath.program.build import Progress, Tree, build, read_tree
from slowpath.program.graph import Graph
from slowpath.program.knowledge import load as load_knowledge
from slowpath.program.packing import Packing
from slowpath.program.reader import READER
from slowpath.program.resolve import Program
from slowpath.program.shares import divide, prepare
from slowpath.program.team import Seat, together
from slowpath.scan_units import ask, at_full_length, settled
from slowpath.warm.again import scan_again
from slowpath.warm.kept import Keeper, Kept, digests, edits, move
from slowpath.warm.moved import pack, unpack
from slowpath.warm.noted import (
    Page,
    merge_edges,
    merge_indexes,
    notes,
    pack_edges,
    pack_indexes,
    pack_origins,
)

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
    tell = progress or _untold

    @lru_cache
    def prepared() -> tuple[dict[str, Cause], Keeper | None]:
        causes = scanning_causes(select, ignore)
        load_knowledge()
        # With an environment, what its packages hold counts as well.
        return causes, Keeper(cache, root, causes) if cache and environment is None else None

    tree = read_tree(root, cache, lambda done, total: tell(_READING * done, total), prepared)
    with at_full_length():
        causes, keeper = prepared()
        kept = keeper.load() if keeper is not None else None
        current = _recalled(kept, tree, causes) if kept is not None else None
        if current is None:
            program = build(tree, cache, environment)
            kept = _analyse(program, causes, tell, keep=keeper is not None)
            current = False
        assert kept is not None
        if current:
            findings = [unpack(each, causes) for each in kept.shown.get("")]
        else:
            findings = _put_together(kept, tree, causes)
            if keeper is not None:
                kept.digests = digests(tree)
                kept.shown.put("", [pack(each) for each in findings])
                keeper.save(kept)
    return _result(tree, findings)


def _recalled(kept: Kept, tree: Tree, causes: Mapping[str, Cause]) -> bool | None:
    """Bring what is kept up to date; whether it was, and None if that cannot be done."""
    edited = edits(tree, kept)
    if edited is None:
        return None
    if not edited:
        return True
    if not edited.changed and not edited.gone:
        return False if move(kept, edited.moved) else None
    return False if scan_again(build(tree), tree, kept, edited, causes) else None


def _put_together(kept: Kept, tree: Tree, causes: Mapping[str, Cause]) -> list[Finding]:
    found: dict[str, list[Finding]] = {slug: [] for slug in causes}
    for item in tree.items:
        for slug, said in kept.found.get(item.file.shown, {}).items():
            found[slug] += [unpack(each, causes) for each in said]
    return settled(found, causes)


def _untold(done: float, total: float) -> None:
    """The progress of a scan that nobody watches."""


def _analyse(
    program: Program, causes: Mapping[str, Cause], tell: Progress, *, keep: bool = False
) -> Kept:
    """Ask the causes of every file, by as many processes as are worth it.

    Args:
        keep: gather what the next scan wants to know.
    """
    for module in program.by_path.values():
        module.unfold()  # once for all processes
    size = _processes(sum(each.lines for each in program.files))
    shares = divide(program.files, size)

    def work(seat: Seat) -> tuple[Any, ...]:
        READER.forget()
        graph = Graph(program)
        packing = Packing(graph)
        mine = shares[seat.number]
        if seat.size > 1:
            prepare(graph, packing, seat, mine)
        found = {}

        def done(files: int) -> None:
            if not seat.number:  # one of them tells how far they are
                tell(_READING + (1 - _READING) * files / len(mine), 1)

        for module, said in ask(graph, causes, mine, done):
            found[module.path] = {slug: [pack(e) for e in each] for slug, each in said.items()}
        if not keep:
            return (found,)
        pages = {path: page.packed() for path, page in notes(graph).items()}
        edges = pack_edges(graph, packing, mine)
        origins = pack_origins(graph, packing) if not seat.number else None
        return found, pages, pack_indexes(graph), edges, origins

    parts = together(work, size)
    READER.forget()
    found = {path: each for part in parts for path, each in part[0].items()}
    kept = Kept({}, found)
    if keep:
        pages: dict[str, Page] = {}
        all_edges: dict[str, Any] = {}
        for part in parts:
            for path, packed in part[1].items():
                page = Page(packed)
                if path in pages:
                    pages[path].add(page)
                else:
                    pages[path] = page
            merge_edges(all_edges, part[3])
        for path, edges in all_edges.items():
            kept.edges.put(path, edges)
        for path, page in pages.items():
            kept.pages.put(path, page.packed())
        kept.indexes = merge_indexes(part[2] for part in parts)
        kept.origins = parts[0][4]
    return kept


def _processes(lines: int) -> int:
    return min(os.cpu_count() or 1, _MOST_PROCESSES, lines // _LINES_EACH + 1)


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
