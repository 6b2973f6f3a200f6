"""Remote calls whose answers are nearly always the ones that were fetched before."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from slowpath.causes.base import Finding, Mask
from slowpath.causes.evidence import doing, matters, ms, waiting_for
from slowpath.causes.uncached_upstream import CAUSE
from slowpath.ledger import ACTIVITIES, Ledger

#: Fewer calls are chance.
MIN_CALLS = 20
#: This share of the calls brought what an earlier one had brought.
MIN_REPEATED = 0.9
#: An address with an id in it is somebody's own data, and how often one id comes is the
#: traffic's doing. Only a fixed address tells that the data is everybody's.
PLACEHOLDER = "{"
#: Methods whose answers may be kept (RFC 9110, section 9.2.3).
CACHEABLE = ("GET ", "HEAD ")


def asked(ledger: Ledger, reading: int, text: int) -> npt.NDArray[np.void]:
    """Return the spans of calls whose answers are read at a site, but for the reading.

    Some clients wait for the headers at one line and read the body at the next.
    """
    spans = ledger.recording.spans
    spans = spans[
        (spans["kind"] == ACTIVITIES["http"]) & (spans["a"] == -1) & (spans["resource"] == text)
    ]
    sites = ledger.recording.sites
    here = (sites[reading].path, sites[reading].function)
    beside = [
        site
        for site in np.unique(spans["site"]).tolist()
        if (sites[site].path, sites[site].function) == here
    ]
    found: npt.NDArray[np.void] = spans[np.isin(spans["site"], beside)]
    return found


def mostly(ledger: Ledger, chosen: Mask) -> int:
    """Return the site that is charged the most of some rows."""
    rows = ledger.root[chosen]
    return int(np.bincount(rows["culprit_site"], rows["end"] - rows["start"]).argmax())


def detect(ledger: Ledger) -> Iterator[Finding]:
    """Yield the lines that fetch one answer again and again."""
    recording = ledger.recording
    spans = recording.spans
    spans = spans[(spans["kind"] == ACTIVITIES["http"]) & (spans["a"] != -1) & (spans["site"] > 0)]
    remote = doing(ledger, "http", "http_pool_wait") & waiting_for(
        ledger, "http", "http_pool_wait", "thread"
    )
    for site, text in np.unique(spans[["site", "resource"]]).tolist():
        resource = recording.texts[text]
        calls = spans[(spans["site"] == site) & (spans["resource"] == text)]
        distinct = len(np.unique(calls["a"]))
        repeated = 1 - distinct / len(calls)
        if (
            len(calls) < MIN_CALLS
            or repeated < MIN_REPEATED
            or PLACEHOLDER in resource
            or not resource.startswith(CACHEABLE)
        ):
            continue
        before = asked(ledger, site, text)
        chosen = remote & np.isin(ledger.root["culprit_site"], [site, *before["site"]])
        chosen &= ledger.root["culprit_resource"] == text
        if not matters(ledger, chosen):
            continue
        place = recording.sites[mostly(ledger, chosen)]
        length = sum(float(np.median(s["end"] - s["start"])) for s in (calls, before) if len(s))
        answers = "one answer" if distinct == 1 else f"{distinct} different answers"
        yield Finding(
            cause=CAUSE,
            path=place.path,
            line=place.line,
            function=place.function,
            message=(
                f"{resource} was fetched {len(calls)} times and brought {answers}, "
                f"{ms(length):.0f} ms each time."
            ),
            blame=ledger.blame(chosen),
            evidence={
                "calls": len(calls),
                "distinct_answers": distinct,
                "repeated_share": round(repeated, 4),
                "ms_per_call": ms(length),
                "bytes_per_answer": round(float(np.median(calls["b"]))),
                "resource": resource,
            },
            culprit=resource,
            claims=chosen,
        )
