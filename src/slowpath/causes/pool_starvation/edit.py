"""Cured, the pool has as many places as gain something."""

from __future__ import annotations

from slowpath.causes.base import Finding
from slowpath.ledger import Ledger
from slowpath.simulate.edits import Edit, OneOf, Resized

#: Larger pools are no cure: the database has to bear the connections of every worker.
MOST = 64


def edit(finding: Finding, ledger: Ledger) -> Edit | None:
    """Let the simulator choose among sizes, each twice the one before."""
    size = int(finding.evidence.get("pool_size") or 0)
    if size <= 0:
        return None
    most = min(MOST, size + int(finding.evidence.get("waiting_at_peak") or 0))
    sizes = [size * 2]
    while sizes[-1] < most:
        sizes.append(sizes[-1] * 2)
    pool = str(finding.evidence.get("pool") or "")
    return OneOf(tuple(Resized(pool, number) for number in sizes))
