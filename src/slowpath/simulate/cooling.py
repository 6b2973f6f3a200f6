"""How long ago the code of each recorded slice had run: see `warmth`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from slowpath.recording import Recording
from slowpath.simulate.warmth import AGES_NS, SUFFERS_NS, TURN

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Slices:
    """The slices of one loop, by start; arrays of shape (n,).

    Attributes:
        code: which code it is: the n-th slice of an endpoint or of a kind of task.
        age: since when it last ran, ns.
    """

    start: Ints
    end: Ints
    code: Ints
    age: Ints

    def at(self, times: Ints) -> Ints:
        """Return the positions of the slices in which these times lie."""
        found: Ints = np.maximum(np.searchsorted(self.start, times, "right") - 1, 0)
        return found


def slices_by_loop(recording: Recording) -> dict[int, Slices]:
    """Return the slices of each process's loop."""
    rows = recording.slices
    jobs = np.array([line.id for line in recording.lines.values() if line.is_job], np.int64)
    rows = rows[~np.isin(rows["line"], jobs)]
    code = _codes(recording, rows["line"])
    found = {}
    for process in np.unique(rows["line"] >> 32).tolist():
        mine = np.flatnonzero(rows["line"] >> 32 == process)
        mine = mine[np.argsort(rows["start"][mine], kind="stable")]
        start, end, codes = rows["start"][mine], rows["end"][mine], code[mine]
        found[process] = Slices(start, end, codes, _ages(start, end, codes))
    return found


def _codes(recording: Recording, lines: Ints) -> Ints:
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
    numbered: Ints = code.reshape(-1) + TURN + 1
    return numbered


def _ages(start: Ints, end: Ints, code: Ints) -> Ints:
    """Return how long ago each code ran; what comes late in a long slice cools what came first."""
    end = np.minimum(end, start + SUFFERS_NS)
    order = np.lexsort((start, code))
    ages = np.full(len(start), AGES_NS[-1], np.int64)
    again = code[order][1:] == code[order][:-1]
    ages[order[1:][again]] = (start[order][1:] - end[order][:-1])[again]
    return ages
