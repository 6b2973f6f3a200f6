"""Functions that computed on the loop for long."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from slowpath.causes.base import Finding, Mask
from slowpath.causes.cpu_on_loop import CAUSE
from slowpath.causes.evidence import (
    STALL_NS,
    Int64s,
    by_function,
    called_at,
    computed_share,
    doing,
    holds,
    in_mode,
    in_stalls,
    is_habit,
    ms,
    total_ns,
    victims,
)
from slowpath.ledger import Ledger, Mode

#: Honest work comes in short slices, whatever their sum on a busy loop. This much of the time
#: that a function held the loop must have been in stalls.
MIN_IN_STALLS = 0.5
#: ... and the thread must have had a core for this much of it: what blocks needs next to none.
MIN_COMPUTED = 0.2
#: Not the app's own doing.
NOT_OWN = ("gc",)


def detect(ledger: Ledger) -> Iterator[Finding]:
    """Yield the functions whose computing stalls the loop."""
    held = in_mode(ledger, Mode.CPU, Mode.BLOCKED) & ~doing(ledger, *NOT_OWN)
    for site, chosen in by_function(ledger, held):
        computed = _computed(ledger, chosen)
        # Without a free core the same work holds the loop for longer; it counts without that.
        lengths = (holds(ledger, chosen) * computed).astype(np.int64)
        stalls = lengths[lengths >= STALL_NS]
        if (
            computed >= MIN_COMPUTED
            and in_stalls(lengths) >= MIN_IN_STALLS
            and is_habit(ledger, chosen, len(stalls))
        ):
            yield _finding(ledger, site, chosen, stalls)


def _computed(ledger: Ledger, chosen: Mask) -> float:
    """Return how much of the time in the rows the thread surely had a core, 0 to 1."""
    share = computed_share(ledger, np.unique(ledger.root["culprit_site"][chosen]).tolist())
    if share is None:
        return total_ns(ledger, chosen & in_mode(ledger, Mode.CPU)) / total_ns(ledger, chosen)
    return min(1.0, share.least)


def _finding(ledger: Ledger, site: int, chosen: Mask, stalls: Int64s) -> Finding:
    place = ledger.recording.sites[site]
    called = called_at(ledger, [site])
    call = called.direct if called is not None else ""
    hurt = victims(ledger, chosen)
    waited = f"; {next(iter(hurt))} waits for it too" if hurt else ""
    typical = float(np.mean(stalls))
    return Finding(
        cause=CAUSE,
        path=place.path,
        line=place.line,
        function=place.function,
        message=(
            f"{call or place.function} computes for {ms(typical):.1f} ms a call "
            f"on the event loop{waited}."
        ),
        blame=ledger.blame(chosen),
        evidence={
            "cpu_ms_per_call": ms(typical),
            "cpu_ms_longest": ms(int(stalls.max())),
            "calls": len(stalls),
            "call": call,
            "victims_ms_per_request": hurt,
        },
        culprit=call,
        chain=called.chain if called is not None else (),
        claims=chosen,
    )
