"""What each finding's cure would gain, and which cures to make in which order.

Predictions are anchored: the simulator says by what factor p95 and the rate change, and the
factor is applied to what was measured (see `many.anchored`). So what the replay gets wrong in the
same way before and after an edit does not count. Intervals come from a bootstrap over the recorded
requests; before and after are simulated with the same draws.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from concurrent.futures import Future
from dataclasses import dataclass, replace

import numpy as np

from slowpath.ledger import Ledger
from slowpath.simulate.edits import Edit, choices
from slowpath.simulate.many import Figures as Figures
from slowpath.simulate.many import (
    Found,
    Progress,
    Simulations,
    anchored,
    ratio,
    shortened,
)
from slowpath.simulate.many import mean as mean
from slowpath.simulate.observe import observe
from slowpath.simulate.replay import PARTS, simulations
from slowpath.simulate.workload import Workload

#: With a larger error of the replay, predictions are not to be trusted.
TRUSTED = 0.25
#: Fewer requests, or a shorter recording, tell nothing; enough would be so many.
MIN_REQUESTS, MIN_SECONDS, ENOUGH_REQUESTS = 30, 1.0, 200
#: What is told is the mean of so many simulations; a search compares single ones.
SEEDS = PARTS
#: How often requests are drawn anew for an interval.
DRAWS = 5
#: The recording as it was is replayed so often, in so many steps of requests each time at most.
REPLAYS, REPLAY_STEPS = 2, 250_000
#: A round of the search looks at least at so many cures.
FEW = 3
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
        known = [i for i, edit in enumerate(self.edits) if edit is not None]
        options = {i: choices(edit) for i in known if (edit := self.edits[i]) is not None}
        self.simulations.expect(most_simulations(options.values()))
        several = [i for i in known if len(options[i]) > 1]
        single = [i for i in known if len(options[i]) == 1]
        tried = [self.simulations.start([(one,) for one in options[i]]) for i in several]
        sets = [(), *((options[i][0],) for i in single)]
        begun = self.simulations.start(sets, SEEDS, DRAWS)
        replay = self._replay()  # while the processes are at work
        chosen = {i: options[i][0] for i in known}
        for i, one in zip(several, tried, strict=True):
            chosen[i] = _chosen(options[i], self.simulations.found(one))
        begun += self.simulations.start([(chosen[i],) for i in several], SEEDS, DRAWS)
        all_begun = self.simulations.start([tuple(chosen.values())] if known else [], SEEDS)
        self.baseline, *found = self.simulations.found(begun)
        alone = dict(zip([*single, *several], found, strict=True))
        prices: list[Price | None] = [None] * len(self.edits)
        for i in known:
            figures = self._anchored(alone[i].mean)
            low, high = self._bounds(alone[i])
            prices[i] = Price(
                figures, min(low, figures.p95_ms), max(high, figures.p95_ms), chosen[i]
            )
        order = sorted(range(len(self.edits)), key=lambda i: self._rank(prices[i], i))
        plan: tuple[Stage, ...] = ()
        together: Figures | None = None
        for everything in self.simulations.found(all_begun):
            plan = self._plan(chosen, alone, everything)
            together = self._anchored(everything.mean)
        return Prices(replay, tuple(prices), tuple(order), plan, together)

    def _replay(self) -> Replay:
        steps = sum(len(behaviour.steps) for behaviour in self.workload.behaviours)
        replayed = shortened(self.workload, REPLAY_STEPS / max(1, steps))
        replay = Replay(self.measured, mean(simulations(replayed, range(REPLAYS))))
        if not replay.trusted:
            replay = replace(replay, missing=tuple(missing(self.ledger, self.workload)))
        return replay

    def _anchored(self, figures: Figures) -> Figures:
        return self.measured.changed(self.baseline.mean, figures)

    def _rank(self, price: Price | None, position: int) -> tuple[float, float, int]:
        """Sort by p95, in steps of what is alike; then by rate; then as they came."""
        if price is None:
            return (0.0, 0.0, position)
        gain = np.log(max(1e-9, price.figures.p95_ms) / max(1e-9, self.measured.p95_ms))
        return (round(float(gain) / ALIKE) * ALIKE, -price.figures.rps, position)

    def _bounds(self, after: Found) -> tuple[float, float]:
        """Return the interval of p95, ms: before and after are drawn alike."""
        measured = self.measured.p95_ms
        pairs = zip(after.draws_p95_ms, self.baseline.draws_p95_ms, strict=True)
        drawn = [anchored(measured, old, new) for new, old in pairs if old > 0]
        low, high = np.quantile(drawn or [measured], (LOW, HIGH)).tolist()
        return low, high

    def _plan(
        self, chosen: dict[int, Edit], alone: dict[int, Found], together: Found
    ) -> tuple[Stage, ...]:
        """Search greedily for the cures that matter, the one that gains most first.

        It goes on while a cure is noticed, or while all that is left together still gains much:
        of two limits in a row, curing either alone gains nothing. The search compares with one
        seed; what is told of a stage has them all.
        """
        left = list(chosen)
        gave = {i: alone[i].mean for i in left}  # each cure, when it was last looked at
        looked_at = set(left)
        made: tuple[Edit, ...] = ()
        current = self.baseline.first
        stages: list[tuple[int, Future[Found]]] = []
        while left:
            if made:
                looked_at = _looked_at(left, gave, looked_at)
                self._look(made, chosen, looked_at, gave)
                if not any(_noticed(gave[i], current) for i in looked_at):
                    self._look(made, chosen, set(left) - looked_at, gave)
                    looked_at = set(left)
            best = min((i for i in left if i in looked_at), key=lambda i: _worth(gave[i]))
            after = gave[best] if made else alone[best].first
            if not _noticed(after, current) and not _noticed(together.first, current):
                break
            left.remove(best)
            made = (*made, chosen[best])
            current = after
            [told] = self.simulations.start([made], SEEDS)
            stages.append((best, told))
        found = self.simulations.found([future for _, future in stages])
        plan = [
            Stage(i, self._anchored(one.mean)) for (i, _), one in zip(stages, found, strict=True)
        ]
        while len(plan) > 1 and not _noticed(plan[-1].figures, plan[-2].figures):
            plan.pop()
        if len(plan) == 1 and not _noticed(plan[0].figures, self.measured):
            plan.pop()
        return tuple(plan)

    def _look(
        self,
        made: tuple[Edit, ...],
        chosen: Mapping[int, Edit],
        looked_at: Iterable[int],
        gave: dict[int, Figures],
    ) -> None:
        """Note what each of some cures gives after those that are made."""
        names = sorted(looked_at)
        begun = self.simulations.start([(*made, chosen[i]) for i in names])
        gave |= zip(names, (found.first for found in self.simulations.found(begun)), strict=True)


def most_simulations(options: Collection[Sequence[Edit]]) -> int:
    """Return about how many simulations edits need at most, by what there is to choose from."""
    count = len(options)
    tried = sum(len(edits) for edits in options if len(edits) > 1)
    searched = count * (count - 1) // 2
    return tried + (count + 1) * (SEEDS + DRAWS) + searched + (count + 1) * SEEDS


def _chosen(options: Sequence[Edit], found: Sequence[Found]) -> Edit:
    """Choose among settings the least that is nearly as good as the best."""
    best = min(one.first.p95_ms for one in found)
    return next(
        option
        for option, one in zip(options, found, strict=True)
        if one.first.p95_ms <= best * (1 + ALIKE)
    )


def _looked_at(left: Sequence[int], gave: Mapping[int, Figures], before: Set[int]) -> set[int]:
    """Return the cures that the next round looks at, by what they gave when last looked at.

    Those that gave most the last time, and those that were not looked at then. So none is left
    out twice, however little it gave: what it gives may depend on those that were made since.
    """
    ranked = sorted((i for i in left if i in before), key=lambda i: _worth(gave[i]))
    best = ranked[: max(FEW, len(ranked) // 2)]
    return {*best, *(i for i in left if i not in before)}


def _worth(figures: Figures) -> float:
    """What is to be made small: p95, and the rate's inverse as the lesser part."""
    return float(np.log(max(figures.p95_ms, 1e-9)) - 0.5 * np.log(max(figures.rps, 1e-9)))


def _noticed(after: Figures, before: Figures) -> bool:
    return after.p95_ms < before.p95_ms * (1 - NOTICED) or after.rps > before.rps * (1 + NOTICED)


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
