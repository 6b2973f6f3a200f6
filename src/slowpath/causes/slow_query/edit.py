"""Cured, the statement finds its rows by an index."""

from __future__ import annotations

from slowpath.causes.base import Finding
from slowpath.ledger import ACTIVITIES, Ledger
from slowpath.simulate.edits import All, Edit, Relieved, Scaled
from slowpath.simulate.where import (
    at_best_ns,
    claimed,
    round_trip_ns,
    row_ns,
    share_of_database,
)
from slowpath.simulate.workload import Where


def edit(finding: Finding, ledger: Ledger) -> Edit:
    """Let it take what the quickest take, and a little for each row; others find less in their way.

    What others take beyond their best they wait for the database, and so for this statement by
    its share of the database's time.
    """
    where = claimed(ledger, finding.claims)
    rows = float(finding.evidence.get("rows_per_execution") or 0)
    most = round_trip_ns(ledger, but=where) + rows * row_ns(ledger)
    best = at_best_ns(ledger, but=where)
    others = Where(frozenset((-1, ACTIVITIES["sql"], -1, resource) for resource in best))
    return All(
        (
            Scaled(where, 1.0, at_most_ns=max(1, round(most))),
            Relieved(others, best, share_of_database(ledger, where)),
        )
    )
