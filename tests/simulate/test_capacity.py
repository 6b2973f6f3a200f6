"""Capacity: knees, least settings, loads beyond what can be borne, the scalability law."""

from __future__ import annotations

from dataclasses import replace

import pytest

from slowpath.simulate.capacity import (
    Scaling,
    ask,
    fit_scaling,
    highest_rate,
    least_fleet,
    least_pool,
    least_workers,
    limit_per_s,
)
from slowpath.simulate.edits import Rate, Replicas
from slowpath.simulate.workload import Behaviour, Kind, Load, Pool, Station, Step, Workload

MS = 1_000_000
TAKE, GIVE = Step(Kind.TAKE, ref=0), Step(Kind.GIVE, ref=0)


def service(*steps: Step, pool: int = 4, rate: float = 50, cores: int = 8) -> Workload:
    return Workload(
        behaviours=(Behaviour(steps, 0),),
        load=Load(rate=rate),
        pools=(Pool("pool", "connections", pool),),
        cores=cores,
    )


COMPUTES = Step(Kind.LOOP, 10 * MS)
QUERIES = (TAKE, Step(Kind.WAIT, 20 * MS), GIVE)


def test_more_than_the_loop_bears_grows_without_bound() -> None:
    assert ask(service(COMPUTES, rate=150)).unbounded
    assert not ask(service(COMPUTES, rate=80)).unbounded


def test_the_limit_is_the_part_that_is_full_first() -> None:
    assert limit_per_s(service(COMPUTES)) == pytest.approx(100)
    assert limit_per_s(service(*QUERIES, pool=1)) == pytest.approx(50)
    shared = Step(Kind.WAIT, 20 * MS, ref=0)
    database = replace(service(shared), stations=(Station("database", 0.5),))
    assert limit_per_s(database) == pytest.approx(25)


def test_the_highest_rate_of_m_d_1_is_where_theory_has_it() -> None:
    """p95 of M/D/1 at 10 ms is five services long at a load of about 0.8."""
    rate = highest_rate(service(COMPUTES), target_ms=50)
    assert 70 < rate < 90


def test_no_rate_reaches_less_than_the_service_takes() -> None:
    assert highest_rate(service(COMPUTES), target_ms=5) == 0


def test_the_least_pool_and_workers_that_reach_a_target() -> None:
    found = least_pool(service(*QUERIES, pool=1, rate=100), target_ms=40)
    assert found is not None
    name, size = found
    assert name == "pool"
    assert 3 <= size <= 4  # two are busy on average
    workers = least_workers(service(COMPUTES, rate=250), target_ms=40)
    assert workers in (4, 5)


def test_workers_beyond_the_cores_do_not_reach_a_target() -> None:
    assert least_workers(service(COMPUTES, rate=250, cores=2), target_ms=40) is None


def test_a_fleet_bears_its_multiple() -> None:
    fleet = Replicas(1000).apply(Rate(60_000).apply(service(COMPUTES)))
    alone = ask(service(COMPUTES, rate=60))
    assert ask(fleet).p95_ms == pytest.approx(alone.p95_ms)


def test_the_least_fleet_for_a_rate_has_an_interval() -> None:
    """One machine bears some 80 requests/s within 50 ms (see M/D/1 above)."""
    fleet = least_fleet(service(COMPUTES), 50_000, target_ms=50)
    assert fleet is not None
    assert 50_000 / 90 < fleet.low <= fleet.replicas <= fleet.high < 50_000 / 55


def test_no_fleet_bears_more_than_what_all_share() -> None:
    shared = Step(Kind.WAIT, 20 * MS, ref=0)
    database = replace(service(shared), stations=(Station("database", 0.5),))
    assert least_fleet(database, 30, target_ms=100) is None
    assert least_fleet(database, 2, target_ms=100) is not None


def test_the_scalability_law_is_found_again_from_its_own_points() -> None:
    law = Scaling(rate=20.0, contention=0.03, crosstalk=0.0005)
    users = [1, 2, 4, 8, 16, 32, 64, 128]
    found = fit_scaling(users, [law.throughput(n) for n in users])
    assert (found.rate, found.contention, found.crosstalk) == pytest.approx((20.0, 0.03, 0.0005))
    assert found.peak_users == pytest.approx(44.0, abs=0.1)


def test_a_linear_ramp_has_no_contention() -> None:
    found = fit_scaling([1, 2, 4, 8], [10, 20, 40.1, 80.2])
    assert found.contention == pytest.approx(0, abs=1e-2)
    assert found.crosstalk == 0
    assert found.peak_users == float("inf")
