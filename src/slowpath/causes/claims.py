"""Who explains a charge: one defect gives one finding, from the cause that tells most about it.

Every finding claims rows of the ledger's root view. They are settled from the most specific cause
to the most general: each takes the rows that nobody took before it, and its blame is what it
took. A finding whose rows others explain, or that is left with nothing that matters, is dropped.
So no cause needs to know another, and no charge is counted twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from slowpath.causes.base import Finding
from slowpath.causes.evidence import matters

if TYPE_CHECKING:
    from slowpath.ledger import Ledger

#: A finding that keeps less than this of what it claims is another one's by-product.
MIN_KEPT = 1 / 3


def settle(ledger: Ledger, findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings that stand, each with the blame that is its alone.

    One without claims stands as it is. One marked as `pattern` stands whatever it is left with.
    """
    free = np.ones(len(ledger.root), np.bool_)
    standing = []
    for finding in sorted(findings, key=lambda finding: -finding.cause.specificity):
        if finding.claims is None:
            standing.append(finding)
            continue
        mine = finding.claims & free
        claimed, kept = ledger.blame(finding.claims), ledger.blame(mine)
        if finding.pattern or (
            kept.total_ns >= MIN_KEPT * claimed.total_ns and matters(ledger, mine)
        ):
            free &= ~finding.claims
            standing.append(replace(finding, blame=kept))
    return standing
