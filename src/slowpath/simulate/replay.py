"""Running a workload: latencies and rates, and how near they are to what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from random import Random

import numpy as np
import numpy.typing as npt

from slowpath.simulate.engine import Answer, Engine, Script
from slowpath.simulate.scripts import Scripts
from slowpath.simulate.sources import Closed, Open
from slowpath.simulate.system import Way
from slowpath.simulate.workload import Load, Workload

Floats = npt.NDArray[np.float64]
S = 1_000_000_000
#: A recording is dealt out in so many blocks; a bootstrap draws as many.
BLOCKS = 20
#: So many seeds deal in the same order, each from another part on.
PARTS = 3
#: Users do not all begin at once, but one after the other within this.
RAMP_NS = S


@dataclass(frozen=True)
class Outcome:
    """What a simulation gave.

    Attributes:
        latency_ms: of every answered request that began in the window; shape (n,).
        start_ms: when each began; shape (n,).
        endpoint: index of each one's endpoint; shape (n,).
        rps: answers a second.
        errors: share of requests that gave up waiting.
        backlog: share of the requests sent that were not answered at the end.
    """

    latency_ms: Floats
    start_ms: Floats
    endpoint: npt.NDArray[np.int64]
    rps: float
    errors: float
    backlog: float

    def percentile(self, q: float) -> float:
        """Return a percentile of the latency, ms; NaN where nothing was answered."""
        return float(np.percentile(self.latency_ms, q)) if len(self.latency_ms) else float("nan")

    @property
    def p50_ms(self) -> float:
        return self.percentile(50)

    @property
    def p95_ms(self) -> float:
        return self.percentile(95)


class _Deck:
    """Deals the behaviours out, each as often as it was recorded.

    They keep their order in blocks: what happened at one time belongs together, since a machine
    or a database that is slow for a second is so for everybody.

    `PARTS` seeds in a row deal in the same order, each from another part on: where one simulation
    draws a part of the requests, all seeds together have seen all of them.
    """

    def __init__(self, scripts: Scripts, seed: int, resample: bool) -> None:
        self.scripts = scripts
        self.behaviours = scripts.workload.behaviours
        count = len(self.behaviours)
        size, starts = blocks_of(count)
        rng = Random(seed if resample else seed - seed % PARTS)
        blocks = [rng.choice(starts) if resample else start for start in starts]
        if not resample:
            rng.shuffle(blocks)
        self.cards = [n for start in blocks for n in range(start, min(start + size, count))]
        self.at = 0 if resample else len(self.cards) * (seed % PARTS) // PARTS

    def __call__(self) -> tuple[Script, int, Way]:
        number = self.cards[self.at]
        self.at = (self.at + 1) % len(self.cards)
        behaviour = self.behaviours[number]
        return self.scripts[number], behaviour.endpoint, behaviour.way


def blocks_of(count: int) -> tuple[int, list[int]]:
    """Return the size of the blocks that so many requests are dealt in, and where each begins."""
    size = max(1, count // BLOCKS)
    return size, list(range(0, count, size))


def sampled(workload: Workload, most: int) -> Workload:
    """Return a workload with so many of its requests: neighbours, from all parts of its time."""
    count = len(workload.behaviours)
    if count <= most:
        return workload
    size, starts = blocks_of(count)
    each = max(1, most // len(starts))
    kept = (n for start in starts for n in range(start, min(start + min(each, size), count)))
    return replace(workload, behaviours=tuple(workload.behaviours[n] for n in kept))


def simulate(workload: Workload, seed: int = 0, resample: bool = False) -> Outcome:
    """Run a workload once.

    Args:
        resample: draw the behaviours anew, with replacement: a bootstrap over requests.
    """
    return next(simulations(workload, [seed], resample))


def simulations(
    workload: Workload,
    seeds: Iterable[int],
    resample: bool = False,
    scripts: Scripts | None = None,
) -> Iterator[Outcome]:
    """Run a workload once for each seed.

    Args:
        scripts: those of the workload, if they are made.
    """
    scripts = scripts or Scripts(workload)
    for seed in seeds:
        engine = engine_of(scripts, seed, resample)
        yield _outcome(engine.run(), engine.sent, workload.load)


def engine_of(scripts: Scripts, seed: int = 0, resample: bool = False) -> Engine:
    """Return the engine that will run a workload once."""
    workload = scripts.workload
    load = workload.load
    # As in a run: what is under way when the sending ends is waited for, within reason.
    until = load.warmup_ns + 2 * load.window_ns
    source = _source(load, _Deck(scripts, seed, resample), Random(seed))
    return Engine(workload.system(), source, until, seed)


def _source(load: Load, deck: _Deck, rng: Random) -> Closed | Open:
    last = load.warmup_ns + load.window_ns
    if load.users:
        think = load.think_ns

        def pause() -> int:
            return round(rng.uniform(0.5 * think, 1.5 * think)) if think else 0

        return Closed(load.users, deck, pause, min(RAMP_NS, load.warmup_ns or RAMP_NS), last)
    gap = S / load.rate
    if load.paced:
        return Open(deck, lambda: round(gap), last_ns=last)
    return Open(deck, lambda: round(rng.expovariate(1 / gap)), last_ns=last)


def _outcome(answers: list[Answer], sent: int, load: Load) -> Outcome:
    kept = [answer for answer in answers if answer.start_ns >= load.warmup_ns]
    latency = np.array([answer.end_ns - answer.start_ns for answer in kept], np.float64) / 1e6
    return Outcome(
        latency_ms=latency,
        start_ms=np.array([answer.start_ns for answer in kept], np.float64) / 1e6,
        endpoint=np.array([answer.kind for answer in kept], np.int64),
        rps=len(kept) / load.window_ns * 1e9,
        errors=sum(answer.failed for answer in kept) / len(kept) if kept else 0.0,
        backlog=1 - len(answers) / sent if sent else 0.0,
    )
