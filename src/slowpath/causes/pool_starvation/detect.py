"""Pools whose connections are all out, and what would help: a larger pool or shorter holding."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from slowpath.causes.base import Finding, Mask
from slowpath.causes.evidence import (
    PATIENT,
    Int64s,
    doing,
    in_mode,
    matters,
    ms,
    total_ns,
    waiting_for,
)
from slowpath.causes.pool_starvation import CAUSE
from slowpath.ledger import ACTIVITIES, ACTIVITY_NAMES, Ledger
from slowpath.recording import Recording

#: What a holder does in the database.
DATABASE = ("sql", "fetch", "transaction", "connect")
#: So much of the waiting must be for holders that wait themselves: where nearly all compute, or
#: wait for the loop, a larger pool would only let more requests wait there.
MIN_FOR_WAITING_HOLDERS = 0.25
#: Statements that take this many times what they take at best wait for the database's own cores,
#: disks or locks; more connections would make that queue longer, not shorter.
SATURATED = 3.0
QUICKEST = 0.1


class Advice(StrEnum):
    """What would shorten the line."""

    GROW = "grow the pool"
    SHORTEN = "hold connections for shorter"
    NEITHER = "neither: the database is the limit"


def detect(ledger: Ledger) -> Iterator[Finding]:
    """Yield the pools that requests wait for."""
    rows = ledger.root
    waiting = waiting_for(ledger, "pool_wait")
    for pool in np.unique(rows["resource"][waiting]).tolist():
        chosen = waiting & (rows["resource"] == pool)
        patient = chosen & in_mode(ledger, *PATIENT)
        if (
            matters(ledger, chosen)
            and total_ns(ledger, patient) >= MIN_FOR_WAITING_HOLDERS * total_ns(ledger, chosen)
            and (advice := _advice(ledger, patient)) is not Advice.NEITHER
        ):
            yield _finding(ledger, pool, chosen, patient, advice)


def _advice(ledger: Ledger, patient: Mask) -> Advice:
    in_database = patient & doing(ledger, *DATABASE, "pool_wait")
    if total_ns(ledger, in_database) < total_ns(ledger, patient) / 2:
        return Advice.SHORTEN
    if _stretch(ledger, in_database) >= SATURATED:
        return Advice.NEITHER
    return Advice.GROW


def _stretch(ledger: Ledger, in_database: Mask) -> float:
    """Return how much longer the holders' statements took than at their best, at the median."""
    spans = ledger.recording.spans
    sites = np.unique(ledger.root["culprit_site"][in_database & doing(ledger, "sql")])
    spans = spans[(spans["kind"] == ACTIVITIES["sql"]) & np.isin(spans["site"], sites)]
    at_best = typical = 0.0
    for text in np.unique(spans["resource"]).tolist():
        lengths = (spans["end"] - spans["start"])[spans["resource"] == text]
        at_best += float(np.quantile(lengths, QUICKEST)) * len(lengths)
        typical += float(np.median(lengths)) * len(lengths)
    return typical / at_best if at_best else 1.0


def _finding(ledger: Ledger, pool: int, chosen: Mask, patient: Mask, advice: Advice) -> Finding:
    recording = ledger.recording
    name = recording.texts[pool]
    waits = recording.spans[
        (recording.spans["kind"] == ACTIVITIES["pool_wait"]) & (recording.spans["resource"] == pool)
    ]
    place = recording.sites[_made_at(recording, name) or _most_common_site(waits["site"])]
    waited = ledger.blame(chosen)
    size = int(waits["b"].max(initial=-1))
    line = _peak(waits["start"], waits["end"])
    return Finding(
        cause=CAUSE,
        path=place.path,
        line=place.line,
        function=place.function,
        message=(
            f"Requests wait {ms(waited.total_ns / max(1, waited.requests)):.0f} ms for one of "
            f"{size if size > 0 else 'the'} connections, up to {line} of them at once; "
            f"what helps: {advice}."
        ),
        blame=ledger.blame(patient),
        evidence={
            "pool": name,
            "pool_size": size,
            "waiting_at_peak": line,
            "waits": len(waits),
            "ms_per_wait": ms(float(np.mean(waits["end"] - waits["start"]))),
            "advice": str(advice),
            "holders": _holders(ledger, chosen),
        },
        culprit=name,
        # What holders compute on the loop would be waited for with any pool.
        claims=patient,
        # A pool that is too small is so whatever its holders do; which rows they are charged for
        # is their own matter.
        pattern=advice is Advice.GROW,
    )


def _made_at(recording: Recording, name: str) -> int:
    """Return the site at which the pool was made; 0 if the recording does not tell."""
    spans = recording.spans[recording.spans["kind"] == ACTIVITIES["connect"]]
    for site, text in np.unique(spans[["site", "resource"]]).tolist():
        maker, _, made = recording.texts[text].partition(" ")
        if site and made == name and "." in maker:
            return int(site)
    return 0


def _most_common_site(sites: npt.NDArray[np.integer[Any]]) -> int:
    known = sites[sites > 0]
    return int(np.bincount(known).argmax()) if len(known) else 0


def _peak(start: Int64s, end: Int64s) -> int:
    """Return how many intervals overlapped at most."""
    at = np.concatenate((start, end))
    step = np.repeat((1, -1), (len(start), len(end)))
    # At one instant, those who leave go before those who come.
    return int(np.cumsum(step[np.lexsort((step, at))]).max(initial=0))


def _holders(ledger: Ledger, chosen: Mask) -> list[dict[str, object]]:
    """Return the five lines that held most, with what they did and their share of the waiting."""
    rows = ledger.root[chosen]
    length = (rows["end"] - rows["start"]).astype(np.float64)
    keys, which = np.unique(rows[["culprit_site", "culprit_activity"]], return_inverse=True)
    sums = np.bincount(which, length)
    found: list[dict[str, object]] = []
    for position in np.argsort(-sums, kind="stable")[:5].tolist():
        site, activity = keys[position].tolist()
        place = ledger.recording.sites[site]
        found.append(
            {
                "line": f"{place.path}:{place.line}" if site else "",
                "doing": ACTIVITY_NAMES[activity],
                "share": round(float(sums[position] / length.sum()), 3),
            }
        )
    return found
