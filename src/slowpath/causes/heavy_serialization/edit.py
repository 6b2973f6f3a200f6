"""Cured, the response is a page of what it was, encoded without validation."""

from __future__ import annotations

from slowpath.causes.base import Finding
from slowpath.ledger import Ledger
from slowpath.simulate.edits import All, Edit, Scaled
from slowpath.simulate.where import at_line, claimed

#: What a compiled encoder takes of the time of validating and encoding in Python.
COMPILED_SHARE = 0.1
#: A page that a person can look through: a hundred rows of 200 bytes.
PAGE_BYTES = 20_000
#: What the framework does for any response, however small, as a share of what it does for one
#: that dominates its endpoint.
LEAST_SHARE = 0.1


def edit(finding: Finding, ledger: Ledger) -> Edit:
    """Encode no more than a page, with a compiled encoder.

    What the endpoint's other work does with the rows and the body shrinks with the page, too.
    """
    size = int(finding.evidence.get("response_bytes") or 0)
    page = min(1.0, PAGE_BYTES / size) if size else 1.0
    around = at_line(ledger, finding.path, finding.line, ("loop", "handler"))
    return All(
        (
            Scaled(claimed(ledger, finding.claims), COMPILED_SHARE * page),
            Scaled(around, max(LEAST_SHARE, page)),
        )
    )
