"""How many overtake the line: the simulation's own share, made as large as the recorded one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from slowpath.simulate.barging import MOST, favoured
from slowpath.simulate.replay import engine_of
from slowpath.simulate.scripts import Scripts
from slowpath.simulate.workload import Behaviour, Kind, Load, Pool, Step, Workload

MS, S = 1_000_000, 1_000_000_000
WORK, YIELD = Step(Kind.LOOP, MS // 5, 1, 1, 1), Step(Kind.YIELD)
TAKE, GIVE, ANSWER = Step(Kind.TAKE, ref=0), Step(Kind.GIVE, ref=0), Step(Kind.ANSWER)
SQL = Step(Kind.WAIT, 2 * MS, 17, 0, 2)


def service(recorded: float) -> Workload:
    """Callers ask again while their connection is given back: one in five gets that one."""
    behaviours = tuple(
        Behaviour((*(WORK, YIELD) * 2, WORK, TAKE, SQL, ANSWER, *(WORK, YIELD) * after, GIVE), 0)
        for after in (3, 3, 3, 3, 4) * 20
    )
    pool = Pool("pool", "connections", 1, overtaking=recorded)
    return Workload(behaviours, Load(8, warmup_ns=S, window_ns=10 * S), (pool,))


def share(workload: Workload) -> float:
    engine = engine_of(Scripts(workload))
    engine.run()
    [pool] = engine.workers[0].pools
    return pool.overtook / pool.came


def test_as_many_overtake_as_were_recorded_though_fewer_come_at_the_right_moment() -> None:
    by_itself = share(service(0.01))
    assert by_itself == pytest.approx(0.2, abs=0.05)
    more = favoured(service(2 * by_itself))
    assert more.pools[0].favour == pytest.approx(2, rel=0.2)
    assert share(more) == pytest.approx(2 * by_itself, rel=0.2)


def test_fewer_overtake_where_fewer_were_recorded() -> None:
    fewer = favoured(service(0.05))
    assert fewer.pools[0].favour == pytest.approx(0.25, rel=0.2)
    assert share(fewer) == pytest.approx(0.05, rel=0.2)


def test_the_factor_is_bounded() -> None:
    assert favoured(service(5.0)).pools[0].favour == MOST


def test_places_that_are_handed_over_are_left_alone() -> None:
    assert favoured(service(0.0)) == service(0.0)


def test_what_nobody_waits_for_tells_nothing() -> None:
    alone = service(0.5)
    alone = replace(alone, load=replace(alone.load, users=1))
    assert favoured(alone).pools[0].favour == 1
