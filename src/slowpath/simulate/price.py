"""What each finding's cure would gain, and which cures to make in which order.

Predictions are anchored: the simulator says by what factor p95 and the rate change, and the
factor is applied to what was measured. So what the replay gets wrong in the same way before and
after an edit does not count. Intervals come from a bootstrap over the recorded requests; before
and after are simulated with the same draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from slowpath.ledger import Ledger
from slowpath.simulate.edits import Edit, choices
from slowpath.simulate.many import Figures as Figures
from slowpath.simulate.many import Progress, Simulations, ratio
from slowpath.simulate.observe import observe
from slowpath.simulate.replay import Outcome, simulations
from slowpath.simulate.workload import Workload

#: With a larger error of the replay, predictions are not to be trusted.
TRUSTED = 0.25
#: Fewer requests, or a shorter recording, tell nothing; enough would be so many.
MIN_REQUESTS, MIN_SECONDS, ENOUGH_REQUESTS = 30, 1.0, 200
#: A simulation is run so often with other draws; the mean is taken.
SEEDS = 2
#: How often requests are drawn anew for an interval.
DRAWS = 5
#: The bounds of an interval.
LOW, HIGH = 0.05, 0.95
#: p95 that differ by less are alike; the rate decides.
ALIKE = 0.02
#: A cure that gains less than this of p95 or of the rate changes nothing one would notice.
NOTICED = 0.05


@dataclass(frozen=True)
class Replay:
    """How the unedited replay compares with what was measured.

    Attributes:
        error: the largest relative error of p50, p95 and rate.
        missing: sentences on what the model may miss; empty while it is trusted.
    """

    measured: Figures
    simulated: Figures
    missing: tuple[str, ...] = ()

    @property
    def error(self) -> float:
        pairs = (
            (self.simulated.p50_ms, self.measured.p50_ms),
            (self.simulated.p95_ms, self.measured.p95_ms),
            (self.simulated.rps, self.measured.rps),
        )
        return max(abs(ratio(new, old) - 1) for new, old in pairs)

    @property
    def trusted(self) -> bool:
        """Whether predictions may be trusted."""
        return self.error <= TRUSTED


@dataclass(frozen=True)
class Price:
    """What curing one finding alone would give.

    Attributes:
        low_ms, high_ms: the interval of its p95.
        edit: the setting that was chosen.
    """

    figures: Figures
    low_ms: float
    high_ms: float
    edit: Edit


@dataclass(frozen=True)
class Stage:
    """One more cure of the plan; `figures` are those after it and all before it."""

    finding: int
    figures: Figures


@dataclass(frozen=True)
class Prices:
    """The prices of findings, by their position, and the plan.

    Attributes:
        refused: why nothing could be simulated; empty if it could.
        prices: None for a finding that nobody can say the edit of.
        order: positions of all findings, by predicted gain.
        together: p95 and rate with every edit made.
    """

    replay: Replay | None
    prices: tuple[Price | None, ...]
    order: tuple[int, ...]
    plan: tuple[Stage, ...] = ()
    together: Figures | None = None
    refused: str = ""


def price(
    ledger: Ledger,
    edits: Sequence[Edit | None],
    measured: Figures,
    progress: Progress | None = None,
) -> Prices:
    """Price the edit of each finding.

    Args:
        edits: one for each finding; None where nobody can say it.
        measured: what the run showed; predictions are told relative to it.
        progress: called now and then with the share that is done, 0 to 1.
    """
    everything = tuple(range(len(edits)))
    refused = too_little(ledger)
    if refused:
        return Prices(None, (None,) * len(edits), everything, refused=refused)
    workload = observe(ledger)
    with Simulations(workload, progress or (lambda share: None)) as simulations:
        return _Pricing(ledger, workload, edits, measured, simulations).prices()


def too_little(ledger: Ledger) -> str:
    """Say why a recording cannot be simulated, and how long to run; empty if it can."""
    count = len(ledger.requests)
    if not count:
        return "nothing was recorded"
    seconds = (max(r.end_ns for r in ledger.requests) - ledger.requests[0].start_ns) / 1e9
    if count >= MIN_REQUESTS and seconds >= MIN_SECONDS:
        return ""
    enough = max(10.0, ENOUGH_REQUESTS * seconds / count)
    return (
        f"{count} requests in {seconds:.1f} s are too few to predict anything from; "
        f"run for {enough:.0f} s at this rate, or send more"
    )


class _Pricing:
    def __init__(
        self,
        ledger: Ledger,
        workload: Workload,
        edits: Sequence[Edit | None],
        measured: Figures,
        simulations: Simulations,
    ) -> None:
        self.ledger = ledger
        self.workload = workload
        self.edits = edits
        self.measured = measured
        self.simulations = simulations

    def prices(self) -> Prices:
        simulated = mean(simulations(self.workload, range(SEEDS)))
        replay = Replay(self.measured, simulated)
        if not replay.trusted:
            replay = replace(replay, missing=tuple(missing(self.ledger, self.workload)))
        known = [i for i, edit in enumerate(self.edits) if edit is not None]
        self.simulations.expect(len(known) * (SEEDS + DRAWS + 3))
        chosen = self._chosen(known)
        sets = [(), *((chosen[i],) for i in known)]
        self.baseline, *found = self.simulations.figures(sets, SEEDS)
        alone = dict(zip(known, found, strict=True))
        spread = self._spread([(chosen[i],) for i in known])
        prices: list[Price | None] = [None] * len(self.edits)
        for i, (low, high) in zip(known, spread, strict=True):
            figures = self._anchored(alone[i])
            bounds = sorted((self.measured.p95_ms * low, self.measured.p95_ms * high))
            prices[i] = Price(
                figures,
                min(bounds[0], figures.p95_ms),
                max(bounds[1], figures.p95_ms),
                chosen[i],
            )
        plan, together = self._plan(chosen, alone)
        order = sorted(range(len(self.edits)), key=lambda i: self._rank(prices[i], i))
        return Prices(replay, tuple(prices), tuple(order), plan, together)

    def _anchored(self, figures: Figures) -> Figures:
        return self.measured.times(figures, self.baseline)

    def _rank(self, price: Price | None, position: int) -> tuple[float, float, int]:
        """Sort by p95, in steps of what is alike; then by rate; then as they came."""
        if price is None:
            return (0.0, 0.0, position)
        gain = np.log(max(1e-9, price.figures.p95_ms) / max(1e-9, self.measured.p95_ms))
        return (round(float(gain) / ALIKE) * ALIKE, -price.figures.rps, position)

    def _chosen(self, known: Sequence[int]) -> dict[int, Edit]:
        """Choose among settings the least that is nearly as good as the best."""
        chosen: dict[int, Edit] = {}
        for i in known:
            edit = self.edits[i]
            assert edit is not None
            options = choices(edit)
            if len(options) == 1:
                chosen[i] = options[0]
                continue
            found = self.simulations.figures([(option,) for option in options])
            best = min(figures.p95_ms for figures in found)
            chosen[i] = next(
                option
                for option, figures in zip(options, found, strict=True)
                if figures.p95_ms <= best * (1 + ALIKE)
            )
        return chosen

    def _spread(self, sets: Sequence[tuple[Edit, ...]]) -> list[tuple[float, float]]:
        """Return for each set of edits the bounds of p95 after / p95 before."""
        if not sets:
            return []
        before, *rest = self.simulations.draws([(), *sets], DRAWS)
        found = []
        for after in rest:
            ratios = [new / old for new, old in zip(after, before, strict=True) if old > 0]
            low, high = np.quantile(ratios or [1.0], (LOW, HIGH)).tolist()
            found.append((low, high))
        return found

    def _plan(
        self, chosen: dict[int, Edit], alone: dict[int, Figures]
    ) -> tuple[tuple[Stage, ...], Figures | None]:
        """Search greedily for the cures that matter, the one that gains most first.

        It goes on while a cure is noticed, or while all that is left together still gains much:
        of two limits in a row, curing either alone gains nothing.
        """
        if not chosen:
            return (), None
        together = self.simulations.figures([tuple(chosen.values())], SEEDS)[0]
        stages: list[Stage] = []
        left = dict(chosen)
        made: tuple[Edit, ...] = ()
        current = self.baseline
        while left:
            names = list(left)
            found = (
                [alone[i] for i in names]
                if not made
                else self.simulations.figures([(*made, left[i]) for i in names])
            )
            position = min(range(len(names)), key=lambda n: _worth(found[n]))
            best = found[position]
            if not _noticed(best, current) and not _noticed(together, current):
                break
            name = names[position]
            made = (*made, left.pop(name))
            current = best
            stages.append(Stage(name, self._anchored(best)))
        while stages and len(stages) > 1 and not _noticed_stage(stages[-1], stages[-2]):
            stages.pop()
        if len(stages) == 1 and not _noticed_stage(stages[0], Stage(-1, self.measured)):
            stages.pop()
        return tuple(stages), self._anchored(together)


def _worth(figures: Figures) -> float:
    """What is to be made small: p95, and the rate's inverse as the lesser part."""
    return float(np.log(max(figures.p95_ms, 1e-9)) - 0.5 * np.log(max(figures.rps, 1e-9)))


