"""Endpoints whose own work is mostly validating and encoding."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from slowpath.causes.base import Finding, Mask
from slowpath.causes.evidence import Int64s, activity_codes, doing, in_mode, matters, ms
from slowpath.causes.heavy_serialization import CAUSE
from slowpath.ledger import Ledger, Mode

ENCODING = ("validate", "serialize", "render")
#: What even the quicker requests of the endpoint (the lower quartile, since a busy machine
#: stretches every slice) spend on it: three times what a page of a hundred rows takes.
MIN_NS = 3_000_000
QUICKER = 0.25
#: "Dominates": this much of what the endpoint itself does on a thread.
MIN_SHARE_OF_WORK = 0.4


def detect(ledger: Ledger) -> Iterator[Finding]:
    """Yield the endpoints that encode more than they work."""
    rows = ledger.root
    handlers = np.array([request.handler for request in ledger.requests] + [0])
    handler = handlers[rows["culprit_request"]]  # -1, no request, is the last: 0
    # Encoding only computes; where it seems blocked, it had no core.
    on_thread = in_mode(ledger, Mode.CPU, Mode.BLOCKED, Mode.THREAD_CPU, Mode.THREAD_BLOCKED)
    # Collections are triggered by what is made, and fall where they may: nobody's share of work.
    working = on_thread & (handler > 0) & ~doing(ledger, "gc")
    encoding = working & doing(ledger, *ENCODING)
    for site in np.unique(handler[encoding]).tolist():
        chosen = encoding & (handler == site)
        if matters(ledger, chosen):
            own = (handler == site) & (rows["culprit_request"] == rows["request"])
            if _dominates(ledger, chosen & own, working & own):
                yield _finding(ledger, site, chosen, chosen & own)


def _per_request(ledger: Ledger, mask: Mask) -> Int64s:
    """Return the time (ns) in the rows of `mask` of each request that has any."""
    rows = ledger.root[mask]
    starts = np.flatnonzero(np.diff(rows["request"], prepend=-1))
    sums: Int64s = np.add.reduceat(rows["end"] - rows["start"], starts)
    return sums


def _dominates(ledger: Ledger, encoding: Mask, working: Mask) -> bool:
    if not encoding.any():
        return False
    spent = _per_request(ledger, encoding)
    return bool(
        np.quantile(spent, QUICKER) >= MIN_NS
        and spent.sum() >= MIN_SHARE_OF_WORK * _per_request(ledger, working).sum()
    )


def _finding(ledger: Ledger, site: int, chosen: Mask, own: Mask) -> Finding:
    place = ledger.recording.sites[site]
    requests = np.unique(ledger.root["request"][own]).tolist()
    spent = float(_per_request(ledger, own).mean())
    size = float(np.mean([ledger.requests[i].bytes_out for i in requests]))
    parts = {
        f"{name}_ms_per_request": ms(
            _per_request(ledger, part).sum() / len(requests) if part.any() else 0
        )
        for name in ENCODING
        for part in [own & np.isin(ledger.root["culprit_activity"], activity_codes(name))]
    }
    return Finding(
        cause=CAUSE,
        path=place.path,
        line=place.line,
        function=place.function,
        message=(
            f"Validating and encoding the response takes {ms(spent):.0f} ms a request, "
            f"for {size / 1e3:.0f} kB."
        ),
        blame=ledger.blame(chosen),
        evidence={
            "encoding_ms_per_request": ms(spent),
            **parts,
            "response_bytes": round(size),
            "ms_per_mb": round(ms(spent) / (size / 1e6), 1) if size else 0.0,
            "requests": len(requests),
        },
        claims=chosen,
    )
