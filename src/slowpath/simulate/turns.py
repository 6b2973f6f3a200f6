"""What the loop does unseen between two slices."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from slowpath.ledger import ACTIVITIES, Ledger
from slowpath.ledger.rows import groups
from slowpath.simulate.contention import Covered, union
from slowpath.simulate.warmth import AGES_NS, Warmth

Ints = npt.NDArray[np.int64]

#: So many values stand for what the loop does between two slices; without slices, this one.
TURNS = 50
DEFAULT_TURN_NS = 20_000
LOOP_WAIT = ACTIVITIES["loop_wait"]


def turns_ns(ledger: Ledger, warmth: Warmth) -> tuple[int, ...]:
    """Return what the loop does unseen before a slice, in ns: `TURNS` typical values.

    Between the slices of a busy time it polls, reads sockets, parses, and now and then is
    kept from its core. Seen as the time in which some task waited for the loop although no
    slice held it. Told as they would be warm.
    """
    recording = ledger.recording
    jobs = np.array([line.id for line in recording.lines.values() if line.is_job], np.int64)
    slices = recording.slices[~np.isin(recording.slices["line"], jobs)]
    found = []
    for number, requests in groups(np.array([r.process for r in ledger.requests], np.int64)):
        mine = slices[slices["line"] >> 32 == number]
        rows = np.concatenate((ledger.direct, ledger.overlapped))
        rows = rows[(rows["activity"] == LOOP_WAIT) & np.isin(rows["request"], requests)]
        if not len(mine) or not len(rows):
            continue
        first, last = int(rows["start"].min()), int(rows["end"].max())
        mine = mine[(mine["start"] >= first) & (mine["end"] <= last)]
        start, end = union(mine["start"], mine["end"])
        waiting = Covered(rows["start"], rows["end"])
        hidden = waiting.within(end[:-1], start[1:])
        hidden = _warm(hidden, start[1:], warmth)
        found.append(np.concatenate((hidden, np.zeros(len(mine) - len(hidden), np.int64))))
    if not found:
        return (DEFAULT_TURN_NS,)
    values = np.sort(np.concatenate(found))
    parts = np.array_split(values, min(TURNS, len(values)))
    return tuple(int(part.mean()) for part in parts if len(part))


def _warm(hidden: Ints, until: Ints, warmth: Warmth) -> Ints:
    """Return what turns of the loop would have taken had there been others just before."""
    seen = np.flatnonzero(hidden)
    age = np.full(len(seen), AGES_NS[-1], np.int64)
    age[1:] = until[seen][1:] - hidden[seen][1:] - until[seen][:-1]
    hidden = hidden.copy()
    hidden[seen] = np.rint(hidden[seen] / warmth.of(age))
    return hidden
