"""Each word of the vocabulary of edits, on behaviours made by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from slowpath.ledger import ACTIVITIES
from slowpath.simulate.edits import (
    Batched,
    Cached,
    Edit,
    InBackground,
    Merged,
    Offloaded,
    Overlapped,
    Rate,
    ReleasedMeanwhile,
    Relieved,
    Replicas,
    Resized,
    Scaled,
    Together,
    Workers,
    apply,
)
from slowpath.simulate.replay import simulate
from slowpath.simulate.workload import (
    Behaviour,
    Kind,
    Load,
    Pool,
    Station,
    Step,
    Where,
    Workload,
)

MS = 1_000_000
S = 1_000_000_000
SQL, HTTP, WORK = 17, 23, 1


def work(ms: float, site: int = 1) -> Step:
    return Step(Kind.LOOP, round(ms * MS), WORK, 1, site)


def blocked(ms: float, site: int = 2) -> Step:
    return Step(Kind.BLOCKED, round(ms * MS), HTTP, 2, site)


def wait(ms: float, site: int, activity: int = HTTP, resource: int = 0) -> Step:
    return Step(Kind.WAIT, round(ms * MS), activity, 0, site, resource)


TAKE, GIVE, ANSWER = Step(Kind.TAKE, ref=0), Step(Kind.GIVE, ref=0), Step(Kind.ANSWER)


def at(site: int) -> Where:
    return Where(frozenset(((site, -1, -1, -1),)))


def workload(*steps: Step, users: int = 1, pool: int = 1) -> Workload:
    load = Load(users=users, warmup_ns=S, window_ns=10 * S)
    pools = (Pool("pool", "connections", pool),)
    return Workload((Behaviour(tuple(steps), 0),), load, pools, cores=4)


def edited(edit: Edit, *steps: Step) -> list[tuple[str, float]]:
    """Return (kind, ms) of the steps after an edit."""
    [behaviour] = edit.apply(workload(*steps)).behaviours
    return [(Kind(step.kind).name, step.ns / MS) for step in behaviour.steps]


def test_overlapped_lets_others_run_meanwhile() -> None:
    before = workload(work(1), blocked(20), ANSWER, users=5)
    after = Overlapped(at(2), call_ns=MS).apply(before)
    assert simulate(before).rps == pytest.approx(1000 / 21, rel=0.02)
    assert simulate(after).rps == pytest.approx(5 * 1000 / 22, rel=0.1)


def test_overlapped_leaves_what_is_computed() -> None:
    assert edited(Overlapped(at(2)), work(1, site=2), blocked(20), work(1)) == [
        ("LOOP", 1.0),
        ("WAIT", 20.0),
        ("LOOP", 1.0),
    ]


def test_an_awaited_call_computes_instead_of_the_plain_one_not_beside_it() -> None:
    calling, other = (Step(Kind.LOOP, 2 * MS, ACTIVITIES[name]) for name in ("loop", "validate"))
    edit = Overlapped(at(2), call_ns=5 * MS)
    assert edited(edit, other, calling, blocked(20), other) == [
        ("LOOP", 2.0),
        ("LOOP", 2.0),
        ("LOOP", 3.0),
        ("WAIT", 20.0),
        ("LOOP", 2.0),
    ]
    # A client in plain Python computes as much itself.
    assert edited(edit, calling, calling, blocked(20), calling)[2] == ("WAIT", 20.0)


def test_offloaded_work_takes_a_thread() -> None:
    edit = Offloaded(at(3), "hashers", size=2, handover_ns=MS)
    assert edited(edit, work(1), work(40, site=3), work(1)) == [
        ("LOOP", 1.0),
        ("LOOP", 1.0),
        ("TAKE", 0.0),
        ("FREE", 40.0),
        ("GIVE", 0.0),
        ("LOOP", 1.0),
    ]
    assert [(p.name, p.size) for p in edit.apply(workload(work(1))).pools][1:] == [("hashers", 2)]


def test_work_in_one_thread_frees_the_loop_but_not_the_worker() -> None:
    hashing = Behaviour((work(40, site=3), ANSWER), 0)
    health = Behaviour((work(1), ANSWER), 1)
    before = replace(workload(users=6), behaviours=(hashing, health))
    after = Offloaded(at(3), "hashers", size=1).apply(before)
    slow, quick = simulate(before), simulate(after)

    def of_health(outcome: object) -> float:
        return float(max(outcome.latency_ms[outcome.endpoint == 1]))  # type: ignore[attr-defined]

    assert of_health(quick) < of_health(slow) / 4
    assert quick.percentile(95) >= 40


def test_scaled_to_nothing_leaves_it_out() -> None:
    assert edited(Scaled(at(2), 0.0), work(1), wait(20, 2), work(1)) == [
        ("LOOP", 1.0),
        ("LOOP", 1.0),
    ]


def test_scaled_is_bounded() -> None:
    edit = Scaled(at(2), 1.0, at_most_ns=2 * MS)
    assert edited(edit, wait(20, 2), wait(1, 2), wait(9, 3)) == [
        ("WAIT", 2.0),
        ("WAIT", 1.0),
        ("WAIT", 9.0),
    ]


def test_what_is_meant_amid_other_work_is_meant_in_its_slices_only() -> None:
    edit = Scaled(at(1), 0.5, amid=at(2))
    steps = (work(4), wait(1, 9), work(4), TAKE, work(6, 2), work(2), wait(1, 9), work(4))
    assert [ms for name, ms in edited(edit, *steps) if name == "LOOP"] == [4, 2, 6, 1, 4]


def test_of_ten_calls_nine_are_answered_from_memory() -> None:
    calls = tuple(Behaviour((work(1), wait(20, 2), ANSWER), 0) for _ in range(10))
    after = Cached(at(2), 0.9).apply(replace(workload(), behaviours=calls))
    assert sum(step.kind == Kind.WAIT for b in after.behaviours for step in b.steps) == 1


def test_merged_statements_keep_one_and_pay_for_rows() -> None:
    steps = [work(1)]
    for _ in range(20):
        steps += [wait(2, 2, SQL), work(0.5)]
    edit = Merged(at(2), frozenset((SQL,)), row_ns=0.1 * MS, row_cpu_ns=0.05 * MS)
    result = edited(edit, *steps)
    waits = [ms for kind, ms in result if kind == "WAIT"]
    assert waits == [pytest.approx(2 + 19 * 0.1)]
    # The statement's own work, a little for each row, and what comes after the last.
    assert sum(ms for kind, ms in result if kind == "LOOP") == pytest.approx(
        1 + 0.5 + 19 * 0.05 + 0.5
    )


def test_a_single_statement_stays() -> None:
    assert edited(Merged(at(2), frozenset((SQL,))), work(1), wait(2, 2, SQL)) == [
        ("LOOP", 1.0),
        ("WAIT", 2.0),
    ]


def test_together_takes_as_long_as_the_slowest() -> None:
    before = workload(work(1), wait(30, 2), work(1), wait(80, 3), wait(50, 4), work(1), ANSWER)
    after = Together((at(2), at(3), at(4))).apply(before)
    assert simulate(before).p50_ms == pytest.approx(163, abs=1)
    assert simulate(after).p50_ms == pytest.approx(83, abs=3)


def test_what_shares_a_connection_does_not_run_together() -> None:
    steps = (wait(30, 2), TAKE, wait(80, 3, SQL), GIVE)
    assert len(edited(Together((at(2), at(3))), *steps)) == len(steps)


def test_background_work_is_done_after_the_answer() -> None:
    edit = InBackground(at(2))
    assert edited(edit, work(1), wait(20, 2), work(1), ANSWER) == [
        ("LOOP", 1.0),
        ("LOOP", 1.0),
        ("ANSWER", 0.0),
        ("YIELD", 0.0),
        ("WAIT", 20.0),
    ]


def test_a_batch_shares_its_price() -> None:
    alone = workload(work(20, site=3), ANSWER, users=8)
    batched = Batched(at(3), "model", 8, 5 * MS, each_share=0.0).apply(alone)
    assert simulate(batched).rps > 4 * simulate(alone).rps


RELEASED = {"pools": frozenset(("connections",)), "needs": frozenset((SQL,))}
ROLLBACK = 9


def test_a_connection_is_given_back_before_the_wait() -> None:
    edit = ReleasedMeanwhile(at(2), **RELEASED, closing=frozenset((ROLLBACK,)))
    steps = (TAKE, wait(5, 1, SQL), wait(80, 2), wait(1, 1, SQL, ROLLBACK), GIVE, ANSWER)
    assert edited(edit, *steps) == [
        ("TAKE", 0.0),
        ("WAIT", 5.0),
        ("WAIT", 1.0),
        ("GIVE", 0.0),
        ("WAIT", 80.0),
        ("ANSWER", 0.0),
    ]


def test_a_connection_is_taken_again_where_statements_follow() -> None:
    steps = (TAKE, wait(5, 1, SQL), wait(80, 2), wait(5, 1, SQL), GIVE, ANSWER)
    kinds = [kind for kind, _ in edited(ReleasedMeanwhile(at(2), **RELEASED), *steps)]
    assert kinds == ["TAKE", "WAIT", "GIVE", "WAIT", "TAKE", "WAIT", "GIVE", "ANSWER"]


def test_a_larger_pool_serves_more_until_the_database_is_full() -> None:
    steps = (TAKE, Step(Kind.WAIT, 10 * MS, SQL, 0, 1, 0, 0), GIVE, ANSWER)
    before = replace(workload(*steps, users=20), stations=(Station("database", 4.0),))
    rates = [simulate(Resized("pool", size).apply(before)).rps for size in (1, 2, 4, 16)]
    assert rates == [pytest.approx(100 * n, rel=0.03) for n in (1, 2, 4, 4)]


def test_workers_serve_as_many_times_more_while_there_are_cores() -> None:
    before = workload(work(10), ANSWER, users=40)
    rates = [simulate(Workers(count).apply(before)).rps for count in (1, 3, 8)]
    assert rates[0] == pytest.approx(100, rel=0.03)
    assert rates[1] == pytest.approx(300, rel=0.1)
    assert rates[2] == pytest.approx(400, rel=0.05)  # four cores


def test_replicas_share_what_is_shared() -> None:
    before = replace(workload(work(1)), stations=(Station("database", 8.0), Station("free")))
    after = apply(before, (Rate(1000.0), Replicas(4)))
    assert after.load.rate == 250.0
    assert [station.capacity for station in after.stations] == [2.0, 0.0]


def test_edits_compose() -> None:
    before = workload(work(1), blocked(20), wait(30, 3), ANSWER)
    after = apply(before, (Scaled(at(3), 0.5), Overlapped(at(2))))
    assert [step.ns // MS for step in after.behaviours[0].steps] == [1, 20, 15, 0]


def test_edits_reach_what_runs_beside() -> None:
    inner = (wait(30, 3),)
    before = workload(Step(Kind.FORK, inner=inner), work(1), Step(Kind.JOIN, ref=0), ANSWER)
    after = Scaled(at(3), 0.1).apply(before)
    assert after.behaviours[0].steps[0].inner[0].ns == 3 * MS


def test_a_collection_goes_with_the_work_that_it_interrupts() -> None:
    collected = Step(Kind.LOOP, 10 * MS, ACTIVITIES["gc"], 1, 7)
    steps = (work(5), collected, work(20, site=3), collected, work(5))
    left = edited(Scaled(at(3), 0.1), *steps)
    assert [ms for _, ms in (left[0], left[2], left[4])] == [5, 2, 5]
    # Of all that makes garbage, 12 ms of 30 are left, and most of it is made before.
    assert left[1][1] + left[3][1] == pytest.approx(20 * 12 / 30, abs=0.01)
    assert left[1][1] == pytest.approx(10 * left[3][1], rel=0.01)
    merged = edited(Merged(at(3), frozenset((SQL,))), collected, *(wait(3, 3, SQL), work(5)) * 4)
    assert merged == [("LOOP", 5.0), ("WAIT", 3.0), ("LOOP", 5.0), ("LOOP", 5.0)]  # half is left


def test_turns_of_the_loop_go_with_the_wait_that_is_left_out() -> None:
    steps = (work(1), wait(20, 2), Step(Kind.YIELD), wait(5, 3), Step(Kind.YIELD))
    left = [("LOOP", 1.0), ("WAIT", 5.0), ("YIELD", 0.0)]
    assert edited(Scaled(at(2), 0.0), *steps) == left
    assert edited(Cached(at(2), 1.0), *steps) == left


def test_a_cached_call_takes_its_connection_and_what_is_computed_around_it_along() -> None:
    http, connect = ACTIVITIES["http"], ACTIVITIES["connect"]
    call = Step(Kind.LOOP, 10 * MS, http, 1, 2, 5)
    handshake = Step(Kind.WAIT, 3 * MS, connect, 0, 2)
    other = Step(Kind.LOOP, 10 * MS, http, 1, 2, 6)
    edit = Cached(
        Where(frozenset(((2, http, -1, 5),))),
        hits=1.0,
        around=0.2,
        along=Where(frozenset(((2, connect, -1, -1),))),
    )
    steps = (work(5), call, handshake, call, work(5), other, handshake, other)
    assert edited(edit, *steps) == [
        ("LOOP", 3.0),
        ("LOOP", 3.0),
        ("LOOP", 10.0),
        ("WAIT", 3.0),
        ("LOOP", 10.0),
    ]


def test_a_relieved_wait_keeps_what_it_takes_alone() -> None:
    edit = Relieved(at(2), {0: 2 * MS}, share=0.5)
    assert edited(edit, wait(10, 2), wait(1, 2), wait(10, 3)) == [
        ("WAIT", 6.0),
        ("WAIT", 1.0),
        ("WAIT", 10.0),
    ]


def test_a_join_leaves_none_of_the_statements_that_it_brings_along() -> None:
    parent = Step(Kind.WAIT, 3 * MS, SQL, 0, 1)
    each = (wait(2, 2, SQL), work(0.5))
    edit = Merged(at(2), frozenset((SQL,)), row_ns=0.1 * MS, row_cpu_ns=0.01 * MS, into_parent=True)
    result = edited(edit, work(1), parent, work(1), *(each * 10), work(1))
    assert [ms for kind, ms in result if kind == "WAIT"] == [pytest.approx(3 + 10 * 0.1)]
    # Ten rows, and the parent's work; what comes after the last statement may be its own.
    assert sum(ms for kind, ms in result if kind == "LOOP") == pytest.approx(1 + 1 + 0.1 + 0.5 + 1)
