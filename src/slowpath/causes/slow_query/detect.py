"""Statements that are slow in the database, not in the queue before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from slowpath.causes.base import Finding, Mask
from slowpath.causes.evidence import (
    PATIENT,
    activity_codes,
    by_site,
    doing,
    in_mode,
    ms,
    spans_by_request,
)
from slowpath.causes.slow_query import CAUSE
from slowpath.ledger import ACTIVITIES, Ledger, Mode

#: From here a statement is slow: ten times what one by an index takes over a local network.
SLOW_NS = 10_000_000
#: What each row of the answer may take on top: many rows are another defect than a slow search.
ROW_NS = 20_000
#: Judged by its quicker executions: under load each also waits for the database's cores and for
#: locks, and an honest statement is quick at least now and then.
QUICKER = 0.1
#: On a machine that is overloaded as a whole every statement is slow: this one must take so many
#: times what the quickest of all takes.
TIMES_THE_QUICKEST = 3.0
#: Below this many requests the quicker tenth says nothing.
MIN_REQUESTS = 5
DATABASE = ("sql", "fetch")


@dataclass
class Executions:
    """One statement of one line: how often it ran, and how long (ns) in each request that ran it.

    Without the time in which its answer was there but the loop was busy.
    """

    count: int = 0
    rows: int = 0
    each_ns: list[float] = field(default_factory=list)

    @property
    def best_ns(self) -> float:
        """What it takes when little is in its way."""
        return float(np.quantile(self.each_ns, QUICKER))

    @property
    def typical_ns(self) -> float:
        """The median."""
        return float(np.median(self.each_ns))

    @property
    def known(self) -> bool:
        """Whether it ran often enough to tell, on the path of its requests."""
        return len(self.each_ns) >= MIN_REQUESTS and self.best_ns > 0

    def is_slow(self, quickest_ns: float) -> bool:
        """Tell whether the database takes long for it, by itself and beside the quickest."""
        allowed_ns = SLOW_NS + ROW_NS * max(0, self.rows) / max(1, self.count)
        return self.known and self.best_ns >= max(allowed_ns, TIMES_THE_QUICKEST * quickest_ns)


def detect(ledger: Ledger) -> Iterator[Finding]:
    """Yield the lines whose statement is slow even when nothing else is in its way."""
    executions = _executions(ledger)
    quickest_ns = _quickest_ns(executions)
    in_database = doing(ledger, *DATABASE) & in_mode(ledger, *PATIENT, Mode.BLOCKED)
    for site, chosen in by_site(ledger, in_database, on_one_endpoint=False):
        slow = {
            text: found
            for text, found in executions.get(site, {}).items()
            if found.is_slow(quickest_ns)
        }
        if slow:
            text = max(slow, key=lambda text: sum(slow[text].each_ns))
            yield _finding(ledger, site, ledger.recording.texts[text], slow[text], chosen)


def _quickest_ns(executions: dict[int, dict[int, Executions]]) -> float:
    """Return what the quickest of all statements takes at its best; 0 if there is but one."""
    kinds = [found for at_site in executions.values() for found in at_site.values() if found.known]
    return min(found.best_ns for found in kinds) if len(kinds) > 1 else 0.0


def _executions(ledger: Ledger) -> dict[int, dict[int, Executions]]:
    """Return what ran, by site and fingerprint."""
    rows = ledger.direct
    rows = rows[
        np.isin(rows["activity"], activity_codes(*DATABASE))
        & np.isin(rows["mode"], (*PATIENT, Mode.BLOCKED))
    ]
    found: dict[int, dict[int, Executions]] = {}
    for index, _, spans in spans_by_request(ledger, *DATABASE):
        low, high = np.searchsorted(rows["request"], [index, index + 1])
        spent: Counter[tuple[int, int]] = Counter()
        for site, text, start, end in rows[["site", "resource", "start", "end"]][low:high].tolist():
            spent[site, text] += end - start
        counts: Counter[tuple[int, int]] = Counter()
        for span in spans:
            executions = found.setdefault(span.site, {}).setdefault(span.resource, Executions())
            executions.rows += max(0, span.a)
            if span.kind == ACTIVITIES["sql"]:
                counts[span.site, span.resource] += 1
        for (site, text), count in counts.items():
            found[site][text].count += count
            found[site][text].each_ns.append(spent[site, text] / count)
    return found


def _finding(
    ledger: Ledger, site: int, fingerprint: str, executions: Executions, chosen: Mask
) -> Finding:
    place = ledger.recording.sites[site]
    return Finding(
        cause=CAUSE,
        path=place.path,
        line=place.line,
        function=place.function,
        message=(
            f"The statement takes {ms(executions.typical_ns):.0f} ms, and "
            f"{ms(executions.best_ns):.0f} ms at its best; it ran {executions.count} times."
        ),
        blame=ledger.blame(chosen),
        evidence={
            "ms_per_execution": ms(executions.typical_ns),
            "ms_at_best": ms(executions.best_ns),
            "executions": executions.count,
            "rows_per_execution": round(executions.rows / executions.count, 1),
            "fingerprint": fingerprint,
        },
        claims=chosen,
    )
