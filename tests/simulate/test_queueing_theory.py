"""The engine against queueing theory, within 3 % in long simulations, and the named shapes."""

from __future__ import annotations

from collections.abc import Callable
from math import factorial
from random import Random

import numpy as np
import pytest

from slowpath.simulate.engine import Answer, Engine, Op, Script
from slowpath.simulate.sources import Closed, Draw, Open
from slowpath.simulate.system import NO_WAY, BatchSpec, PoolSpec, StationSpec, System

MS = 1_000_000
S = 1_000_000_000
TOLERANCE = 0.03
FOREVER = 1 << 62


def exponential(rng: Random, mean_ns: float) -> Callable[[], int]:
    return lambda: round(rng.expovariate(1 / mean_ns))


def always(make: Callable[[], Script]) -> Draw:
    return lambda: (make(), 0, NO_WAY)


def open_run(
    system: System, make: Callable[[], Script], rate: float, count: int, seed: int = 1
) -> list[Answer]:
    gap = exponential(Random(seed), S / rate)
    return Engine(system, Open(always(make), gap, most=count), FOREVER).run()


def mean_ms(answers: list[Answer]) -> float:
    kept = answers[len(answers) // 20 :]
    return sum(a.end_ns - a.start_ns for a in kept) / len(kept) / MS


def throughput(answers: list[Answer]) -> float:
    kept = answers[len(answers) // 20 :]
    return (len(kept) - 1) / (kept[-1].end_ns - kept[0].end_ns) * S


def erlang_c(servers: int, offered: float) -> float:
    last = offered**servers / factorial(servers) * servers / (servers - offered)
    return last / (sum(offered**k / factorial(k) for k in range(servers)) + last)


@pytest.mark.parametrize("load", [0.5, 0.8])
def test_a_loop_with_random_slices_is_m_m_1(load: float) -> None:
    work = exponential(Random(2), 10 * MS)
    answers = open_run(System(), lambda: ((Op.WORK, work(), 0),), load * 100, 150_000)
    assert mean_ms(answers) == pytest.approx(10 / (1 - load), rel=TOLERANCE)


@pytest.mark.parametrize("load", [0.5, 0.8])
def test_a_loop_with_equal_slices_is_m_d_1(load: float) -> None:
    script = ((Op.WORK, 10 * MS, 0),)
    answers = open_run(System(), lambda: script, load * 100, 120_000)
    assert mean_ms(answers) == pytest.approx(10 + 10 * load / (2 * (1 - load)), rel=TOLERANCE)


@pytest.mark.parametrize(("servers", "load"), [(3, 0.8), (10, 0.9)])
def test_a_pool_is_m_m_k(servers: int, load: float) -> None:
    hold = exponential(Random(2), 10 * MS)
    system = System(pools=(PoolSpec("pool", servers),))
    answers = open_run(
        system,
        lambda: ((Op.TAKE, 0, 0), (Op.WAIT, hold(), -1), (Op.GIVE, 0, 0)),
        load * servers * 100,
        150_000,
    )
    wait = erlang_c(servers, load * servers) * 10 / (servers * (1 - load))
    assert mean_ms(answers) == pytest.approx(10 + wait, rel=TOLERANCE)


def test_a_station_that_shares_its_capacity_takes_as_long_as_m_m_1() -> None:
    own = exponential(Random(2), 10 * MS)
    system = System(stations=(StationSpec("database", 1.0),))
    answers = open_run(system, lambda: ((Op.WAIT, own(), 0),), 70, 120_000)
    assert mean_ms(answers) == pytest.approx(10 / 0.3, rel=TOLERANCE)


def test_threads_of_one_gil_share_one_core() -> None:
    own = exponential(Random(2), 10 * MS)
    answers = open_run(System(cores=4), lambda: ((Op.BURN, own(), 1),), 70, 120_000)
    assert mean_ms(answers) == pytest.approx(10 / 0.3, rel=TOLERANCE)


def test_threads_without_a_gil_share_the_cores() -> None:
    """M/M/c with processor sharing has the mean of M/M/c."""
    own = exponential(Random(2), 10 * MS)
    answers = open_run(System(cores=2), lambda: ((Op.BURN, own(), 0),), 160, 120_000)
    assert mean_ms(answers) == pytest.approx(10 + erlang_c(2, 1.6) * 10 / 0.4, rel=TOLERANCE)


def mean_value_analysis(users: int, think_s: float, demands_s: list[float]) -> tuple[float, float]:
    """Exact MVA of a closed network of queues; return (rate, response time in s)."""
    queue = [0.0] * len(demands_s)
    rate = response = 0.0
    for n in range(1, users + 1):
        stay = [demand * (1 + length) for demand, length in zip(demands_s, queue, strict=True)]
        response = sum(stay)
        rate = n / (think_s + response)
        queue = [rate * time for time in stay]
    return rate, response


@pytest.mark.parametrize("users", [5, 30, 80])
def test_a_closed_network_follows_mean_value_analysis(users: int) -> None:
    rng = Random(3)
    loop, database = exponential(rng, 10 * MS), exponential(rng, 16 * MS)
    system = System(stations=(StationSpec("database", 1.0),))
    draw = always(lambda: ((Op.WORK, loop(), 0), (Op.WAIT, database(), 0)))
    think = exponential(rng, 500 * MS)
    answers = Engine(system, Closed(users, draw, think), 1500 * S).run()
    rate, response = mean_value_analysis(users, 0.5, [0.010, 0.016])
    assert throughput(answers) == pytest.approx(rate, rel=TOLERANCE)
    assert mean_ms(answers) == pytest.approx(response * 1000, rel=TOLERANCE)


# --- Shapes --------------------------------------------------------------------------------------


def burst(system: System, script: Script, count: int) -> list[Answer]:
    """Send all at once."""
    return Engine(system, Open(always(lambda: script), lambda: 0, most=count), FOREVER).run()


def test_a_thousand_requests_of_5_s_on_50_connections_take_100_s_in_batches() -> None:
    script = ((Op.TAKE, 0, 0), (Op.WAIT, 5 * S, -1), (Op.GIVE, 0, 0))
    answers = burst(System(pools=(PoolSpec("pool", 50),)), script, 1000)
    assert answers[-1].end_ns == 100 * S
    assert sorted({a.end_ns for a in answers}) == [5 * S * n for n in range(1, 21)]
    assert all(sum(a.end_ns == end for a in answers) == 50 for end in {a.end_ns for a in answers})


def test_those_who_wait_for_a_connection_for_too_long_fail() -> None:
    script = ((Op.TAKE, 0, 0), (Op.WAIT, 5 * S, -1), (Op.GIVE, 0, 0))
    answers = burst(System(pools=(PoolSpec("pool", 50, timeout_ns=12 * S),)), script, 1000)
    assert sum(not a.failed for a in answers) == 150
    assert {a.end_ns for a in answers if a.failed} == {12 * S}


@pytest.mark.parametrize(("barging", "order"), [(False, [0, 1, 2]), (True, [0, 2, 1])])
def test_whoever_asks_before_the_woken_ones_turn_gets_the_place_unless_it_is_handed_over(
    barging: bool, order: list[int]
) -> None:
    work, leave = (Op.WORK, MS, 0), (Op.LEAVE, 0, 0)
    # The third has come when the first gives its place back, and is to ask in its next slice.
    three = (work, leave, work, leave, work)
    holder = ((Op.TAKE, 0, 0), (Op.WAIT, 2 * MS, -1), *three, (Op.GIVE, 0, 0))
    waiter = ((Op.WORK, 1, 0), leave, (Op.TAKE, 0, 0), (Op.WAIT, MS, -1), (Op.GIVE, 0, 0))
    cards = iter([(holder, 0, NO_WAY), (waiter, 1, NO_WAY), (waiter, 2, NO_WAY)])
    system = System(pools=(PoolSpec("pool", 1, barging=barging),))
    source = Open(lambda: next(cards), lambda: MS * 12 // 10, most=3)
    answers = Engine(system, source, FOREVER).run()
    assert [answer.kind for answer in sorted(answers, key=lambda a: a.end_ns)] == order


def test_whoever_is_overtaken_waits_no_longer_for_that_before_it_gives_up() -> None:
    work, leave = (Op.WORK, MS, 0), (Op.LEAVE, 0, 0)
    three = (work, leave, work, leave, work)
    holder = ((Op.TAKE, 0, 0), (Op.WAIT, 2 * MS, -1), *three, (Op.GIVE, 0, 0))
    ask = ((Op.WORK, 1, 0), leave, (Op.TAKE, 0, 0))
    waiter = (*ask, (Op.WAIT, S, -1), (Op.GIVE, 0, 0))
    cards = iter([(holder, 0, NO_WAY), (waiter, 1, NO_WAY), (waiter, 2, NO_WAY)])
    system = System(pools=(PoolSpec("pool", 1, timeout_ns=50 * MS, barging=True),))
    source = Open(lambda: next(cards), lambda: MS * 12 // 10, most=3)
    answers = {answer.kind: answer for answer in Engine(system, source, FOREVER).run()}
    assert [answers[kind].failed for kind in range(3)] == [False, True, False]
    assert answers[1].end_ns - answers[1].start_ns == pytest.approx(50 * MS, abs=3 * MS)


@pytest.mark.parametrize("favour", [0.5, 1.0, 2.0])
def test_a_barging_pool_serves_as_many_but_lets_others_wait_for_longer(favour: float) -> None:
    rng = Random(5)
    hop = ((Op.WORK, MS // 5, 0), (Op.LEAVE, 0, 0))

    def script() -> Script:
        # Whoever has its answer asks again while its connection is still being given back; if
        # that takes a turn more, as once in five times, it gets this very connection.
        held = ((Op.WAIT, 2 * MS, -1), (Op.ANSWER, 0, 0), *hop * rng.choice((3, 3, 3, 3, 4)))
        return (*hop * 3, (Op.TAKE, 0, 0), *held, (Op.GIVE, 0, 0))

    waits, shares = [], []
    for barging in (False, True):
        system = System(pools=(PoolSpec("pool", 1, barging=barging, favour=favour),))
        engine = Engine(system, Closed(8, always(script), lambda: 0, last_ns=20 * S), FOREVER)
        waits.append(np.array([a.end_ns - a.start_ns for a in engine.run()]) / MS)
        [pool] = engine.workers[0].pools
        shares.append(pool.overtook / pool.came)
    fair, unfair = waits
    assert shares == [0, pytest.approx(0.2 * favour, rel=0.2)]
    assert len(unfair) == pytest.approx(len(fair), rel=0.06)
    assert unfair.mean() == pytest.approx(fair.mean(), rel=0.06)
    assert np.percentile(unfair, 95) > 1.3 * np.percentile(fair, 95)


def test_a_fan_out_takes_the_slowest_call() -> None:
    calls = [((Op.WAIT, ms * MS, -1),) for ms in (30, 80, 50)]
    joins = tuple((Op.JOIN, i, 0) for i in range(3))
    script = (*((Op.FORK, call, 0) for call in calls), *joins)
    [answer] = burst(System(), script, 1)
    assert answer.end_ns - answer.start_ns == 80 * MS


def test_calls_in_turn_take_their_sum() -> None:
    [answer] = burst(System(), tuple((Op.WAIT, ms * MS, -1) for ms in (30, 80, 50)), 1)
    assert answer.end_ns - answer.start_ns == 160 * MS


def test_the_41st_sync_route_waits() -> None:
    script = ((Op.TAKE, 0, 0), (Op.WAIT, 1 * S, -1), (Op.GIVE, 0, 0))
    answers = burst(System(pools=(PoolSpec("threads", 40),)), script, 41)
    assert [a.end_ns for a in answers] == [1 * S] * 40 + [2 * S]


def test_a_blocking_call_on_the_loop_lets_everybody_wait() -> None:
    answers = burst(System(), ((Op.HOLD, 1 * S, 0),), 3)
    assert [a.end_ns for a in answers] == [1 * S, 2 * S, 3 * S]


def saturated(pool: int) -> tuple[float, float]:
    """80 users, no thinking, on a database that serves two at a time; (rate, mean ms)."""
    rng = Random(5)
    own = exponential(rng, 10 * MS)
    system = System(pools=(PoolSpec("pool", pool),), stations=(StationSpec("database", 2.0),))
    draw = always(lambda: ((Op.TAKE, 0, 0), (Op.WAIT, own(), 0), (Op.GIVE, 0, 0)))
    answers = Engine(system, Closed(80, draw, lambda: 0), 200 * S).run()
    return throughput(answers), mean_ms(answers)


def test_a_bigger_pool_before_a_saturated_database_does_not_help() -> None:
    small, large = saturated(4), saturated(40)
    assert small[0] == pytest.approx(200, rel=TOLERANCE)
    assert large == pytest.approx(small, rel=TOLERANCE)


def test_a_bigger_pool_before_an_idle_database_helps() -> None:
    script = ((Op.TAKE, 0, 0), (Op.WAIT, 100 * MS, 0), (Op.GIVE, 0, 0))
    stations = (StationSpec("database"),)
    small = burst(System(pools=(PoolSpec("pool", 5),), stations=stations), script, 100)
    large = burst(System(pools=(PoolSpec("pool", 50),), stations=stations), script, 100)
    assert (small[-1].end_ns, large[-1].end_ns) == (2 * S, 200 * MS)


def test_work_between_two_waits_is_one_slice() -> None:
    """Giving a connection back within a slice does not let others run."""
    script = ((Op.WORK, 10 * MS, 0), (Op.GIVE, 0, 0), (Op.WORK, 10 * MS, 0))
    answers = burst(System(pools=(PoolSpec("pool", 0),)), script, 2)
    assert [a.end_ns for a in answers] == [20 * MS, 40 * MS]


def test_workers_share_the_cores() -> None:
    answers = burst(System(workers=4, cores=2), ((Op.WORK, 10 * MS, 0),), 400)
    assert answers[-1].end_ns == pytest.approx(2 * S, rel=0.2)


def test_what_comes_after_the_answer_is_not_waited_for() -> None:
    script = ((Op.WORK, 10 * MS, 0), (Op.ANSWER, 0, 0), (Op.WORK, 90 * MS, 0))
    answers = burst(System(), script, 2)
    assert [a.end_ns - a.start_ns for a in answers] == [10 * MS, 110 * MS]


def test_a_batch_goes_on_when_it_is_full_or_its_time_is_over() -> None:
    system = System(batches=(BatchSpec("model", 3, 5 * MS),))
    answers = burst(system, ((Op.GATHER, 0, 0), (Op.WAIT, 1 * MS, -1)), 4)
    assert [a.end_ns for a in answers] == [1 * MS] * 3 + [6 * MS]


def test_what_would_end_after_the_end_is_not_answered() -> None:
    script = ((Op.WORK, 10 * MS, 0), (Op.WORK, 10 * MS, 0))

    def answers(until_ms: int) -> list[Answer]:
        source = Open(always(lambda: script), lambda: 0, most=1)
        return Engine(System(), source, until_ms * MS).run()

    assert answers(15) == []
    assert [a.end_ns for a in answers(25)] == [20 * MS]


class Ticking:
    """Does nothing, often."""

    def fire(self, engine: Engine) -> None:
        engine.at(engine.now + MS // 10, self)


@pytest.mark.parametrize("cores", [0, 1, 2])
def test_work_that_nothing_interrupts_is_as_work_that_is_looked_at_all_the_time(cores: int) -> None:
    """The engine goes on at once where nothing comes between; the figures must not tell."""
    system = System(pools=(PoolSpec("pool", 2),), workers=2, cores=cores)

    def run(ticks: bool) -> list[Answer]:
        rng = Random(4)
        own = exponential(rng, 3 * MS)

        def script() -> Script:
            inner = ((Op.TAKE, 0, 0), (Op.WAIT, own(), -1), (Op.GIVE, 0, 0), (Op.WORK, own(), 0))
            return (
                *((Op.WORK, own(), 0), (Op.LEAVE, 0, 0), (Op.FORK, inner, 0), (Op.WORK, own(), 0)),
                *((Op.BURN, own(), 1), (Op.HOLD, own(), 0), (Op.JOIN, 0, 0)),
            )

        source = Closed(8, always(script), exponential(rng, 20 * MS))
        engine = Engine(system, source, 2 * S)
        if ticks:
            engine.at(0, Ticking())
        return engine.run()

    quiet, watched = run(False), run(True)
    assert len(quiet) > 50
    assert [a.end_ns for a in quiet] == pytest.approx([a.end_ns for a in watched], abs=10)
