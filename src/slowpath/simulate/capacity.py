"""Capacity planning: what a changed service bears, and the least that reaches a target."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from slowpath.simulate.edits import Edit, Rate, Replicas, Resized, Workers
from slowpath.simulate.replay import Outcome, simulations
from slowpath.simulate.workload import Kind, Load, Workload, flat

#: Requests that one simulation of a rate sends, after so many that are not counted.
REQUESTS, WARMUP = 1500, 300
#: Latency that grows by so much of the time that passes grows without bound.
GROWS = 0.02
#: Rates, pools and workers are searched so far beyond what is there.
MOST_TIMES = 1024
#: The highest rate is found to this share.
NEAR = 0.02
#: Draws for an interval.
DRAWS = 5
#: The same for a fleet's size, for each of which some ten sizes are simulated.
FLEET_DRAWS = 3
S = 1_000_000_000


@dataclass(frozen=True)
class Answer:
    """What a service does under a load.

    Attributes:
        low_ms, high_ms: the interval of p95 over draws of the recorded requests.
        unbounded: the queue grows for as long as the load lasts; the figures mean nothing then.
    """

    p50_ms: float
    p95_ms: float
    rps: float
    low_ms: float
    high_ms: float
    errors: float
    unbounded: bool


def ask(workload: Workload, draws: int = DRAWS, seed: int = 0) -> Answer:
    """Simulate a workload, with its interval.

    Args:
        seed: the first of the draws; other than 0, also a single one draws the requests anew.
    """
    sized = sized_for(workload)
    outcomes = list(simulations(sized, range(seed, seed + draws), resample=draws > 1 or seed > 0))
    p95 = [outcome.p95_ms for outcome in outcomes]
    return Answer(
        p50_ms=float(np.mean([outcome.p50_ms for outcome in outcomes])),
        p95_ms=float(np.mean(p95)),
        rps=float(np.mean([outcome.rps for outcome in outcomes])),
        low_ms=float(np.min(p95)),
        high_ms=float(np.max(p95)),
        errors=float(np.mean([outcome.errors for outcome in outcomes])),
        unbounded=not sized.load.users and any(map(grows, outcomes)),
    )


def sized_for(workload: Workload) -> Workload:
    """Return a workload whose window is long enough to tell, and no longer."""
    load = workload.load
    if load.users:
        return workload
    warmup, window = (round(count / load.rate * S) for count in (WARMUP, REQUESTS))
    return replace(workload, load=replace(load, warmup_ns=warmup, window_ns=window))


def grows(outcome: Outcome) -> bool:
    """Tell whether latency grew all the time: more came than was answered."""
    if len(outcome.latency_ms) < 2:
        return True
    if np.ptp(outcome.start_ms) == 0:
        return False
    slope = float(np.polyfit(outcome.start_ms, outcome.latency_ms, 1)[0])
    return slope > GROWS or outcome.backlog > GROWS


def highest_rate(workload: Workload, target_ms: float) -> float:
    """Return the highest rate (requests/s) at which p95 stays under a target; 0 if none does.

    Where that is, p95 turns from level to steep: the knee.
    """
    start = limit_per_s(workload) / 8

    def fits(rate: float) -> bool:
        answer = ask(Rate(rate).apply(workload), draws=1)
        return not answer.unbounded and answer.p95_ms <= target_ms

    low, high = 0.0, start
    while fits(high) and high < start * MOST_TIMES:
        low, high = high, high * 2
    if not low:
        while high > start / MOST_TIMES and not fits(high):
            high /= 2
        low, high = high, high * 2
        if low <= start / MOST_TIMES:
            return 0.0
    while high - low > NEAR * high:
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def limit_per_s(workload: Workload) -> float:
    """Return the rate at which the first part is full: loops, pools or stations.

    An upper bound: what is held while waiting for others counts its own time alone.
    """
    count = max(1, len(workload.behaviours))
    limits = [workload.workers * S / max(1.0, workload.demand_ns())]
    held = [0.0] * len(workload.pools)
    stays = [0.0] * len(workload.stations)
    for behaviour in workload.behaviours:
        open_pools: list[int] = []
        for step in flat(behaviour.steps):
            if step.kind == Kind.TAKE:
                open_pools.append(step.ref)
            elif step.kind == Kind.GIVE and step.ref in open_pools:
                open_pools.remove(step.ref)
            for pool in open_pools:
                held[pool] += step.ns
            if step.kind == Kind.WAIT and step.ref >= 0:
                stays[step.ref] += step.ns
    for pool, ns in enumerate(held):
        if ns:
            limits.append(workload.pools[pool].size * workload.workers * S * count / ns)
    for station, ns in enumerate(stays):
        if ns and workload.stations[station].capacity:
            limits.append(workload.stations[station].capacity * S * count / ns)
    return min(limits)


def least(
    workload: Workload,
    change: Callable[[int], Edit],
    first: int,
    target_ms: float,
    seed: int = 0,
) -> int | None:
    """Return the least setting with which p95 stays under a target; None if no setting does.

    Args:
        change: the edit that makes a setting; more must not be worse.
        first: the least that is tried.
        seed: of the simulations; 0 takes the requests as they were recorded.
    """

    def fits(setting: int) -> bool:
        answer = ask(change(setting).apply(workload), draws=1, seed=seed)
        return not answer.unbounded and answer.p95_ms <= target_ms

    low, high = first - 1, first
    while not fits(high):
        low, high = high, high * 2
        if high > first * 64:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return high


def least_workers(workload: Workload, target_ms: float) -> int | None:
    """Return the least number of workers that reaches a target."""
    return least(workload, Workers, 1, target_ms)


def least_pool(workload: Workload, target_ms: float) -> tuple[str, int] | None:
    """Return the busiest connection pool and the least size of it that reaches a target."""
    names = [pool.name for pool in workload.pools if pool.kind == "connections"]
    if not names:
        return None
    size = least(workload, lambda count: Resized(names[0], count), 1, target_ms)
    return (names[0], size) if size is not None else None


@dataclass(frozen=True)
class Fleet:
    """How many machines bear a rate.

    Attributes:
        replicas: the median over draws of the recorded requests.
        low, high: the interval over them.
    """

    replicas: int
    low: int
    high: int


def least_fleet(workload: Workload, rate: float, target_ms: float) -> Fleet | None:
    """Return the least number of machines behind a balancer that bear a rate within a target.

    None if no number does: what all share is full, or a request alone takes longer.
    """
    alone = replace(workload, stations=tuple(replace(s, capacity=0) for s in workload.stations))
    first = max(1, math.ceil(rate / limit_per_s(alone)))
    asked = Rate(rate).apply(workload)
    found = []
    for seed in range(FLEET_DRAWS):
        count = least(asked, Replicas, first, target_ms, seed)
        if count is None:
            return None
        found.append(count)
    found.sort()
    return Fleet(found[len(found) // 2], found[0], found[-1])


# --- The Universal Scalability Law ---------------------------------------------------------------


@dataclass(frozen=True)
class Scaling:
    """Throughput by users: X(n) = rate * n / (1 + contention * (n-1) + crosstalk * n * (n-1)).

    Source: Gunther, Guerrilla Capacity Planning, chapter on the Universal Scalability Law.

    Attributes:
        rate: what one user gets, requests a second.
        contention: share of the work that only one can do at a time.
        crosstalk: what each pair of users costs each other.
    """

    rate: float
    contention: float
    crosstalk: float

    def throughput(self, users: float) -> float:
        """Return requests a second with so many users."""
        n = users
        return self.rate * n / (1 + self.contention * (n - 1) + self.crosstalk * n * (n - 1))

    @property
    def peak_users(self) -> float:
        """From here on more users get less done; infinite without crosstalk."""
        if self.crosstalk <= 0:
            return float("inf")
        return float(np.sqrt(max(0.0, 1 - self.contention) / self.crosstalk))


def fit_scaling(users: Sequence[float], per_s: Sequence[float]) -> Scaling:
    """Fit the law to a ramp by least squares, with no negative share.

    n / X(n) is linear in 1, n-1 and n(n-1); terms that come out negative are left out.
    """
    n, x = np.array(users, np.float64), np.array(per_s, np.float64)
    columns = np.stack((np.ones(len(n)), n - 1, n * (n - 1)), axis=1)
    # Relative errors of the throughput count alike.
    weight = x / n
    kept = [0, 1, 2]
    while True:
        solution = np.linalg.lstsq(columns[:, kept] * weight[:, None], np.ones(len(n)), rcond=None)[
            0
        ]
        negative = [k for k, value in zip(kept, solution, strict=True) if k and value < 0]
        if not negative:
            break
        kept.remove(negative[-1])
    values = dict(zip(kept, solution.tolist(), strict=True))
    base = values[0]
    return Scaling(1 / base, values.get(1, 0.0) / base, values.get(2, 0.0) / base)


def ramp(workload: Workload, users: Sequence[int], think_ns: float) -> list[float]:
    """Return the throughput with each number of users who think for `think_ns`."""
    load = workload.load
    found = []
    for count in users:
        closed = replace(
            workload,
            load=Load(count, think_ns, warmup_ns=load.warmup_ns, window_ns=load.window_ns),
        )
        [outcome] = simulations(closed, [0])
        found.append(outcome.rps)
    return found
