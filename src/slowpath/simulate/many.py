"""Many simulations of one workload with other edits, on two cores where it is worth it.

What they cost does not grow with the recording: of a long one a sample of the requests is edited
and a part of the window is simulated, enough to tell p95. The sets of edits of a search differ in
their last edit alone; what they share is made once, and requests that an edit leaves as they were
are not compiled again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from math import log
from multiprocessing import get_context
from types import TracebackType

import numpy as np

from slowpath.simulate.edits import Edit
from slowpath.simulate.replay import PARTS, RAMP_NS, Outcome, sampled, simulations
from slowpath.simulate.scripts import Scripts
from slowpath.simulate.workload import Workload

Progress = Callable[[float], None]
Edits = tuple[Edit, ...]

#: Steps of requests that one simulation may take; of more, a shorter window is simulated ...
SIMULATION_STEPS = 32_000
#: ... of at least so many requests, and so many times their p95.
LEAST_REQUESTS, LEAST_P95 = 400, 8
#: A change by so many times leads to where what was measured tells only half of what it is.
LARGE = 3.0
#: So few steps are not worth a second process.
SMALL_STEPS = 3_000


@dataclass(frozen=True)
class Figures:
    """p50 and p95 of the latency (ms) and answers a second."""

    p50_ms: float
    p95_ms: float
    rps: float

    def changed(self, before: Figures, after: Figures) -> Figures:
        """Return what these would be after a change, by what was simulated before and after it."""
        return Figures(
            anchored(self.p50_ms, before.p50_ms, after.p50_ms),
            anchored(self.p95_ms, before.p95_ms, after.p95_ms),
            anchored(self.rps, before.rps, after.rps),
        )


def anchored(measured: float, before: float, after: float) -> float:
    """Return what a measured figure would be after a change.

    It is changed by the simulated factor, so that what the simulation gets wrong before and after
    alike does not count. A large change leads to where only a part of that error holds (a loop is
    no longer blocked, say): from `LARGE` times on it is the simulated figure that counts half,
    in the logarithm.
    """
    change = ratio(after, before)
    if measured <= 0 or before <= 0 or change <= 0:
        return measured * change
    far = min(1.0, abs(log(change)) / log(LARGE))
    replayed: float = (measured / before) ** (1 - far / 2)
    return after * replayed


def ratio(new: float, old: float) -> float:
    return new / old if old else 1.0


def mean(outcomes: Iterable[Figures | Outcome]) -> Figures:
    """Return the mean figures of several simulations."""
    table = np.array([(o.p50_ms, o.p95_ms, o.rps) for o in outcomes], np.float64)
    return Figures(*np.nanmean(table, axis=0).tolist()) if len(table) else Figures(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Found:
    """What simulations of one set of edits gave.

    Attributes:
        seeds: the figures with each seed.
        draws_p95_ms: p95 with the requests drawn anew, each time.
    """

    seeds: tuple[Figures, ...]
    draws_p95_ms: tuple[float, ...] = ()

    @property
    def mean(self) -> Figures:
        """The mean over the seeds: what is told."""
        return mean(self.seeds)

    @property
    def first(self) -> Figures:
        """The figures with the first seed: what a search compares."""
        return self.seeds[0]


# --- What one process does -----------------------------------------------------------------------


@dataclass
class _Made:
    """A workload after some edits, and what it gave: what changes nothing gives the same."""

    edits: Edits
    scripts: Scripts
    known: dict[tuple[int, int], Found] = field(default_factory=dict)

    def edited(self, edit: Edit) -> _Made:
        workload = edit.apply(self.scripts.workload)
        if workload == self.scripts.workload:
            return _Made((*self.edits, edit), self.scripts, self.known)
        return _Made((*self.edits, edit), Scripts(workload, like=self.scripts))

    def simulated(self, seeds: int, draws: int) -> Found:
        if (seeds, draws) in self.known:
            return self.known[seeds, draws]
        workload, scripts = self.scripts.workload, self.scripts
        plain = simulations(workload, range(seeds), scripts=scripts)
        drawn = simulations(workload, range(draws), resample=True, scripts=scripts)
        found = self.known[seeds, draws] = Found(
            tuple(Figures(o.p50_ms, o.p95_ms, o.rps) for o in plain),
            tuple(o.p95_ms for o in drawn),
        )
        return found


class Runner:
    """Simulates a workload with one set of edits after the other."""

    def __init__(self, workload: Workload) -> None:
        self._base = _Made((), Scripts(workload))
        #: What the last set shared with the one before it, most likely with the next one, too.
        self._shared = self._base

    def run(self, edits: Edits, seeds: int, draws: int = 0) -> Found:
        """Simulate one set of edits."""
        return self._edited(edits).simulated(seeds, draws)

    def workload(self, edits: Edits) -> Workload:
        """Return the workload with a set of edits made."""
        return self._edited(edits).scripts.workload

    def _edited(self, edits: Edits) -> _Made:
        if not edits:
            return self._base
        first = edits[:-1]
        made = self._shared
        if made.edits != first[: len(made.edits)]:
            made = self._base
        for edit in first[len(made.edits) :]:
            made = made.edited(edit)
        self._shared = made
        return made.edited(edits[-1])


_runner: Runner | None = None


def _prepare(workload: Workload) -> None:
    global _runner
    _runner = Runner(workload)


def _run(edits: Edits, seeds: int, draws: int) -> Found:
    assert _runner is not None
    return _runner.run(edits, seeds, draws)


# --- All of them ---------------------------------------------------------------------------------


class Simulations(AbstractContextManager["Simulations"]):
    """Runs simulations of one workload, on two cores where it is worth it."""

    def __init__(self, workload: Workload, progress: Progress) -> None:
        self.progress = progress
        steps = sum(len(behaviour.steps) for behaviour in workload.behaviours)
        small = lessened(workload, SIMULATION_STEPS / max(1, steps))
        self._pool: ProcessPoolExecutor | None = None
        self._runner: Runner | None = None
        if steps > SMALL_STEPS and (os.cpu_count() or 1) > 1:
            # Spawned: the display may have threads of its own.
            context = get_context("spawn")
            self._pool = ProcessPoolExecutor(2, context, _prepare, (small,))
        else:
            self._runner = Runner(small)
        self._done, self._expected = 0, 1
        self._told = 0.0

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        if kind is None:
            self.progress(1.0)

    def expect(self, count: int) -> None:
        """Tell how many simulations will be asked for at most, for the progress."""
        self._expected = max(1, count)

    def start(self, sets: Sequence[Edits], seeds: int = 1, draws: int = 0) -> list[Future[Found]]:
        """Begin to simulate each set of edits.

        Args:
            draws: how often more with the requests drawn anew.
        """
        return [self._submitted(edits, seeds, draws) for edits in sets]

    def found(self, begun: Sequence[Future[Found]]) -> list[Found]:
        """Wait for what was begun."""
        results = []
        for future in begun:
            found = future.result()
            results.append(found)
            self._done += len(found.seeds) + len(found.draws_p95_ms)
            self._told = max(self._told, min(1.0, self._done / self._expected))
            self.progress(self._told)
        return results

    def _submitted(self, edits: Edits, seeds: int, draws: int) -> Future[Found]:
        if self._pool is not None:
            return self._pool.submit(_run, edits, seeds, draws)
        assert self._runner is not None
        future: Future[Found] = Future()
        future.set_result(self._runner.run(edits, seeds, draws))
        return future


def lessened(workload: Workload, share: float) -> Workload:
    """Return a workload of which a share is simulated, with the requests that this needs.

    Each of the seeds of which the mean is told draws another part of them.
    """
    shorter = shortened(workload, share)
    load = shorter.load
    per_ns = len(workload.behaviours) / workload.load.window_ns
    drawn = per_ns * (load.warmup_ns + load.window_ns)
    return sampled(shorter, round(PARTS * drawn))


def shortened(workload: Workload, share: float) -> Workload:
    """Return a workload of which only a share of the window is simulated, if that is enough."""
    if share >= 1:
        return workload
    load = workload.load
    per_ns = len(workload.behaviours) / load.window_ns
    whole = [sum(s.ns for s in behaviour.steps) for behaviour in workload.behaviours]
    least = max(LEAST_REQUESTS / per_ns, LEAST_P95 * float(np.percentile(whole, 95)))
    window = min(load.window_ns, max(round(load.window_ns * share), round(least)))
    # What is long enough to tell is long enough to come up.
    warmup = min(load.warmup_ns, max(window, RAMP_NS))
    return replace(workload, load=replace(load, warmup_ns=warmup, window_ns=window))
