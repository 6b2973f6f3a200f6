"""Cured, the statement finds its rows by an index."""

from __future__ import annotations

from slowpath.causes.base import Finding
from slowpath.ledger import Ledger
from slowpath.simulate.edits import Edit, Scaled
from slowpath.simulate.where import claimed, round_trip_ns, row_ns


def edit(finding: Finding, ledger: Ledger) -> Edit:
    """Let it take what other statements of this recording take, and a little for each row."""
    where = claimed(ledger, finding.claims)
    rows = float(finding.evidence.get("rows_per_execution") or 0)
    most = round_trip_ns(ledger, but=where) + rows * row_ns(ledger)
    return Scaled(where, 1.0, at_most_ns=max(1, round(most)))
