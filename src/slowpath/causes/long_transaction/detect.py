"""Connections that lie idle while their request waits for something that is no database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from slowpath.causes.base import Finding
from slowpath.causes.evidence import (
    PATIENT,
    activity_codes,
    at,
    by_site,
    doing,
    in_mode,
    matters,
    ms,
    spans_by_request,
    waiting_for,
)
from slowpath.causes.long_transaction import CAUSE
from slowpath.ledger import ACTIVITIES, Ledger
from slowpath.recording import Span

#: What a request may wait for without its database.
ELSEWHERE = (
    *("http", "http_pool_wait", "cache", "sleep", "await"),
    *("thread", "lock_wait", "send", "receive"),
)
#: Less than this is the small change of any request (returning a connection, a cache's answer).
MIN_HURTING_NS = 5_000_000
MIN_HURTING_SHARE = 0.25
#: Without anybody waiting yet, a connection that lies idle for this long and for this much of the
#: time it is held caps the service: no pool serves more than its size over the time of a hold.
MIN_IDLE_NS = 20_000_000
MIN_IDLE_SHARE = 0.5
MIN_HOLDS = 5


@dataclass
class Idle:
    """Holds of a connection in which the request waited at one site for something else.

    Attributes:
        idle_ns: for each hold, how long it did.
        held_ns: how long these connections were held, in sum.
        taken_at: the sites that had taken them.
        size: of the pool; -1 if unknown.
    """

    idle_ns: list[int] = field(default_factory=list)
    held_ns: int = 0
    taken_at: Counter[int] = field(default_factory=Counter)
    size: int = -1

    @property
    def typical_ns(self) -> float:
        """The median time of waiting within one hold."""
        return float(np.median(self.idle_ns))

    @property
    def share(self) -> float:
        """How much of the held time was such waiting, 0 to 1."""
        return sum(self.idle_ns) / self.held_ns if self.held_ns else 0.0

    @property
    def hurts(self) -> bool:
        """Whether those who wait for a connection wait for this above all."""
        return self.is_long and self.share >= MIN_HURTING_SHARE

    @property
    def is_long(self) -> bool:
        """Whether it is more than what any request does with a connection in hand."""
        return self.typical_ns >= MIN_HURTING_NS

    @property
    def caps_the_service(self) -> bool:
        """Whether the pattern is a finding although nobody waited for it."""
        return (
            len(self.idle_ns) >= MIN_HOLDS
            and self.typical_ns >= MIN_IDLE_NS
            and self.share >= MIN_IDLE_SHARE
        )


def detect(ledger: Ledger) -> Iterator[Finding]:
    """Yield the lines at which a request waits elsewhere while it holds a connection."""
    idle = _idle(ledger)
    idling = doing(ledger, *ELSEWHERE) & in_mode(ledger, *PATIENT)
    waiting = waiting_for(ledger, "pool_wait") & idling
    hurting = dict(by_site(ledger, waiting))
    for site, holds in idle.items():
        chosen = waiting & at(ledger, site)
        # Beside a database that is slow the waiting seems little, and is the next limit.
        hurts = holds.hurts or (holds.is_long and matters(ledger, chosen))
        if not holds.caps_the_service and not (site in hurting and hurts):
            continue
        place = ledger.recording.sites[site]
        blame = ledger.blame(chosen)
        taken = ledger.recording.sites[holds.taken_at.most_common(1)[0][0]]
        per_wait = ms(blame.total_ns / max(1, blame.requests))
        limit = holds.size / (holds.held_ns / len(holds.idle_ns)) * 1e9 if holds.size > 0 else 0.0
        yield Finding(
            cause=CAUSE,
            path=place.path,
            line=place.line,
            function=place.function,
            message=(
                f"A database connection is held for {ms(holds.typical_ns):.0f} ms while "
                f"the request waits here ({holds.share:.0%} of the time that it is held)"
                + (f"; others wait {per_wait:.0f} ms for one." if blame.requests else ".")
            ),
            blame=blame,
            evidence={
                "idle_ms_per_hold": ms(holds.typical_ns),
                "held_ms_per_hold": ms(holds.held_ns / len(holds.idle_ns)),
                "idle_share": round(holds.share, 3),
                "holds": len(holds.idle_ns),
                "taken_at": f"{taken.path}:{taken.line}",
                "pool_size": holds.size,
                "at_most_per_s": round(limit, 1),
                "waiting_requests": blame.requests,
                "waited_ms_per_waiting_request": per_wait,
            },
            claims=chosen,
            pattern=holds.caps_the_service,
        )


def _idle(ledger: Ledger) -> dict[int, Idle]:
    """Return the sites at which requests waited elsewhere with a connection in hand."""
    rows = ledger.direct
    rows = rows[
        np.isin(rows["activity"], activity_codes(*ELSEWHERE))
        & np.isin(rows["mode"], PATIENT)
        & (rows["site"] > 0)
    ]
    found: dict[int, Idle] = {}
    for index, _, spans in spans_by_request(ledger, "checkout", *ELSEWHERE):
        low, high = np.searchsorted(rows["request"], [index, index + 1])
        if low == high:
            continue
        waits = rows[["site", "start", "end"]][low:high].tolist()
        for hold in spans:
            if hold.kind != ACTIVITIES["checkout"]:
                continue
            awaited = _awaited(ledger, hold, spans)
            sites: Counter[int] = Counter()
            for site, start, end in waits:
                inside = min(end, hold.end) - max(start, hold.start)
                if inside > 0 and site in awaited:
                    sites[site] += inside
            for site, length in sites.items():
                idle = found.setdefault(site, Idle())
                idle.idle_ns.append(length)
                idle.held_ns += hold.end - hold.start
                idle.taken_at[hold.site] += 1
                idle.size = max(idle.size, hold.b)
    return found


def _awaited(ledger: Ledger, hold: Span, spans: list[Span]) -> set[int]:
    """Return the sites at which the holder itself, or a task or job of its own, waited.

    Others of the same request, such as a middleware, may wait for the holder.
    """
    return {
        span.site
        for span in spans
        if span.kind != hold.kind
        and span.start < hold.end
        and span.end > hold.start
        and _works_for(ledger, span.line, hold.line)
    }


def _works_for(ledger: Ledger, line: int, holder: int) -> bool:
    seen = set()
    while line != holder:
        known = ledger.recording.lines.get(line)
        if known is None or line in seen:
            return False
        seen.add(line)
        line = known.parent
    return True
