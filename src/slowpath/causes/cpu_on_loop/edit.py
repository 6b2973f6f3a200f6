"""Cured, the work is done beside the loop."""

from __future__ import annotations

from slowpath.causes.base import Finding
from slowpath.ledger import Ledger
from slowpath.simulate.edits import Edit, Offloaded
from slowpath.simulate.where import claimed

POOL = "workers for computing"


def edit(finding: Finding, ledger: Ledger) -> Edit:
    """Hand the work to threads that free the GIL, or to processes; a core stays for the loop."""
    cores = int(ledger.recording.run.get("cpus") or 1)
    return Offloaded(claimed(ledger, finding.claims), POOL, size=max(1, cores - 1))
