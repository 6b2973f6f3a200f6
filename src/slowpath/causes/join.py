"""One defect seen twice is one finding: the scan says how a line is reached, the run its cost."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from slowpath.causes.base import Entry, Finding, Hop

BOTH = ("scan", "run")
# What is only possible is worth a word when a run has shown it, not by itself.
_TOLD_ALONE = ("certain", "likely")

Place = tuple[str, int]


@dataclass(frozen=True)
class Joined:
    """Findings of a run and of a scan, put together.

    Attributes:
        findings: those of the run, in their order; where the scan saw the same, with its chain.
        in_code: what only the scan saw, surest first, each line once.
    """

    findings: list[Finding]
    in_code: list[Finding]


def join(
    measured: Sequence[Finding],
    scanned: Iterable[Finding],
    root: Path,
    executed: Collection[str],
) -> Joined:
    """Join the findings of one cause at one site, or at a site on the way to the other.

    Args:
        measured: findings of a run; they keep their order, cost and evidence.
        scanned: findings of a scan of `root`, surest first; their paths are relative to it.
        executed: paths of the files that the run was seen in. What a scan finds on ways that
            start elsewhere says nothing about this app.
    """
    told = [_beneath(root, finding) for finding in scanned]
    joined: list[Finding] = []
    known: set[tuple[str, str, int]] = set()
    for finding in measured:
        same = [each for each in told if _is_same(finding, each)]
        known.update(map(_key, same))
        joined.append(_merged(finding, same[0]) if same else finding)
    alone: dict[tuple[str, str, int], Finding] = {}
    for each in told:
        start = each.entry.path if each.entry is not None else each.path
        if each.confidence in _TOLD_ALONE and _key(each) not in known and start in executed:
            alone.setdefault(_key(each), each)
    return Joined(joined, list(alone.values()))


def _key(finding: Finding) -> tuple[str, str, int]:
    return finding.cause.slug, finding.path, finding.line


def _is_same(measured: Finding, scanned: Finding) -> bool:
    """Whether the site of one is the site of the other, or a hop on its way."""
    if measured.cause.slug != scanned.cause.slug:
        return False
    lines = range(scanned.line, max(scanned.end_line, scanned.line) + 1)
    if measured.path == scanned.path and measured.line in lines:
        return True
    return (measured.path, measured.line) in _places(scanned.chain) or (
        scanned.path,
        scanned.line,
    ) in _places(measured.chain)


def _places(chain: Iterable[Hop]) -> set[Place]:
    return {(hop.path, hop.line) for hop in chain}


def _merged(measured: Finding, scanned: Finding) -> Finding:
    return replace(
        measured,
        seen_by=BOTH,
        entry=scanned.entry,
        chain=scanned.chain,
        confidence=scanned.confidence,
        culprit=measured.culprit or scanned.culprit,
    )


def _beneath(root: Path, finding: Finding) -> Finding:
    """The finding with absolute paths, as a recording has them."""
    entry = finding.entry
    return replace(
        finding,
        path=str(root / finding.path),
        entry=None
        if entry is None
        else Entry(entry.kind, str(root / entry.path), entry.line, entry.function),
        chain=tuple(Hop(str(root / hop.path), hop.line, hop.function) for hop in finding.chain),
    )
