"""Cured, what was fetched before is kept."""

from __future__ import annotations

from slowpath.causes.base import Finding
from slowpath.ledger import Ledger
from slowpath.simulate.edits import Cached, Edit
from slowpath.simulate.where import AROUND_CALL, in_function
from slowpath.simulate.workload import Where


def edit(finding: Finding, ledger: Ledger) -> Edit:
    """Answer from memory as many of the calls as brought nothing new.

    Other calls may go through the same function, such as a helper's: the resource tells them apart.
    """
    where = in_function(ledger, finding.path, finding.function, ("http",))
    along = in_function(ledger, finding.path, finding.function, ("http_pool_wait", "connect"))
    called = finding.evidence.get("resource")
    if called in ledger.recording.texts:
        resource = ledger.recording.texts.index(str(called))
        keys = ((site, activity, mode, resource) for site, activity, mode, _ in where.keys)
        where = Where(frozenset(keys))
    share = float(finding.evidence.get("repeated_share") or 0.0)
    return Cached(where, share, AROUND_CALL, along)
