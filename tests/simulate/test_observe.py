"""From a recording to behaviours: waits for others go, what was used and held stays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from slowpath.ledger import ACTIVITIES, build
from slowpath.simulate.contention import SHORT_NS
from slowpath.simulate.edits import Scaled
from slowpath.simulate.engine import Op
from slowpath.simulate.observe import observe
from slowpath.simulate.places import overtaking
from slowpath.simulate.replay import simulate
from slowpath.simulate.scripts import Scripts
from slowpath.simulate.system import Way
from slowpath.simulate.warmth import TYPICAL
from slowpath.simulate.workload import Kind, Where, Workload
from tests.ledger.builder import MS, Builder, ns


@pytest.fixture
def made() -> Builder:
    return Builder()


def steps(workload: Workload, request: int = 0) -> list[tuple[str, float]]:
    """Return (kind, ms) of the steps of a request, without turns of the loop."""
    return [
        (Kind(step.kind).name, step.ns / MS)
        for step in workload.behaviours[request].steps
        if step.kind != Kind.YIELD
    ]


def statement(made: Builder, request: int, start: float, end: float, waited: float = 0) -> None:
    """Let a request hold the one connection, after having waited for it."""
    site = made.site("app.py", 5, "orders")
    if waited:
        made.span(request, "pool_wait", start - waited, start, site, "pool", a=1, b=1)
    made.span(request, "checkout", start, end, site, "pool", a=1, b=1)
    made.span(request, "sql", start, end, site, "SELECT ?")


def test_a_wait_for_a_connection_becomes_the_taking_of_one(made: Builder) -> None:
    holder, waiter = (made.request(0, end, handler=made.site("app.py", 1, "f")) for end in (32, 63))
    made.slice(holder, 0, 1)
    statement(made, holder, 1, 31)
    made.slice(holder, 31, 32)
    made.slice(waiter, 1, 2)
    statement(made, waiter, 32, 62, waited=30)
    made.slice(waiter, 62, 63)
    workload = observe(build(made.recording()))
    [pool] = workload.pools
    assert (pool.name, pool.kind, pool.size) == ("pool", "connections", 1)
    assert steps(workload, 1) == [
        ("LOOP", 1.0),
        ("TAKE", 0.0),
        ("WAIT", 30.0),
        ("GIVE", 0.0),
        ("LOOP", 1.0),
        ("ANSWER", 0.0),
    ]


def test_a_place_is_taken_when_it_was_asked_for_and_going_on_is_no_turn_more(made: Builder) -> None:
    site = made.site("app.py", 1, "f")
    holder, waiter = (made.request(0, end, handler=site) for end in (22, 33))
    made.slice(holder, 0, 1)
    statement(made, holder, 1, 20)
    made.slice(holder, 20, 22)
    made.slice(waiter, 1, 2)
    made.span(waiter, "pool_wait", 1.8, 22.2, site, "pool", a=1, b=1)
    made.span(waiter, "checkout", 22.3, 30, site, "pool", a=1, b=1)
    made.slice(waiter, 22, 33)
    workload = observe(build(made.recording()))
    kinds = [Kind(step.kind).name for step in workload.behaviours[1].steps]
    assert kinds[:3] == ["LOOP", "TAKE", "LOOP"]
    assert "YIELD" not in kinds[kinds.index("TAKE") :]


def test_those_who_came_and_took_a_place_before_the_line_are_counted() -> None:
    held = [(0, 0, 10 * MS)]  # (asked, got, given back) of the one place
    line = [(n * MS, (n + 9) * MS, (n + 10) * MS) for n in range(1, 31)]
    assert overtaking([[*held, *line]], size=1) == 0
    # Three of four come when it is free, while others are still in line for it.
    late = [(asked, asked if n % 4 else got, got + MS) for n, (asked, got, _) in enumerate(line)]
    assert overtaking([[*held, *late]], size=1) == pytest.approx(0.75, abs=0.05)
    # With a place for each, nobody is overtaken; and a few who come tell nothing.
    assert overtaking([[*held, *late]], size=40) == 0
    assert overtaking([[*held, *late[:10]]], size=1) == 0


def test_blocked_and_computed_slices_are_told_apart(made: Builder) -> None:
    request = made.request(0, 30, handler=made.site("app.py", 1, "f"))
    made.slice(request, 0, 30, most=10 * MS, least=10 * MS)
    made.span(request, "http", 5, 25, made.site("app.py", 2, "f"), "GET h/x", sync=True)
    workload = observe(build(made.recording()))
    assert steps(workload) == [
        ("LOOP", 5.0),
        ("BLOCKED", 20.0),
        ("LOOP", 5.0),
        ("ANSWER", 0.0),
    ]


def test_a_wait_in_which_nobody_could_have_answered_is_a_turn_of_the_loop(made: Builder) -> None:
    request = made.request(0, 5)
    made.slice(request, 0, 1)
    made.span(request, "http", 0.5, 4, made.site(), "GET h/x")
    made.slice(request, 1.005, 2)  # a checkpoint of the client's
    made.slice(request, 4, 5)
    kinds = [step.kind for step in observe(build(made.recording())).behaviours[0].steps]
    assert kinds[2:6] == [Kind.YIELD, Kind.LOOP, Kind.WAIT, Kind.LOOP]


def test_a_job_holds_a_thread_and_computes_in_it(made: Builder) -> None:
    request = made.request(0, 22, handler=made.site("app.py", 1, "f"))
    made.slice(request, 0, 1)
    made.job(request, 1, 1, 21, at=made.site("app.py", 2, "f"), places=40, cpu=20)
    made.slice(request, 21, 22)
    workload = observe(build(made.recording()))
    assert [(pool.kind, pool.size) for pool in workload.pools] == [("threads", 40)]
    kinds = [kind for kind, _ in steps(workload)]
    assert kinds == ["LOOP", "TAKE", "THREAD", "GIVE", "LOOP", "ANSWER"]


def test_what_comes_after_the_answer_stays_behind_it(made: Builder) -> None:
    request = made.request(0, 30, handler=made.site("app.py", 1, "f"), complete_ns=ns(10))
    made.slice(request, 0, 30)
    workload = observe(build(made.recording()))
    assert steps(workload) == [("LOOP", 10.0), ("ANSWER", 0.0), ("LOOP", 20.0)]


def test_users_think_for_as_long_as_they_do_not_wait(made: Builder) -> None:
    """Two users, ten requests of 100 ms in 1 s: they think for half of their 2 s."""
    for i in range(10):
        request = made.request(100 * i, 100 * i + 99.999, sent=100 * i)
        made.slice(request, 100 * i, 100 * i + 100)
    begin = ns(0)
    made.run = {
        "traffic": {"users": 2, "warmup_s": 1.0, "rate": None},
        "window": {"start_ns": begin, "end_ns": begin + 1000 * MS},
    }
    load = observe(build(made.recording())).load
    assert (load.users, load.think_ns, load.window_ns) == (
        2,
        pytest.approx(100 * MS, rel=0.01),
        1000 * MS,
    )


def test_each_endpoints_answers_have_their_own_way_back(made: Builder) -> None:
    for i in range(8):
        for route, back in (("/large", 3), ("/small", 1)):
            kept = 20 * (i > 2)  # waits for the loop, before it is seen
            late = 5 * (i > 4)  # its client is at work on others
            at = 100 * i
            request = made.request(at + 0.5 + kept, at + 50, route=route, sent=at)
            made.client[-1] = replace(made.client[-1], end_ns=ns(at + 50 + back + late))
            made.requests[-1] = replace(made.requests[-1], client=made.client[-1])
            made.slice(request, at + 0.5 + kept, at + 50)
    ledger = build(made.recording())
    found = {
        ledger.endpoints[behaviour.endpoint].name: behaviour.way
        for behaviour in observe(ledger).behaviours
    }
    assert found == {
        "GET /large": Way(MS // 2, 3 * MS),
        "GET /small": Way(MS // 2, MS),
    }


def test_a_rate_is_replayed_as_a_rate(made: Builder) -> None:
    request = made.request(0, 10, sent=0)
    made.slice(request, 0, 10)
    made.run = {"traffic": {"users": 50, "rate": 20.0}, "window": {}}
    load = observe(build(made.recording())).load
    assert (load.users, load.rate, load.paced) == (0, 20.0, True)


def test_a_station_that_fills_shows_its_capacity(made: Builder) -> None:
    """Groups of 1, 2 and 4 statements of 10 ms on a database that works off one at a time."""
    at = 0.0
    for round_ in range(60):
        company = (1, 2, 4)[round_ % 3]
        for _ in range(company):
            request = made.request(at, at + 10 * company + 0.001)
            made.slice(request, at, at + 0.001)
            made.span(
                request, "sql", at + 0.001, at + 10 * company, made.site("app.py", 5, "f"), "SELECT"
            )
            made.slice(request, at + 10 * company, at + 10 * company + 0.001)
        at += 200
    workload = observe(build(made.recording()))
    [station] = workload.stations
    assert (station.name, station.capacity) == ("database", 1.0)
    own = {
        round(step.ns / MS)
        for behaviour in workload.behaviours
        for step in behaviour.steps
        if step.activity == ACTIVITIES["sql"]
    }
    assert own == {10}


def test_the_replay_of_a_queue_finds_the_recorded_waits(made: Builder) -> None:
    """Three users in a closed loop on one connection of 30 ms: each waits for the two others."""
    free = 0.0
    ready = [0.0, 0.0, 0.0]
    for _ in range(40):
        for user in range(3):
            arrived = ready[user]
            got = max(free, arrived)
            free = got + 30
            request = made.request(arrived, free, sent=arrived)
            made.slice(request, arrived, arrived)
            statement(made, request, got, free, waited=got - arrived)
            ready[user] = free
    begin, end = ns(0), ns(free)
    made.run = {
        "traffic": {"users": 3, "warmup_s": 0.0, "rate": None},
        "window": {"start_ns": begin, "end_ns": end},
        "cpus": 2,
    }
    outcome = simulate(observe(build(made.recording())))
    assert outcome.p50_ms == pytest.approx(90, rel=0.03)
    assert outcome.rps == pytest.approx(1000 / 30, rel=0.03)


def test_a_database_that_was_always_full_shows_by_its_quickest(made: Builder) -> None:
    """Six at a time on two places, but for a quick one now and then: 30 ms in place of 10."""
    for i in range(100):
        at = 30.0 * i
        for user in range(6):
            took = 10 if (i + user) % 6 == 0 else 30
            request = made.request(at, at + 30)
            made.slice(request, at, at + 0.001)
            made.span(request, "sql", at + 0.001, at + took, made.site("app.py", 5, "f"), "SELECT")
            made.slice(request, at + took, at + took + 0.001)
    [station] = observe(build(made.recording())).stations
    assert 1.0 <= station.capacity <= 3.0


def test_what_ran_long_ago_is_told_as_it_would_be_warm(made: Builder) -> None:
    """The same slice 20 ms after its like, when it took several times as long, and after that."""
    site = made.site("app.py", 1, "f")
    cold = 0.2 * float(TYPICAL.of(np.array([20 * MS]))[0])
    for start, length in ((0, 0.6), (20.6, cold), (20.61 + cold, 0.2)):
        request = made.request(start, start + length, handler=site)
        made.slice(request, start, start + length)
    workload = observe(build(made.recording()))
    assert [
        sum(ms for kind, ms in steps(workload, n) if kind == "LOOP") for n in (1, 2)
    ] == pytest.approx([0.2, 0.2], rel=0.01)


@pytest.mark.parametrize(
    ("host", "took", "text", "cores"),
    [
        ("127.0.0.1", 9.0, "SELECT ?", 2.0),  # two of three are left beside the worker
        ("10.0.0.7", 9.0, "SELECT ?", 0.0),  # of another machine nothing is known
        ("127.0.0.1", 3.0, "SELECT ?", 0.0),  # mostly its way there and back
        ("127.0.0.1", 9.0, "SELECT pg_sleep(?)", 0.0),
    ],
)
def test_a_database_on_the_same_machine_has_the_cores_that_are_left(
    made: Builder, host: str, took: float, text: str, cores: float
) -> None:
    made.run["cpus"] = 3
    site = made.site("app.py", 5, "orders")
    for n in range(4):
        request = made.request(n, n + took + 2, handler=site)
        made.slice(request, n, n + 0.5)
        pool = f"postgresql+asyncpg {host}/shop"
        made.span(request, "checkout", n + 0.5, n + 0.5 + took, site, pool, a=1, b=9)
        made.span(request, "sql", n + 0.5, n + 0.5 + took, site, text)
        made.slice(request, n + 0.5 + took, n + took + 1)
    workload = observe(build(made.recording()))
    assert sum(station.capacity for station in workload.stations) == cores
    waits = [s for b in workload.behaviours for s in b.steps if s.kind == Kind.WAIT]
    shared = [s for s in waits if workload.stations[s.ref].capacity]
    assert len(shared) == (len(waits) if cores else 0)
    if cores:  # four at once on two cores: each took longer than it would have alone
        assert all(s.ns < took * MS for s in shared)
        assert any(op[0] == Op.WAIT and op[2] >= 0 for op in Scripts(workload)[0])
        cured = Scaled(Where(frozenset(((shared[0].site, -1, -1, -1),))), 0.1).apply(workload)
        # What is left is mostly on its way.
        assert [op[1] for op in Scripts(cured)[0] if op[0] == Op.WAIT and op[2] >= 0] == [SHORT_NS]


def test_a_statement_whose_end_the_held_loop_hid_was_not_longer_than_alone(made: Builder) -> None:
    site, pool = made.site("app.py", 5, "orders"), "postgresql+asyncpg 127.0.0.1/shop"
    for n in range(12):
        at = 40.0 * n
        one, other = (made.request(at + first, at + 40, handler=site) for first in (0, 0.2))
        for request, first in ((one, 0.0), (other, 0.2)):
            made.slice(request, at + first, at + first + 0.1)
            sent = at + first + 0.1
            made.span(request, "checkout", sent, at + 39, site, pool, a=1, b=9)
            made.span(request, "sql", sent, at + 39 + first, site, "SELECT ?")
        blocked = made.request(at + 0.3, at + 39, handler=site, route="/blocked")
        made.slice(blocked, at + 0.3, at + 9)
        made.slice(blocked, at + 9.05, at + 39)
        for request, first in ((one, 0.0), (other, 0.2)):
            made.slice(request, at + 39 + first, at + 39 + first + 0.1)
    workload = observe(build(made.recording()))
    waits = [
        step.ns
        for b in workload.behaviours
        for step in b.steps
        if step.kind == Kind.WAIT and workload.stations[step.ref].capacity
    ]
    # Both were on the one core meanwhile; the loop saw neither's end.
    assert [round(ns / MS, 2) for ns in waits if ns > 3 * MS] == [8.75] * 24
