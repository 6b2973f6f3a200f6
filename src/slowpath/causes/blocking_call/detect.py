"""Lines that held the loop without computing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from slowpath.causes.base import Finding, Mask
from slowpath.causes.blocking_call import CAUSE
from slowpath.causes.evidence import (
    activity_codes,
    at,
    by_site,
    called_at,
    computed_share,
    doing,
    holds,
    in_mode,
    in_stalls,
    ms,
    total_ns,
    victims,
)
from slowpath.ledger import Ledger, Mode
from slowpath.ledger.model import ACTIVITY_NAMES
from slowpath.recording.model import SpanFlag

#: What is I/O by its nature: a span of it that never let go of the thread has blocked.
IO = ("sql", "fetch", "transaction", "http", "cache", "sleep", "pool_wait", "lock_wait")
#: Anything else is known to have blocked by clocks alone, which also count a thread that wanted
#: to run and got no core. Then most of the line's time must have been without CPU, in stalls,
#: and with next to no CPU where the line was sampled.
MIN_BLOCKED_SHARE = 0.7
MIN_IN_STALLS = 0.5
MAX_COMPUTED = 0.2


def detect(ledger: Ledger) -> Iterator[Finding]:
    """Yield the lines at which the loop was held by waiting."""
    for site, chosen in by_site(ledger, in_mode(ledger, Mode.BLOCKED)):
        if _by_nature(ledger, site, chosen) or _by_the_clocks(ledger, site, chosen):
            yield _finding(ledger, site, chosen)


def _by_nature(ledger: Ledger, site: int, chosen: Mask) -> bool:
    """Tell whether what blocked is I/O whose spans at this line never let go of the thread."""
    if total_ns(ledger, chosen & doing(ledger, *IO)) < total_ns(ledger, chosen) / 2:
        return False
    spans = ledger.recording.spans
    spans = spans[(spans["site"] == site) & np.isin(spans["kind"], activity_codes(*IO))]
    held = (spans["flags"] & SpanFlag.ASYNC) == 0
    length = spans["end"] - spans["start"]
    return bool(length[held].sum() > length[~held].sum())


def _by_the_clocks(ledger: Ledger, site: int, chosen: Mask) -> bool:
    """Tell whether the line held the loop for long without computing."""
    share = computed_share(ledger, [site])
    computed = at(ledger, site) & in_mode(ledger, Mode.CPU)
    blocked_ns, cpu_ns = total_ns(ledger, chosen), total_ns(ledger, computed)
    return (
        share is not None
        and share.most <= MAX_COMPUTED
        and blocked_ns >= MIN_BLOCKED_SHARE * (blocked_ns + cpu_ns)
        and in_stalls(holds(ledger, chosen)) >= MIN_IN_STALLS
    )


def _finding(ledger: Ledger, site: int, chosen: Mask) -> Finding:
    place = ledger.recording.sites[site]
    lengths = holds(ledger, chosen)
    called = called_at(ledger, [site])
    resource = _resource(ledger, chosen)
    call = (called.direct if called is not None else "") or resource or "a synchronous call"
    hurt = victims(ledger, chosen)
    waited = f"; {next(iter(hurt))} waits for it too" if hurt else ""
    return Finding(
        cause=CAUSE,
        path=place.path,
        line=place.line,
        function=place.function,
        message=(
            f"{call} holds the event loop for {ms(float(np.mean(lengths))):.1f} ms a call "
            f"without computing{waited}."
        ),
        blame=ledger.blame(chosen),
        evidence={
            "blocked_ms_per_call": ms(float(np.mean(lengths))),
            "blocked_ms_longest": ms(int(lengths.max())),
            "calls": len(lengths),
            "call": call,
            "blocked_in": called.inner if called is not None else "",
            "resource": resource,
            "victims_ms_per_request": hurt,
        },
        culprit=call,
        chain=called.chain if called is not None else (),
        claims=chosen,
    )


def _resource(ledger: Ledger, chosen: Mask) -> str:
    """Return what most of the time was spent on, as the span tells it; its kind if it has none."""
    rows = ledger.root[chosen]
    rows = rows[np.isin(rows["culprit_activity"], activity_codes(*IO, "connect"))]
    if not len(rows):
        return ""
    length = rows["end"] - rows["start"]
    keys, which = np.unique(rows[["culprit_activity", "culprit_resource"]], return_inverse=True)
    top = keys[int(np.argmax(np.bincount(which, length)))]
    name = ledger.recording.texts[int(top["culprit_resource"])]
    return name or ACTIVITY_NAMES[int(top["culprit_activity"])]
