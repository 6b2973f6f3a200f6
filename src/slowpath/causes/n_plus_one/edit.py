"""Cured, one statement brings what many brought."""

from __future__ import annotations

from slowpath.causes.base import Finding
from slowpath.ledger import ACTIVITIES, Ledger
from slowpath.simulate.edits import Edit, Merged
from slowpath.simulate.where import claimed, object_ns, row_ns


def edit(finding: Finding, ledger: Ledger) -> Edit:
    """Let the statement before them bring all rows along; or the first, if there is none before."""
    rows = max(1.0, float(finding.evidence.get("rows_per_statement") or 0))
    return Merged(
        claimed(ledger, finding.claims),
        statement=frozenset((ACTIVITIES["sql"],)),
        row_ns=rows * row_ns(ledger),
        row_cpu_ns=rows * object_ns(ledger),
        into_parent=True,
    )