def _noticed(after: Figures, before: Figures) -> bool:
    return after.p95_ms < before.p95_ms * (1 - NOTICED) or after.rps > before.rps * (1 + NOTICED)


def _noticed_stage(after: Stage, before: Stage) -> bool:
    return _noticed(after.figures, before.figures)


def mean(outcomes: Iterable[Outcome]) -> Figures:
    """Return the mean figures of several simulations."""
    table = np.array([(o.p50_ms, o.p95_ms, o.rps) for o in outcomes], np.float64)
    p50, p95, rps = np.nanmean(table, axis=0).tolist() if len(table) else (0.0, 0.0, 0.0)
    return Figures(p50, p95, rps)


def missing(ledger: Ledger, workload: Workload) -> list[str]:
    """Say what may make the replay miss what was measured."""
    found = []
    seconds = workload.load.window_ns / 1e9
    if len(ledger.requests) < ENOUGH_REQUESTS or seconds < 10:
        found.append(f"{len(ledger.requests)} requests in {seconds:.0f} s are few: run longer")
    shares = [ledger.explained(i) for i in range(len(ledger.endpoints))]
    unexplained = 1 - min(shares, default=1.0)
    if unexplained > 0.02:
        found.append(f"up to {unexplained:.0%} of an endpoint's time is not explained")
    computed = workload.demand_ns() * len(ledger.requests) / workload.load.window_ns
    if computed > 0.8 * workload.workers:
        found.append(
            "the event loop was nearly full; then small errors of its work are large ones of waits"
        )
    if any(request.websocket or request.streamed for request in ledger.requests):
        found.append("streams and websockets go at their peers' pace, which it does not know")
    if not found:
        found.append("other programs on the machine, or waits that no hook knows")
    return found
