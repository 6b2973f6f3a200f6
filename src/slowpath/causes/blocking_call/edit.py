"""Cured, the call waits without holding the loop."""

from __future__ import annotations

from slowpath.causes.base import Finding
from slowpath.ledger import ACTIVITIES, Ledger
from slowpath.simulate.edits import Edit, Overlapped
from slowpath.simulate.where import awaited_call_ns, claimed


def edit(finding: Finding, ledger: Ledger) -> Edit:
    """Turn what blocked into an await, for what an async client computes for each call."""
    where = claimed(ledger, finding.claims)
    talks = any(key[1] == ACTIVITIES["http"] for key in where.keys)
    return Overlapped(where, awaited_call_ns(ledger) if talks else 0)
