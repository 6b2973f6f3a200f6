"""What the holders of scarce things did, joined from holds and acts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from slowpath.ledger import loopwait
from slowpath.ledger.holders import Deeds, keys_of
from slowpath.ledger.model import Mode
from slowpath.ledger.owners import Owners
from slowpath.ledger.path import Range
from slowpath.ledger.rows import ACT, Hold, Ints, Registry, RowList, Rows, groups, spread

_LOOP_MODES = (Mode.CPU, Mode.BLOCKED, Mode.GIL)


def deeds_of(
    own: Rows,
    acts: Rows,
    ranges: dict[int, Range],
    holds: Sequence[Hold],
    wanted: set[int],
    registry: Registry,
    owners: Owners,
) -> tuple[dict[int, Deeds], Rows]:
    """Return what the holders of each wanted scarce thing did, and what its keys stand for.

    Args:
        own: acts of every line by itself; `acts` and `ranges`: with those of children.
    """

    def deed(rows: Rows, start: Ints, end: Ints, key: Ints) -> Deeds:
        request = owners.measured_of(rows["doer"], start)
        return Deeds.of(start.astype(np.int64), end, key, request, rows["awaits"].astype(np.int64))

    holds = [hold for hold in holds if hold.scarce in wanted and hold.end > hold.start]
    held, edges = _held(acts, ranges, holds)
    key, names = keys_of(np.concatenate((acts, edges)))
    result: dict[int, Deeds] = {}
    gil = {scarce.owner: number for number, scarce in registry.all("gil")}
    loops = {scarce.owner: number for number, scarce in registry.all("loop")}
    on_loop = np.flatnonzero(np.isin(own["mode"], _LOOP_MODES))
    on_loop = on_loop[np.lexsort((own["start"][on_loop], own["thread"][on_loop]))]
    for thread, part in groups(own["thread"][on_loop]):
        number = loops.get(thread, 0)
        if number in wanted:
            chosen = on_loop[part]
            rows = own[chosen]
            end = rows["end"].copy()
            # What the loop does between two slices goes with the first of them.
            pause = rows["start"][1:] - end[:-1]
            short = (pause > 0) & (pause <= loopwait.pauses(end - rows["start"])[:-1])
            end[:-1][short] = rows["start"][1:][short]
            result[number] = deed(rows, rows["start"], end, key[chosen])
    in_threads = own["mode"] == Mode.THREAD_CPU
    for process, number in gil.items():
        if number in wanted:
            chosen = np.flatnonzero(in_threads & (own["line"] >> 32 == process))
            rows = own[chosen]
            result[number] = deed(rows, rows["start"], rows["end"], key[chosen])
    scarce, index, start, end = held
    rows = np.concatenate((acts, edges)) if len(edges) else acts
    for number, part in groups(scarce):
        chosen = index[part]
        result[number] = deed(rows[chosen], start[part], end[part], key[chosen])
    return result, names


def _held(
    acts: Rows, ranges: dict[int, Range], holds: Sequence[Hold]
) -> tuple[tuple[Ints, Ints, Ints, Ints], Rows]:
    """Join holds with the acts of the lines that held.

    Returns:
        (scarce, index, start, end) of each act within a hold, where an index past the acts
        points into the second part: rows for the time in which the holder's line did nothing
        that is known, such as after its end.
    """
    edges = RowList(ACT)
    low, high = np.zeros((2, len(holds)), np.int64)
    outside: list[tuple[int, int, int, int]] = []
    begins, ends = acts["start"], acts["end"]
    for i, hold in enumerate(holds):
        first, last = ranges.get(hold.line, (0, 0))
        covered = (hold.end, hold.end)
        if last > first:
            low[i] = first + np.searchsorted(ends[first:last], hold.start, "right")
            high[i] = first + np.searchsorted(begins[first:last], hold.end, "left")
            if high[i] > low[i]:
                covered = (int(begins[low[i]]), int(ends[high[i] - 1]))
        for start, end in ((hold.start, covered[0]), (covered[1], hold.end)):
            if start < end:
                row = (hold.line, start, end, hold.activity, Mode.WAIT, hold.site, hold.resource)
                edges.extend([(*row, 0, 0, 0, 0, 0, hold.line)])
                outside.append((hold.scarce, len(acts) + len(outside), start, end))
    owner, index = spread(low, high)
    scarce, since, until = (
        np.array([getattr(hold, name) for hold in holds], np.int64)
        for name in ("scarce", "start", "end")
    )
    table = np.array(outside, np.int64).reshape(-1, 4)
    return (
        np.concatenate((scarce[owner], table[:, 0])),
        np.concatenate((index, table[:, 1])),
        np.concatenate((np.maximum(begins[index], since[owner]), table[:, 2])),
        np.concatenate((np.minimum(ends[index], until[owner]), table[:, 3])),
    ), edges.table()
