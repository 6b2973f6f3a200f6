"""Cured, one statement brings what many brought."""

from __future__ import annotations

from slowpath.causes.base import Finding
from slowpath.ledger import ACTIVITIES, Ledger
from slowpath.simulate.edits import Edit, Merged
from slowpath.simulate.where import claimed, row_ns

#: What a row more costs the driver and the ORM, as a share of what a statement costs them.
ROW_SHARE = 0.025


def edit(finding: Finding, ledger: Ledger) -> Edit:
    """Merge the statements of a request into one that brings all rows."""
    return Merged(
        claimed(ledger, finding.claims),
        statement=frozenset((ACTIVITIES["sql"],)),
        row_ns=row_ns(ledger),
        row_share=ROW_SHARE,
    )
