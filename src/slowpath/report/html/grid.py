"""Time in equal bins: of the measured window, for everything that the page draws over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from slowpath.ledger import Ledger

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: Points of a chart over time.
FINE = 240
#: Bins by which the page can be narrowed to a part of the run; each divides `FINE`.
COARSE = (60, 48, 40, 30, 24, 20, 12, 8, 6)
#: Cells (endpoints × bins) that keep the page small.
MOST_CELLS = 1500


@dataclass(frozen=True)
class Grid:
    """`bins` equal bins from `start_ns` to `end_ns`."""

    start_ns: int
    end_ns: int
    bins: int

    @property
    def bin_ns(self) -> float:
        """Length of a bin, ns."""
        return (self.end_ns - self.start_ns) / self.bins

    @property
    def edges(self) -> Floats:
        """Borders of the bins, ns after the start; shape (bins + 1,)."""
        return np.linspace(0.0, self.end_ns - self.start_ns, self.bins + 1)

    def index(self, at_ns: Any) -> Ints:
        """Return the bins that moments lie in; what lies outside goes to the nearest."""
        after = np.asarray(at_ns, np.float64) - self.start_ns
        return np.clip(after // self.bin_ns, 0, self.bins - 1).astype(np.int64)

    def shares(self, start_ns: int, end_ns: int) -> list[tuple[int, float]]:
        """Return the bins that an interval lies in, each with its share of the part inside.

        One that lies outside counts to the nearest bin.
        """
        edges = np.clip(self.edges + self.start_ns, start_ns, max(start_ns, end_ns))
        inside = np.diff(edges)
        if not inside.sum():
            return [(int(self.index(start_ns)), 1.0)]
        bins = np.flatnonzero(inside)
        return list(zip(bins.tolist(), (inside[bins] / inside.sum()).tolist(), strict=True))

    def mean_level(self, starts_ns: Any, ends_ns: Any) -> Floats:
        """Return how many of some intervals are open on average in each bin; shape (bins,)."""
        return np.diff(self._open_ns(starts_ns) - self._open_ns(ends_ns)) / self.bin_ns

    def _open_ns(self, moments_ns: Any) -> Floats:
        """Return, at each edge, the sum of the time since those moments that have passed."""
        moments = np.sort(np.asarray(moments_ns, np.float64) - self.start_ns)
        sums = np.concatenate([[0.0], np.cumsum(moments)])
        passed = np.searchsorted(moments, self.edges)
        return np.asarray(passed * self.edges - sums[passed], np.float64)

    def per_bin(self, at_ns: Any, weights: Any = None) -> Floats:
        """Count moments in each bin, or sum their weights; those outside are left out."""
        at = np.asarray(at_ns, np.int64)
        inside = (at >= self.start_ns) & (at < self.end_ns)
        chosen = None if weights is None else np.asarray(weights, np.float64)[inside]
        counts = np.bincount(self.index(at[inside]), chosen, self.bins)
        return np.asarray(counts, np.float64)

    def highest(self, at_ns: Any, values: Any) -> Floats:
        """Return the largest value in each bin, 0 where there is none."""
        at = np.asarray(at_ns, np.int64)
        inside = (at >= self.start_ns) & (at < self.end_ns)
        found = np.zeros(self.bins)
        np.maximum.at(found, self.index(at[inside]), np.asarray(values, np.float64)[inside])
        return found


def grids(ledger: Ledger) -> tuple[Grid, Grid]:
    """Return the fine and the coarse grid of the measured window.

    Without a window (the run goes on, or nobody drove it) it is that of the requests.
    """
    window = ledger.recording.run.get("window") or {}
    starts = [request.start_ns for request in ledger.requests]
    ends = [request.end_ns for request in ledger.requests]
    start = int(window.get("start_ns") or min(starts, default=0))
    end = max(start + 1, int(window.get("end_ns") or max(ends, default=start)))
    cells = max(1, len(ledger.endpoints))
    coarse = next((bins for bins in COARSE if bins * cells <= MOST_CELLS), COARSE[-1])
    return Grid(start, end, FINE), Grid(start, end, coarse)
