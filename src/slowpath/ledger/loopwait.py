"""Waiting for the event loop: the tail of an await in which the answer was there already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from slowpath.ledger.model import ACTIVITIES, Mode
from slowpath.ledger.rows import UNKNOWN_WAIT, Hold, Ints, Registry, Rows, distinct, groups
from slowpath.recording.model import SPAN_KINDS

#: Slices at most so far apart belong to one busy period. Between them the loop works too (it
#: polls, reads sockets, parses requests and rows, runs plain callbacks), which no slice tells. On
#: an idle loop two slices come that close only by chance, and little time is at stake then.
PAUSE_NS = 100_000
#: The longer a slice, the more has come in meanwhile that the loop works off after it: not at
#: once, but when all that was ready has run, so many slices later.
PAUSE_SHARE, PAUSE_MOST_NS = 0.25, 5_000_000
ROUND = 8
#: Waits of one fingerprint that ended on an idle loop; from so many on, they tell how long the
#: wait takes by itself.
ENOUGH = 5
#: Which quantile of those is taken at most, and which of all waits.
IDLE_QUANTILE, ANY_QUANTILE = 0.25, 0.1
#: And where a loop is never idle: the least that is consistent with most of its looks in vain.
HIDDEN_QUANTILE = 0.75

LOOP_WAIT = ACTIVITIES["loop_wait"]
_HANDED_OVER = np.array([SPAN_KINDS["pool_wait"], SPAN_KINDS["lock_wait"]], np.uint8)
_QUEUED = np.array([SPAN_KINDS["http_pool_wait"], SPAN_KINDS["thread_wait"]], np.uint8)


@dataclass(frozen=True)
class Turns:
    """When the loop was about to run each slice; arrays of shape (slices,), ns.

    A loop runs all that is ready, then looks what has come (it polls), then runs that: a round.
    What lets a slice run came after the look before the last one, or it would have run earlier.

    Attributes:
        busy: since when the loop had run without a pause.
        came: since when what the slice waited for may have been there while the loop was busy.
        looked: when the round began in which it ran, about when the loop saw that it may run.
    """

    busy: Ints
    came: Ints
    looked: Ints


def turns(slices: Rows, on_loop: npt.NDArray[np.bool_], parents: Mapping[int, int]) -> Turns:
    """Return when the loop was about to run each slice.

    Args:
        slices: rows of `SLICE`.
        on_loop: which of them ran on a loop, not in a worker thread.
        parents: which line made a line.
    """
    busy, came, looked = (slices["start"].copy() for _ in range(3))
    order = np.flatnonzero(on_loop)
    order = order[np.lexsort((slices["start"][order], slices["thread"][order]))]
    if not len(order):
        return Turns(busy, came, looked)
    start, end, thread = (slices[name][order] for name in ("start", "end", "thread"))
    new_thread = np.concatenate(([True], thread[1:] != thread[:-1]))
    first = new_thread.copy()
    gap = start[1:] - _running_max(end, new_thread)[:-1]
    first[1:] |= gap > pauses(end - start)[:-1]
    first[1:] &= new_thread[1:] | (gap > pauses(_longest_of_round(end - start, first))[:-1])
    period = np.cumsum(first) - 1
    since = start[np.flatnonzero(first)][period]
    line = slices["line"][order]
    this, last = _rounds(start, end, line, first, parents)
    # A line that runs again right after itself waited for no other.
    alone = np.concatenate(([False], (line[1:] == line[:-1]) & ~new_thread[1:]))
    busy[order] = np.where(alone, start, since)
    came[order] = np.where(alone, start, last)
    looked[order] = this
    return Turns(busy, came, looked)


def _rounds(
    start: Ints,
    end: Ints,
    line: Ints,
    first: npt.NDArray[np.bool_],
    parents: Mapping[int, int],
) -> tuple[Ints, Ints]:
    """Return when the round of each slice began, and when the one before it did.

    A round is as long as it can be: until a line runs that has run in it, or was made in it. Of
    the first round of a busy period, both are when the period began.
    """
    this, last = start.copy(), start.copy()
    ran: dict[int, tuple[int, int]] = {}  # where each line ran last, and until when
    begin = before = 0
    rows = zip(start.tolist(), end.tolist(), line.tolist(), first.tolist(), strict=True)
    for i, (at, until, number, new) in enumerate(rows):
        known = ran.get(number)
        if known is None:
            known = ran.get(parents.get(number, 0))
            if known is not None and known[1] > at:
                known = None  # begun at once, within a slice of the one that made it
        if new:
            begin = before = i
        elif known is not None and known[0] >= begin:
            begin, before = i, begin
        this[i], last[i] = start[begin], start[before]
        ran[number] = (i, until)
    return this, last


def _longest_of_round(length: Ints, first: npt.NDArray[np.bool_]) -> Ints:
    """Return the longest of the last slices of the same busy period, for each slice."""
    period = np.cumsum(first)
    longest = length.copy()
    for back in range(1, min(ROUND, len(length))):
        same = period[back:] == period[:-back]
        longest[back:] = np.maximum(longest[back:], np.where(same, length[:-back], 0))
    return longest


def pauses(length: Ints) -> Ints:
    """Return how long the loop may work unseen after slices of these lengths, ns."""
    longer = (length * PAUSE_SHARE).astype(np.int64)
    return np.clip(longer, PAUSE_NS, PAUSE_MOST_NS)


class Loops:
    """How much of any time the slices of a loop take."""

    def __init__(self, slices: Rows, on_loop: npt.NDArray[np.bool_]) -> None:
        chosen = np.flatnonzero(on_loop)
        self._tables: dict[int, tuple[Ints, Ints, Ints]] = {}
        for thread, part in groups(slices["thread"][chosen]):
            rows = slices[chosen[part]]
            rows = rows[np.argsort(rows["start"], kind="stable")]
            start, end = rows["start"].copy(), rows["end"].copy()
            # A slice within another (a task begun at once) takes no time of its own.
            start[1:] = np.maximum(start[1:], np.maximum.accumulate(end)[:-1])
            length = np.maximum(end - start, 0)
            self._tables[thread] = (start, length, np.cumsum(length) - length)

    def busy_ns(self, thread: int, start: int, end: int) -> int:
        """Return how long slices held the loop in [start, end)."""
        table = self._tables.get(thread)
        return 0 if table is None else self._until(table, end) - self._until(table, start)

    def _until(self, table: tuple[Ints, Ints, Ints], at: int) -> int:
        start, length, before = table
        i = int(np.searchsorted(start, at, "right")) - 1
        return int(before[i] + min(length[i], at - start[i])) if i >= 0 else 0


def _running_max(values: Ints, restart: npt.NDArray[np.bool_]) -> Ints:
    """Return the running maximum, begun anew wherever `restart` holds."""
    if not len(values):
        return values
    group = np.cumsum(restart) - 1
    low = int(values.min())
    width = int(values.max()) - low + 1
    # Each group is lifted above the ones before it, so that one running maximum serves all.
    lifted = values - low + group * width if len(values) * 1.0 * width < 2**62 else None
    if lifted is not None:
        highest: Ints = np.maximum.accumulate(lifted) + low - group * width
        return highest
    result = values.copy()
    bounds = [*np.flatnonzero(restart).tolist(), len(values)]
    for begin, end in pairwise(bounds):
        result[begin:end] = np.maximum.accumulate(values[begin:end])
    return result


def carve(acts: Rows, holds: list[Hold], registry: Registry, looked: Mapping[int, int]) -> Rows:
    """Split the tails of waits off as `loop_wait`; return the acts, in the same order.

    Changes `acts`.

    Args:
        looked: by when a slice began, when the loop saw that it may run.
    """
    tails = np.flatnonzero((acts["busy"] > 0) & (acts["activity"] != LOOP_WAIT))
    rows = acts[tails]
    ready = np.maximum(rows["busy"], rows["start"] + _own_length(rows, looked))
    ready = np.maximum(ready, _handed_over(rows, holds))
    ready = np.minimum(ready, rows["end"])
    whole = ready <= rows["start"]
    parted = ~whole & (ready < rows["end"])
    loops = {t: registry.number("loop", t) for t in distinct(rows["thread"]).tolist()}
    extra = rows[parted]
    extra["start"] = ready[parted]
    _to_loop_wait(extra, np.arange(len(extra)), loops)
    _to_loop_wait(acts, tails[whole], loops)
    acts["end"][tails[parted]] = ready[parted]
    return np.insert(acts, tails[parted] + 1, extra) if len(extra) else acts


def _to_loop_wait(rows: Rows, chosen: Ints, loops: dict[int, int]) -> None:
    rows["activity"][chosen] = LOOP_WAIT
    rows["mode"][chosen] = Mode.WAIT
    rows["resource"][chosen] = 0
    rows["link"][chosen] = 0
    threads = rows["thread"][chosen]
    for thread, number in loops.items():
        rows["awaits"][chosen[threads == thread]] = number


def _own_length(rows: Rows, looked: Mapping[int, int]) -> Ints:
    """Return how long each wait takes by itself: a low quantile of its fingerprint, ns.

    It is taken among those that ended on an idle loop, and, as a loop that is never idle shows
    none, among all: they take no longer than until about when the loop saw their ends, and some
    begin shortly before the loop looks, so that the shortest are near the truth. Where a loop is
    held for long, all seem to last until it looks again; they took no less than until the look
    before, and of what is consistent with that the least is taken.
    """
    result = np.zeros(len(rows), np.int64)
    chosen = np.flatnonzero(
        ~np.isin(rows["activity"], _HANDED_OVER) & (rows["nth"] != UNKNOWN_WAIT)
    )
    rows = rows[chosen]
    if not len(rows):
        return result
    ends = rows["end"].tolist()
    seen = np.array([looked.get(end, end) for end in ends], np.int64)
    idle = rows["busy"] >= rows["end"]
    length = np.maximum(
        0, np.where(idle, rows["end"], np.minimum(seen, rows["end"])) - rows["start"]
    )
    # So long each wait took at least: until the loop had looked for the last time before its end.
    unseen = np.maximum(0, np.minimum(rows["busy"], seen) - rows["start"])
    # A wait that no hook named has its place for a fingerprint.
    site = np.where(rows["resource"] > 0, 0, rows["site"])
    keys = (rows["activity"], rows["resource"], site, rows["nth"])
    order = np.lexsort((length, ~idle, *keys))
    first = np.concatenate(
        ([True], np.any([key[order][1:] != key[order][:-1] for key in keys], axis=0))
    )
    bounds = [*np.flatnonzero(first).tolist(), len(order)]
    for begin, end in pairwise(bounds):
        group = order[begin:end]
        count = int(np.count_nonzero(idle[group]))
        own = np.sort(length[group])[int(ANY_QUANTILE * len(group))]
        if count >= ENOUGH:
            own = min(own, length[group[int(IDLE_QUANTILE * count)]])
        elif least := np.sort(unseen[group])[int(HIDDEN_QUANTILE * len(group))]:
            own = min(own, least)
        result[chosen[group]] = own
    return result


def _handed_over(rows: Rows, holds: list[Hold]) -> Ints:
    """Return when what a wait was for had been given back; the wait's end if that is unknown.

    For waits of other kinds: 0.
    """
    result = np.where(np.isin(rows["activity"], _QUEUED), rows["end"], 0)
    waits = np.flatnonzero(np.isin(rows["activity"], _HANDED_OVER))
    if not len(waits):
        return result
    returned: dict[tuple[int, int], list[int]] = {}
    for hold in holds:
        returned.setdefault((hold.scarce, hold.identity), []).append(hold.end)
    tables = {key: np.sort(np.array(ends, np.int64)) for key, ends in returned.items()}
    nothing = np.zeros(0, np.int64)
    for i in waits.tolist():
        row = rows[i]
        ends = tables.get((int(row["awaits"]), int(row["link"])), nothing)
        before = int(np.searchsorted(ends, row["end"], "right")) - 1
        known = before >= 0 and ends[before] > row["start"]
        result[i] = ends[before] if known else row["end"]
    return result
