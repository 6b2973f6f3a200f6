"""Learning from a recording how much slower code is that has not run for a while."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slowpath.recording import Recording
from slowpath.simulate.warmth import AGES_NS, SUFFERS_NS, TURN, Warmth

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: A class of ages is known from so many slices on.
ENOUGH = 10
#: A slice that takes so many times what its like take was interrupted, and tells nothing more.
INTERRUPTED = 3.0
ROUNDS = 8
#: No cache makes more of a difference; what does is other programs on the core.
MOST = 3.0


@dataclass(frozen=True)
class Slices:
    """The slices of one loop, by start; arrays of shape (n,).

    Attributes:
        code: which code it is: the n-th slice of an endpoint or of a kind of task.
        age: since when it last ran, ns.
        telling: whether it tells how code cools: of later slices of a line one does not know
            whether they are the same code each time, or repeat what ran just before.
    """

    start: Ints
    end: Ints
    code: Ints
    age: Ints
    telling: npt.NDArray[np.bool_]

    def at(self, times: Ints) -> Ints:
        """Return the positions of the slices in which these times lie."""
        found: Ints = np.maximum(np.searchsorted(self.start, times, "right") - 1, 0)
        return found


def slices_by_loop(recording: Recording) -> dict[int, Slices]:
    """Return the slices of each process's loop."""
    rows = recording.slices
    jobs = np.array([line.id for line in recording.lines.values() if line.is_job], np.int64)
    rows = rows[~np.isin(rows["line"], jobs)]
    code, nth = _codes(recording, rows["line"])
    telling = (nth == 0) & (rows["end"] - rows["start"] < SUFFERS_NS)
    found = {}
    for process in np.unique(rows["line"] >> 32).tolist():
        mine = np.flatnonzero(rows["line"] >> 32 == process)
        mine = mine[np.argsort(rows["start"][mine], kind="stable")]
        start, end, codes = rows["start"][mine], rows["end"][mine], code[mine]
        found[process] = Slices(start, end, codes, _ages(start, end, codes), telling[mine])
    return found


def _codes(recording: Recording, lines: Ints) -> tuple[Ints, Ints]:
    """Number the code of slices: what their lines run, and the how-manieth of its line each is."""
    routes: dict[tuple[str, str], int] = {}
    own = {
        request.line: routes.setdefault((request.method, request.route), len(routes))
        for request in recording.requests
    }
    distinct, first, which = np.unique(lines, return_index=True, return_inverse=True)
    runs = np.array(
        [
            own[line]
            if line in own
            else -2 - recording.lines[line].site
            if line in recording.lines
            else -1
            for line in distinct.tolist()
        ],
        np.int64,
    )
    # Rows come sorted by line and start.
    nth = np.arange(len(lines)) - first[which]
    _, code = np.unique(np.stack((runs[which], nth)), axis=1, return_inverse=True)
    return code.reshape(-1) + TURN + 1, nth


def _ages(start: Ints, end: Ints, code: Ints) -> Ints:
    """Return how long ago each code ran; what comes late in a long slice cools what came first."""
    end = np.minimum(end, start + SUFFERS_NS)
    order = np.lexsort((start, code))
    ages = np.full(len(start), AGES_NS[-1], np.int64)
    again = code[order][1:] == code[order][:-1]
    ages[order[1:][again]] = (start[order][1:] - end[order][:-1])[again]
    return ages


def learned(loops: dict[int, Slices]) -> Warmth:
    """Learn the factors from slices that are short enough to tell.

    A slice takes what its code takes warm, times the factor of its age: both are found by turns.
    Code that always ran at one age tells nothing of the difference, and does not count.
    """
    if not loops:
        return Warmth()
    parts = [
        ((s.end - s.start)[s.telling].astype(np.float64), s.code[s.telling], s.age[s.telling])
        for s in loops.values()
    ]
    length, code, age = (np.concatenate(part) for part in zip(*parts, strict=True))
    if not len(length):
        return Warmth()
    _, code = np.unique(code, return_inverse=True)
    age = np.searchsorted(AGES_NS, np.maximum(age, 0), "right") - 1
    length = np.minimum(length, INTERRUPTED * _medians(length, code)[code])
    sizes = np.bincount(age, minlength=len(AGES_NS))
    factors = np.ones(len(AGES_NS))
    sums = np.bincount(code, length)
    for _ in range(ROUNDS):
        warm = sums / np.bincount(code, factors[age])
        expected = np.bincount(age, warm[code], len(AGES_NS))
        found = np.bincount(age, length, len(AGES_NS)) / np.maximum(expected, 1e-9)
        known = np.flatnonzero(sizes >= ENOUGH)
        if len(known) < 2:
            return Warmth()
        factors = np.interp(np.arange(len(AGES_NS)), known, found[known] / found[known[0]])
    return Warmth(tuple(np.maximum.accumulate(np.clip(factors, 1.0, MOST)).tolist()))


def _medians(values: Floats, which: Ints) -> Floats:
    order = np.lexsort((values, which))
    counts = np.bincount(which)
    middle = np.cumsum(counts) - counts + counts // 2
    found: Floats = values[order][middle]
    return found
