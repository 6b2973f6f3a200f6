"""Prices and the plan: what is gained, in which order, and when nothing can be said."""

from __future__ import annotations

import pytest

from slowpath.ledger import ACTIVITIES, Ledger, build
from slowpath.simulate import many
from slowpath.simulate.edits import Edit, OneOf, Resized, Scaled, Users, apply
from slowpath.simulate.many import anchored
from slowpath.simulate.observe import observe
from slowpath.simulate.price import Figures, Prices, price
from slowpath.simulate.workload import Where
from tests.ledger.builder import Builder, ns

USERS = 8


def at(ledger: Ledger, line: int) -> Where:
    sites = [i for i, site in enumerate(ledger.recording.sites) if site.line == line]
    return Where(frozenset((site, -1, -1, -1) for site in sites))


def recorded(rounds: int = 30) -> tuple[Ledger, Figures]:
    """Eight users ask in turn: 20 ms at an upstream, then 30 ms on the one connection.

    The connection is the limit: 240 ms from answer to answer.
    """
    made = Builder()
    handler, calls, queries = (made.site("app.py", line, "orders") for line in (1, 4, 5))
    free, ready, latency = 0.0, [0.0] * USERS, []
    for _ in range(rounds):
        for user in range(USERS):
            start = ready[user]
            got = max(free, start + 20)
            free = got + 30
            request = made.request(start, free, handler=handler, route="/orders", sent=start)
            made.slice(request, start, start)
            made.span(request, "http", start, start + 20, calls, "GET partner/x")
            made.slice(request, start + 20, start + 20)
            if got > start + 20:
                made.span(request, "pool_wait", start + 20, got, queries, "pool", a=1, b=1)
                made.slice(request, got, got)
            made.span(request, "checkout", got, free, queries, "pool", a=1, b=1)
            made.span(request, "sql", got, free, queries, "SELECT ?")
            made.slice(request, free, free)
            latency.append(free - start)
            ready[user] = free
    made.run = {
        "traffic": {"users": USERS, "warmup_s": 0.0, "rate": None},
        "window": {"start_ns": ns(0), "end_ns": ns(min(ready))},
        "cpus": 2,
    }
    latency.sort()
    p50, p95 = latency[len(latency) // 2], latency[len(latency) * 95 // 100]
    return build(made.recording()), Figures(p50, p95, len(latency) / free * 1000)


def priced(*edits: Edit | None) -> tuple[Prices, Figures]:
    ledger, measured = recorded()
    return price(ledger, edits, measured), measured


def test_the_replay_is_near_what_was_measured() -> None:
    prices, _ = priced()
    assert prices.replay is not None
    assert prices.replay.error < 0.05
    assert prices.replay.trusted
    assert prices.replay.missing == ()


def test_a_replay_that_is_far_off_is_not_trusted_and_says_why() -> None:
    ledger, measured = recorded()
    wrong = Figures(measured.p50_ms * 3, measured.p95_ms, measured.rps)
    replay = price(ledger, (), wrong).replay
    assert replay is not None
    assert replay.error == pytest.approx(2 / 3, abs=0.05)
    assert not replay.trusted
    assert replay.missing != ()


def test_a_small_change_is_told_relative_to_what_was_measured_a_large_one_half_so() -> None:
    assert anchored(100, before=50, after=50) == 100
    assert anchored(100, before=50, after=49) == pytest.approx(98, rel=0.01)
    assert anchored(100, before=50, after=5) == pytest.approx(5 * 2**0.5)
    assert anchored(100, before=50, after=500) == pytest.approx(500 * 2**0.5)
    # The more is gained the better the figure, however far off the replay was within reason.
    for measured in (20, 50, 100):
        told = [anchored(measured, before=50, after=after) for after in range(1, 150)]
        assert told == sorted(told)


def test_what_cannot_be_related_is_left_alone() -> None:
    assert anchored(0, before=50, after=5) == 0
    assert anchored(100, before=0, after=5) == 100


def test_cures_are_ranked_by_what_they_gain_and_the_plan_leaves_out_the_rest() -> None:
    ledger, measured = recorded()
    upstream = Scaled(at(ledger, 4), 0.0)
    pool = Resized("pool", 8)
    prices = price(ledger, (upstream, None, pool), measured)
    # The upstream is not the limit: whoever is back earlier only waits for longer.
    assert prices.order == (2, 0, 1)
    alone = prices.prices[2]
    assert alone is not None
    assert alone.figures.p95_ms == pytest.approx(50, rel=0.1)
    assert alone.figures.rps == pytest.approx(8 / 0.050, rel=0.1)
    assert alone.low_ms <= alone.figures.p95_ms <= alone.high_ms
    assert prices.prices[1] is None
    without = prices.prices[0]
    assert without is not None
    assert without.figures.rps == pytest.approx(measured.rps, rel=0.05)
    # With connections enough, the upstream is noticed.
    assert [stage.finding for stage in prices.plan] == [2, 0]
    assert prices.plan[-1].figures.p95_ms == pytest.approx(30, rel=0.1)


def test_the_least_size_that_serves_is_chosen() -> None:
    sizes = OneOf(tuple(Resized("pool", size) for size in (2, 4, 8, 16, 32)))
    prices, _ = priced(sizes)
    [found] = prices.prices
    assert found is not None
    assert found.edit == Resized("pool", 8)


def test_cures_that_gain_nothing_make_no_plan() -> None:
    ledger, measured = recorded()
    nothing = Scaled(Where(frozenset(((9999, ACTIVITIES["sql"], 0, 0),))), 0.0)
    prices = price(ledger, (nothing,), measured)
    assert prices.plan == ()


def test_of_two_limits_in_a_row_both_are_in_the_plan() -> None:
    """Fewer of the one's time only lets requests wait for the other."""
    made = Builder()
    pools = ("first", "second")
    free, ready = dict.fromkeys(pools, 0.0), [0.0] * USERS
    for _ in range(30):
        for user in range(USERS):
            start = now = ready[user]
            request = made.line_number()
            made.slice(request, start, start)
            for line, pool in enumerate(pools, 2):
                site = made.site("app.py", line, "f")
                got = max(now, free[pool])
                free[pool] = got + 20
                if got > now:
                    made.span(request, "lock_wait", now, got, site, pool, a=line, b=1)
                    made.slice(request, got, got)
                made.span(request, "lock", got, got + 20, site, pool, a=line, b=1)
                made.span(request, "http", got, got + 20, site, f"GET {pool}/x")
                made.slice(request, got + 20, got + 20)
                now = got + 20
            made.request(start, now, line=request, sent=start)
            ready[user] = now
    made.run = {
        "traffic": {"users": USERS, "warmup_s": 0.0, "rate": None},
        "window": {"start_ns": ns(0), "end_ns": ns(min(ready))},
    }
    ledger = build(made.recording())
    edits = [Resized(pool, 8) for pool in pools]
    prices = price(ledger, edits, Figures(160, 180, 50))
    assert prices.together is not None
    assert prices.together.p95_ms < 60
    assert sorted(stage.finding for stage in prices.plan) == [0, 1]


@pytest.mark.parametrize(("rounds", "said"), [(0, "nothing was recorded"), (2, "too few")])
def test_too_short_a_recording_is_refused_with_what_to_do(rounds: int, said: str) -> None:
    ledger, _ = recorded(rounds) if rounds else (build(Builder().recording()), None)
    prices = price(ledger, (Resized("pool", 8),), Figures(1, 1, 1))
    assert said in prices.refused
    assert prices.prices == (None,)
    assert prices.replay is None


def test_progress_ends_at_the_end() -> None:
    ledger, measured = recorded()
    told: list[float] = []
    price(ledger, (Resized("pool", 8),), measured, told.append)
    assert told == sorted(told)
    assert 0 < told[0] < told[-1] == 1


def test_sets_that_share_their_first_edits_are_made_as_if_alone() -> None:
    workload = observe(recorded()[0])
    [pool] = [pool.name for pool in workload.pools if pool.kind == "connections"]
    more, fewer, users = Resized(pool, 9), Resized(pool, 2), Users(3)
    runner = many.Runner(workload)
    for edits in (
        (),
        (more,),
        (more, users),
        (more, fewer),
        (fewer, users),
        (users,),
        (more, users),
    ):
        assert runner.workload(edits) == apply(workload, edits)
