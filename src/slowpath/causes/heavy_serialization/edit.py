"""Cured, the response is a page of what it was, encoded without validation."""

from __future__ import annotations

from slowpath.causes.base import Finding
from slowpath.ledger import ACTIVITIES, Ledger
from slowpath.simulate.edits import All, Edit, Relieved, Scaled
from slowpath.simulate.where import (
    at_best_ns,
    at_line,
    claimed,
    culprits,
    share_of_database,
    with_many_rows,
)
from slowpath.simulate.workload import Where

#: What a compiled encoder takes of the time of validating and encoding in Python.
COMPILED_SHARE = 0.1
#: A page that a person can look through: a hundred rows of 200 bytes.
PAGE_BYTES = 20_000
#: What the framework does for any response, however small, as a share of what it does for one
#: that dominates its endpoint.
LEAST_SHARE = 0.1


def edit(finding: Finding, ledger: Ledger) -> Edit:
    """Encode no more than a page, with a compiled encoder.

    What the framework does with the rows and the body, in the slice that encodes them, shrinks with
    the page, too; and so do the statements that bring the rows, in whose way others find less then.
    """
    size = int(finding.evidence.get("response_bytes") or 0)
    page = min(1.0, PAGE_BYTES / size) if size else 1.0
    encoding = claimed(ledger, finding.claims)
    around = at_line(ledger, finding.path, finding.line, ("loop", "handler"))
    edits: list[Edit] = [
        Scaled(around, max(LEAST_SHARE, page), amid=encoding),
        Scaled(encoding, COMPILED_SHARE * page),
    ]
    rows = with_many_rows(ledger, culprits(ledger, finding.claims))
    if rows.keys:
        best = at_best_ns(ledger, but=rows)
        others = Where(frozenset((-1, ACTIVITIES["sql"], -1, resource) for resource in best))
        edits += [
            Scaled(rows, max(LEAST_SHARE, page)),
            Relieved(others, best, share_of_database(ledger, rows) * (1 - page)),
        ]
    return All(tuple(edits))
