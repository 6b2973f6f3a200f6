"""Many simulations of one workload with other edits, on two cores where it is worth it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from types import TracebackType

import numpy as np

from slowpath.simulate.edits import Edit, apply
from slowpath.simulate.replay import simulations
from slowpath.simulate.workload import Workload

Progress = Callable[[float], None]

#: Steps of requests that one simulation may take; of more, a shorter window is simulated ...
SIMULATION_STEPS = 40_000
#: ... of at least so many requests, and so many times their p95.
LEAST_REQUESTS, LEAST_P95 = 400, 8
#: So few steps are not worth a second process.
SMALL_STEPS = 3_000


@dataclass(frozen=True)
class Figures:
    """p50 and p95 of the latency (ms) and answers a second."""

    p50_ms: float
    p95_ms: float
    rps: float

    def times(self, other: Figures, by: Figures) -> Figures:
        """Return these, changed by the factor from `by` to `other`."""
        return Figures(
            self.p50_ms * ratio(other.p50_ms, by.p50_ms),
            self.p95_ms * ratio(other.p95_ms, by.p95_ms),
            self.rps * ratio(other.rps, by.rps),
        )


def ratio(new: float, old: float) -> float:
    return new / old if old else 1.0


_workload: Workload | None = None
#: The edits made last but for the last of them, and what they gave: the sets of a search differ
#: in their last edit alone, and to make an edit goes through all steps of all requests.
_made: tuple[tuple[Edit, ...], Workload] | None = None


def _prepare(workload: Workload) -> None:
    global _workload, _made
    _workload, _made = workload, None


def _run(job: tuple[tuple[Edit, ...], int, bool]) -> list[tuple[float, float, float]]:
    edits, count, resample = job
    found = simulations(_changed(edits), range(count), resample)
    return [(outcome.p50_ms, outcome.p95_ms, outcome.rps) for outcome in found]


def _changed(edits: tuple[Edit, ...]) -> Workload:
    global _made
    assert _workload is not None
    first, last = edits[:-1], edits[-1:]
    if _made is None or _made[0] != first:
        _made = first, apply(_workload, first)
    return apply(_made[1], last)


class Simulations(AbstractContextManager["Simulations"]):
    """Runs simulations of one workload, on two cores where it is worth it."""

    def __init__(self, workload: Workload, progress: Progress) -> None:
        self.progress = progress
        steps = sum(len(behaviour.steps) for behaviour in workload.behaviours)
        self.workload = shortened(workload, SIMULATION_STEPS / max(1, steps))
        self._pool: ProcessPoolExecutor | None = None
        if steps > SMALL_STEPS and (os.cpu_count() or 1) > 1:
            # Spawned: the display may have threads of its own.
            context = get_context("spawn")
            self._pool = ProcessPoolExecutor(2, context, _prepare, (self.workload,))
        _prepare(self.workload)
        self._done, self._expected = 0, 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def expect(self, count: int) -> None:
        """Tell how many simulations will be asked for, for the progress."""
        self._expected = max(1, count)

    def figures(self, sets: Sequence[tuple[Edit, ...]], seeds: int = 1) -> list[Figures]:
        """Return the mean figures of each set of edits."""
        found = self._all([(edits, seeds, False) for edits in sets])
        return [Figures(*np.nanmean(np.array(rows), axis=0).tolist()) for rows in found]

    def draws(self, sets: Sequence[tuple[Edit, ...]], count: int) -> list[list[float]]:
        """Return the p95 of each set with requests drawn anew, `count` of them."""
        found = self._all([(edits, count, True) for edits in sets])
        return [[p95 for _, p95, _ in rows] for rows in found]

    def _all(
        self, jobs: Sequence[tuple[tuple[Edit, ...], int, bool]]
    ) -> list[list[tuple[float, float, float]]]:
        results = map(_run, jobs) if self._pool is None else self._pool.map(_run, jobs)
        found = []
        for job, result in zip(jobs, results, strict=True):
            found.append(result)
            self._done += job[1]
            self.progress(min(1.0, self._done / max(self._expected, self._done)))
        return found


def shortened(workload: Workload, share: float) -> Workload:
    """Return a workload of which only a share of the window is simulated, if that is enough."""
    if share >= 1:
        return workload
    load = workload.load
    per_ns = len(workload.behaviours) / load.window_ns
    whole = [sum(s.ns for s in behaviour.steps) for behaviour in workload.behaviours]
    least = max(LEAST_REQUESTS / per_ns, LEAST_P95 * float(np.percentile(whole, 95)))
    window = min(load.window_ns, max(round(load.window_ns * share), round(least)))
    return replace(workload, load=replace(load, window_ns=window))
