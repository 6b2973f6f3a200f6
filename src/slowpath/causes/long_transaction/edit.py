"""Cured, the connection is given back before the request waits for something else."""

from __future__ import annotations

from slowpath.causes.base import Finding
from slowpath.causes.long_transaction.detect import ELSEWHERE
from slowpath.ledger import ACTIVITIES, Ledger
from slowpath.simulate.edits import Edit, ReleasedMeanwhile
from slowpath.simulate.where import at_line, closing


def edit(finding: Finding, ledger: Ledger) -> Edit:
    """Give the connection back meanwhile; take one again only where statements follow."""
    return ReleasedMeanwhile(
        at_line(ledger, finding.path, finding.line, ELSEWHERE),
        pools=frozenset(("connections",)),
        needs=frozenset(ACTIVITIES[name] for name in ("sql", "fetch")),
        closing=closing(ledger),
    )
