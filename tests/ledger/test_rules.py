"""Each rule of the book-keeping on a small recording made by hand, with exact values."""

from __future__ import annotations

import pytest

from slowpath.ledger import Ledger, build
from slowpath.recording import Process, Recording
from tests.ledger.builder import MS, Builder, blamed, told


@pytest.fixture
def made() -> Builder:
    return Builder()


def line_of(made: Builder, number: int) -> int:
    """Return the site at a line of the app."""
    return made.site("app.py", number, f"f{number}")


def ledger_of(made: Builder) -> Ledger:
    return build(made.recording())


# Work


def test_work_goes_to_the_innermost_span_that_is_open(made: Builder) -> None:
    request = made.request(0, 1, handler=line_of(made, 1))
    made.slice(request, 0, 1)
    made.span(request, "handler", 0, 0.9, line_of(made, 1))
    made.span(request, "serialize", 0.2, 0.6, line_of(made, 2), sync=True)
    made.span(request, "gc", 0.3, 0.4, line_of(made, 3), sync=True)
    assert told(ledger_of(made), request) == [
        (0.2, "handler", "CPU", 1),
        (0.1, "serialize", "CPU", 2),
        (0.1, "gc", "CPU", 3),
        (0.2, "serialize", "CPU", 2),
        (0.3, "handler", "CPU", 1),
        (0.1, "loop", "CPU", 1),
    ]


def test_held_resources_and_pauses_claim_no_work(made: Builder) -> None:
    request = made.request(0, 1, handler=line_of(made, 1))
    made.slice(request, 0, 1)
    for kind in ("checkout", "transaction", "lock", "await", "receive", "sleep", "thread"):
        made.span(request, kind, 0, 1, line_of(made, 9))
    assert told(ledger_of(made), request) == [(1.0, "loop", "CPU", 1)]


def test_sync_io_in_a_slice_blocked_the_loop(made: Builder) -> None:
    request = made.request(0, 30, handler=line_of(made, 1))
    made.slice(request, 0, 30, most=int(9.5 * MS), least=int(9.5 * MS))
    made.span(request, "http", 5, 25, line_of(made, 2), "GET h/x", sync=True)
    assert told(ledger_of(made), request) == [
        (5.0, "loop", "CPU", 1),
        (20.0, "http", "BLOCKED", 2),
        (5.0, "loop", "CPU", 1),
    ]


@pytest.mark.parametrize(
    ("most", "least", "mode"),
    [(2.0, 1.8, "CPU"), (0.2, 0.0, "BLOCKED"), (-1, -1, "CPU"), (2.0, 0.0, "CPU")],
    ids=["computed", "hardly computed", "not measured", "anything between"],
)
def test_cpu_bounds_tell_computing_from_blocking(
    made: Builder, most: float, least: float, mode: str
) -> None:
    request = made.request(0, 2, handler=line_of(made, 1))
    bounds = {"most": round(most * MS), "least": round(least * MS)} if most >= 0 else {}
    made.slice(request, 0, 2, **bounds)
    assert told(ledger_of(made), request) == [(2.0, "loop", mode, 1)]


def test_samples_split_a_stall_by_line_and_mode(made: Builder) -> None:
    request = made.request(0, 25, handler=line_of(made, 1))
    made.slice(request, 0, 25, most=0, least=0)
    # Computes until 10, is blocked until 15, then another thread has the GIL until 20.
    for at, line, cpu, process in ((5, 2, 5, 5), (10, 2, 10, 10), (15, 3, 10, 10), (20, 4, 10, 15)):
        made.sample(request, 0, at, line_of(made, line), cpu=cpu, process_cpu=process)
    assert told(ledger_of(made), request) == [
        (10.0, "loop", "CPU", 2),
        (5.0, "loop", "BLOCKED", 3),
        (10.0, "loop", "GIL", 4),
    ]


def test_a_sample_refines_only_the_span_that_it_was_taken_in(made: Builder) -> None:
    request = made.request(0, 20, handler=line_of(made, 1))
    made.slice(request, 0, 20, most=20 * MS, least=20 * MS)
    made.span(request, "serialize", 8, 20, line_of(made, 2), sync=True)
    made.sample(request, 0, 5, line_of(made, 3), cpu=5, process_cpu=5)
    made.sample(request, 0, 12, 0, cpu=12, process_cpu=12)
    assert told(ledger_of(made), request) == [
        (8.0, "loop", "CPU", 3),
        (12.0, "serialize", "CPU", 2),
    ]


def test_a_line_without_a_site_of_its_own_stands_where_its_surroundings_do(made: Builder) -> None:
    request = made.request(0, 10, handler=line_of(made, 1))
    made.slice(request, 0, 1)
    made.span(request, "dependency", 0, 10, line_of(made, 2))
    made.span(request, "sql", 0.5, 9, 0, "SELECT")
    made.slice(request, 9, 10)
    assert {site for _, _, _, site in told(ledger_of(made), request)} == {2}


# Waits


def test_a_gap_is_what_its_span_says(made: Builder) -> None:
    request = made.request(0, 10, handler=line_of(made, 1))
    made.slice(request, 0, 1)
    made.span(request, "transaction", 0.1, 9.9, line_of(made, 3), "pool")
    made.span(request, "sql", 0.5, 9, line_of(made, 2), "SELECT ?")
    made.slice(request, 9, 10)
    assert told(ledger_of(made), request) == [
        (0.5, "loop", "CPU", 1),
        (0.5, "sql", "CPU", 2),
        (8.0, "sql", "WAIT", 2),
        (1.0, "loop", "CPU", 1),
    ]


def test_what_was_asked_for_explains_a_gap_before_a_wait_told_by_its_place(made: Builder) -> None:
    request = made.request(0, 10, handler=line_of(made, 1))
    made.slice(request, 0, 1)
    made.span(request, "http", 0.5, 9, line_of(made, 2), "GET h/x")
    made.span(request, "await", 1, 9, line_of(made, 3), "Future")
    made.slice(request, 9, 10)
    assert (8.0, "http", "WAIT", 2) in told(ledger_of(made), request)


def test_a_commit_within_a_transaction_is_its_own(made: Builder) -> None:
    request = made.request(0, 10, handler=line_of(made, 1))
    made.slice(request, 0, 1)
    made.span(request, "transaction", 0.5, 9, line_of(made, 2), "pool")
    made.slice(request, 9, 10)
    assert (8.0, "transaction", "WAIT", 2) in told(ledger_of(made), request)


def test_a_long_gap_that_nothing_explains_stays_in_the_open(made: Builder) -> None:
    request = made.request(0, 10, handler=line_of(made, 1), route="/x")
    made.slice(request, 0, 1)
    made.span(request, "handler", 0, 10, line_of(made, 1))
    made.slice(request, 9, 10)
    ledger = ledger_of(made)
    assert told(ledger, request) == [
        (1.0, "handler", "CPU", 1),
        (8.0, "unattributed", "WAIT", 1),
        (1.0, "handler", "CPU", 1),
    ]
    assert ledger.explained(0) == pytest.approx(0.2)
    assert ledger.segments(0) == {"unattributed": 8.0, "loop": 2.0}


def test_a_short_gap_that_nothing_explains_is_an_await(made: Builder) -> None:
    request = made.request(0, 3, handler=line_of(made, 1))
    made.slice(request, 0, 1)
    made.slice(request, 1.5, 3)
    assert told(ledger_of(made), request)[1] == (0.5, "await", "WAIT", 1)


def test_a_request_without_any_slice_is_unattributed(made: Builder) -> None:
    request = made.request(0, 5, handler=line_of(made, 1))
    assert told(ledger_of(made), request) == [(5.0, "unattributed", "WAIT", 1)]


def test_spans_that_stick_out_are_cut_at_the_request(made: Builder) -> None:
    request = made.request(2, 8, handler=line_of(made, 1))
    made.slice(request, 2, 3)
    made.span(request, "sql", 0, 20, line_of(made, 2), "SELECT")
    made.slice(request, 7, 9)
    assert told(ledger_of(made), request) == [
        (1.0, "sql", "CPU", 2),
        (4.0, "sql", "WAIT", 2),
        (1.0, "sql", "CPU", 2),
    ]


# The critical path


def test_of_children_in_parallel_the_one_that_finished_last_is_charged(made: Builder) -> None:
    request = made.request(0, 12, handler=line_of(made, 1))
    made.slice(request, 0, 1)
    for number, end in ((10, 6), (20, 9)):
        child = made.task(request, 0.5, site=line_of(made, number))
        made.slice(child, 1 + number / 100, 2 + number / 100)
        made.span(child, "http", 1.5, end, line_of(made, number + 1), "GET h/x")
        made.slice(child, end, end + 1)
    made.slice(request, 10, 12)
    ledger = ledger_of(made)
    assert told(ledger, request) == [
        (1.0, "loop", "CPU", 1),
        (0.1, "loop_wait", "WAIT", 20),
        (0.1, "loop", "CPU", 10),  # the other child's turn
        (0.3, "loop", "CPU", 20),
        (0.7, "http", "CPU", 21),
        (6.8, "http", "WAIT", 21),
        (1.0, "loop", "CPU", 20),
        (2.0, "loop", "CPU", 1),
    ]
    beside = ledger.overlapped
    ms = {10: 0.0, 11: 0.0, 20: 0.0}
    for row in beside:
        ms[ledger.recording.sites[row["site"]].line] += float(row["end"] - row["start"]) / MS
    # The first child all its life; the second only while its parent had not suspended yet.
    assert ms == pytest.approx({10: 1.9, 11: 4.5, 20: 0.6})


def test_a_child_that_nobody_waits_for_is_overlapped(made: Builder) -> None:
    request = made.request(0, 10, handler=line_of(made, 1))
    made.slice(request, 0, 1)
    child = made.task(request, 0.5, site=line_of(made, 5))
    made.slice(child, 1, 4)
    made.span(request, "sql", 0.5, 9, line_of(made, 2), "SELECT")
    made.slice(request, 9, 10)
    ledger = ledger_of(made)
    assert (8.0, "sql", "WAIT", 2) in told(ledger, request)
    assert ledger.overlapped["site"].tolist() == [line_of(made, 5)] * 2


def test_a_forgotten_child_does_not_explain_an_unknown_wait(made: Builder) -> None:
    request = made.request(0, 20, handler=line_of(made, 1))
    made.slice(request, 0, 1)
    child = made.task(request, 0.5, site=line_of(made, 5))
    made.slice(child, 1, 4)
    made.span(request, "await", 1, 19, line_of(made, 2), "Future")
    made.slice(request, 19, 20)
    assert (18.0, "await", "WAIT", 2) in told(ledger_of(made), request)


def test_a_middleware_listens_to_a_child_that_is_still_at_work(made: Builder) -> None:
    request = made.request(0, 10, handler=line_of(made, 1))
    made.slice(request, 0, 1)
    child = made.task(request, 0.5)
    made.slice(child, 1, 2)
    made.span(child, "sql", 1.5, 6, line_of(made, 2), "SELECT")
    made.slice(child, 6, 7)  # sends the response's start
    made.span(request, "await", 1, 7, line_of(made, 9), "receive")
    made.slice(request, 7, 8)
    made.slice(child, 8, 9)
    made.slice(request, 9, 10)
    assert told(ledger_of(made), request)[1:3] == [(0.5, "sql", "CPU", 2), (4.0, "sql", "WAIT", 2)]


def test_who_listens_for_a_disconnection_follows_the_stream_that_ends_it(made: Builder) -> None:
    request = made.request(0, 10, handler=line_of(made, 1), streamed=True, first_byte=2)
    made.slice(request, 0, 1)
    stream = made.task(request, 0.5, site=line_of(made, 2))
    made.slice(stream, 1, 3)
    made.span(stream, "sql", 2.5, 7, line_of(made, 3), "FETCH")
    made.slice(stream, 7, 8)
    made.span(request, "receive", 0.5, 8, line_of(made, 1))
    made.slice(request, 8, 10)
    activities = [(ms, activity) for ms, activity, _, _ in told(ledger_of(made), request)]
    assert activities == [
        (1.0, "loop"),
        (1.5 - 0.5, "loop"),  # parted at the first byte
        (0.5, "loop"),
        (0.5, "sql"),
        (4.0, "sql"),
        (1.0, "loop"),
        (2.0, "loop"),
    ]


def test_a_job_in_a_thread_is_charged_with_its_own_deeds(made: Builder) -> None:
    request = made.request(0, 12, handler=line_of(made, 1))
    made.slice(request, 0, 1)
    job = made.job(request, 0.5, 3, 9, site=line_of(made, 5), cpu=6)
    made.span(job, "sql", 4, 8, line_of(made, 6), "SELECT", sync=True)
    made.slice(request, 10, 12)
    assert told(ledger_of(made), request) == [
        (1.0, "loop", "CPU", 1),
        (2.0, "thread_wait", "WAIT", 1),
        (1.0, "thread", "THREAD_CPU", 5),
        (4.0, "sql", "THREAD_BLOCKED", 6),
        (1.0, "thread", "THREAD_CPU", 5),
        (1.0, "loop_wait", "WAIT", 1),  # the job had run
        (2.0, "loop", "CPU", 1),
    ]


def test_after_its_job_a_request_waits_for_whoever_holds_the_loop(made: Builder) -> None:
    hog = made.request(0, 40, handler=line_of(made, 10))
    made.slice(hog, 0, 2)
    made.slice(hog, 14, 40)
    victim = made.request(2, 45, handler=line_of(made, 1))
    made.slice(victim, 2, 3)
    made.job(victim, 2.5, 3, 9, site=line_of(made, 5), cpu=6)
    made.slice(victim, 41, 45)
    found = blamed(ledger_of(made), victim)
    assert found["loop_wait", "loop", 10] == 27.0  # and the short pause after it
    assert found["loop_wait", "loop_wait", 1] == 5.0  # nobody is seen to have held it then


def test_of_jobs_in_parallel_the_one_that_ended_last_is_charged(made: Builder) -> None:
    request = made.request(0, 12, handler=line_of(made, 1))
    made.slice(request, 0, 1)
    made.job(request, 0.5, 1, 10, site=line_of(made, 5), thread=100, cpu=9)
    made.job(request, 0.6, 1, 6, site=line_of(made, 6), thread=101, cpu=5)
    made.slice(request, 10, 12)
    ledger = ledger_of(made)
    assert told(ledger, request)[1] == (9.0, "thread", "THREAD_CPU", 5)
    assert ledger.overlapped["site"].tolist() == [line_of(made, 6)]


# Waiting for the loop


def busy_loop(made: Builder) -> tuple[int, int]:
    """One request whose answer came at 4, while another computes from 3 to 9."""
    for at in range(100, 1000, 100):  # on an idle loop, the query takes 3 ms
        other = made.request(at, at + 5, handler=line_of(made, 1), route="/warm")
        made.slice(other, at, at + 1)
        made.span(other, "sql", at + 0.5, at + 4, line_of(made, 2), "SELECT")
        made.slice(other, at + 4, at + 5)
    victim = made.request(0, 11, handler=line_of(made, 1))
    made.slice(victim, 0, 1)
    made.span(victim, "sql", 0.5, 9, line_of(made, 2), "SELECT")
    made.slice(victim, 9, 11)
    culprit = made.request(3, 9, handler=line_of(made, 7))
    made.slice(culprit, 3, 9)
    return victim, culprit


def test_the_busy_tail_of_a_wait_is_charged_to_who_held_the_loop(made: Builder) -> None:
    victim, culprit = busy_loop(made)
    ledger = ledger_of(made)
    assert told(ledger, victim) == [
        (0.5, "loop", "CPU", 1),
        (0.5, "sql", "CPU", 2),
        (3.0, "sql", "WAIT", 2),
        (5.0, "loop_wait", "WAIT", 2),
        (2.0, "loop", "CPU", 1),
    ]
    assert blamed(ledger, victim)["loop_wait", "loop", 7] == 5.0
    [row] = ledger.root[ledger.root["activity"] == 2]
    assert ledger.requests[row["culprit_request"]].line == culprit


def test_a_wait_is_not_cut_below_what_it_takes_on_an_idle_loop(made: Builder) -> None:
    victim, _ = busy_loop(made)
    culprit = made.request(0.9, 3, handler=line_of(made, 8))
    made.slice(culprit, 1, 3)  # the loop is busy all the time that the query runs
    assert (3.0, "sql", "WAIT", 2) in told(ledger_of(made), victim)


def test_a_task_waits_for_the_loop_before_its_first_slice(made: Builder) -> None:
    victim = made.request(1, 8, handler=line_of(made, 1))
    made.slice(victim, 6, 8)
    culprit = made.request(0, 6, handler=line_of(made, 7))
    made.slice(culprit, 0, 6)
    ledger = ledger_of(made)
    assert told(ledger, victim)[0] == (5.0, "loop_wait", "WAIT", 1)
    assert blamed(ledger, victim)["loop_wait", "loop", 7] == 5.0


def test_a_background_task_is_blamed_without_a_request(made: Builder) -> None:
    victim = made.request(1, 8, handler=line_of(made, 1))
    made.slice(victim, 6, 8)
    background = made.task(0, 0, site=line_of(made, 9))
    made.slice(background, 0, 6)
    ledger = ledger_of(made)
    [row] = ledger.root[ledger.root["activity"] == 2]
    assert (row["culprit_request"], row["culprit_site"]) == (-1, line_of(made, 9))


def test_the_loops_of_two_workers_do_not_wait_for_each_other(made: Builder) -> None:
    victim = made.request(1, 8, handler=line_of(made, 1))
    made.slice(victim, 6, 8)
    other = made.request(0, 6, handler=line_of(made, 7), process=1)
    made.slice(other, 0, 6)
    assert blamed(ledger_of(made), victim) == {
        ("loop_wait", "loop_wait", 1): 5.0,
        ("loop", "loop", 1): 2.0,
    }


def test_time_in_the_socket_is_told_apart_from_the_wall_time(made: Builder) -> None:
    victim = made.request(6, 8, handler=line_of(made, 1), sent=2)
    made.slice(victim, 6, 8)
    culprit = made.request(0, 6, handler=line_of(made, 7), sent=-1)
    made.slice(culprit, 0, 6)
    ledger = ledger_of(made)
    [row] = ledger.accept_wait
    assert ledger.requests[row["request"]].line == victim
    assert (row["end"] - row["start"], row["culprit_site"]) == (4 * MS, line_of(made, 7))
    assert sum(ms for ms, *_ in told(ledger, victim)) == 2.0


# Waiting for what others hold


def waits_for_pool(made: Builder, start: float, got: float, end: float) -> int:
    """A request that waits for a connection and then leaves at once."""
    request = made.request(start, end, handler=line_of(made, 1))
    made.slice(request, start, start + 1)
    made.span(request, "pool_wait", start + 1, got, line_of(made, 2), "pool", a=1, b=2)
    made.slice(request, got, end)
    return request


def holds_connection(
    made: Builder, start: float, end: float, kind: str, number: int, a: int = 1
) -> int:
    """A request that holds a connection in [start, end) while it awaits something else."""
    request = made.request(start - 0.5, end + 0.5, handler=line_of(made, number))
    made.slice(request, start - 0.5, start + 0.1)
    made.span(request, "checkout", start, end, line_of(made, number), "pool", a=a, b=2)
    made.span(request, kind, start + 0.1, end, line_of(made, number + 1), "work")
    made.slice(request, end, end + 0.5)
    return request


def test_waiting_for_a_pool_is_charged_to_what_the_holder_does(made: Builder) -> None:
    holds_connection(made, 5, 25, "http", 10)
    victim = waits_for_pool(made, 9, 25.5, 27)
    ledger = ledger_of(made)
    assert blamed(ledger, victim) == {
        ("loop", "loop", 1): 2.5,
        ("pool_wait", "http", 11): 15.0,
        ("loop_wait", "loop", 10): 0.5,
    }


def test_holders_share_a_wait_to_the_nanosecond(made: Builder) -> None:
    for i, number in enumerate((10, 20, 30)):
        holds_connection(made, 5 + i * 0.01, 40, "http", number, a=i + 2)
    victim = waits_for_pool(made, 9, 20, 21)
    ledger = ledger_of(made)
    shares = {key[2]: ms for key, ms in blamed(ledger, victim).items() if key[0] == "pool_wait"}
    assert shares == {11: 3.333333, 21: 3.333334, 31: 3.333333}


def test_a_holder_that_waits_for_the_loop_passes_the_blame_on(made: Builder) -> None:
    for at in range(100, 1000, 100):
        holds_connection(made, at, at + 2, "sql", 10, a=5)
    holds_connection(made, 5, 20, "sql", 10)
    hog = made.request(6, 20, handler=line_of(made, 7))
    made.slice(hog, 6, 20)
    victim = waits_for_pool(made, 4.4, 20.5, 22)
    ledger = ledger_of(made)
    found = blamed(ledger, victim)
    # The query had its answer at 7, after 1.9 ms, as it has on an idle loop.
    assert found["pool_wait", "sql", 11] == 1.6
    assert found["pool_wait", "loop", 7] == 13.0


def test_a_holder_that_waits_for_a_lock_passes_the_blame_on(made: Builder) -> None:
    owner = made.request(0, 41, handler=line_of(made, 30))
    made.slice(owner, 0, 1)
    made.span(owner, "lock", 0.5, 40, line_of(made, 31), "lock", a=9, b=1)
    made.span(owner, "http", 0.6, 40, line_of(made, 32), "GET h/x")
    made.slice(owner, 40, 41)
    holder = made.request(2, 45, handler=line_of(made, 10))
    made.slice(holder, 2, 3)
    made.span(holder, "checkout", 2.5, 44, line_of(made, 11), "pool", a=1, b=1)
    made.span(holder, "lock_wait", 2.6, 42, line_of(made, 12), "lock", a=9, b=1)
    made.slice(holder, 42, 45)
    victim = waits_for_pool(made, 5, 30, 31)
    assert blamed(ledger_of(made), victim)["pool_wait", "http", 32] == 24.0


def test_requests_that_wait_for_each_other_are_charged_themselves(made: Builder) -> None:
    lines = []
    for number, mine, other in ((10, 1, 2), (20, 2, 1)):
        request = made.request(0, 50, handler=line_of(made, number))
        made.slice(request, number / 10, number / 10 + 1)
        made.span(request, "lock", 2, 49, line_of(made, number + 1), "lock", a=mine, b=1)
        made.span(request, "lock_wait", 3, 48, line_of(made, number + 2), "lock", a=other, b=1)
        made.slice(request, 48 + number / 100, 48.05 + number / 100)
        lines.append(request)
    ledger = ledger_of(made)
    # A waits for B, who waits for A: the cascade ends where it would go round.
    found = blamed(ledger, lines[0])
    assert found["lock_wait", "lock_wait", 12] == pytest.approx(46, abs=1.2)


def test_a_second_connection_taken_while_one_is_held_blames_itself(made: Builder) -> None:
    request = made.request(0, 30, handler=line_of(made, 1))
    made.slice(request, 0, 1)
    made.span(request, "checkout", 0.5, 29, line_of(made, 2), "pool", a=1, b=1)
    made.span(request, "pool_wait", 0.8, 25, line_of(made, 3), "pool", a=2, b=1)
    made.slice(request, 25, 30)
    assert blamed(ledger_of(made), request)["pool_wait", "pool_wait", 3] == 24.2


def test_a_connection_that_outlives_its_holder_is_charged_to_its_checkout(made: Builder) -> None:
    leaker = made.request(0, 2, handler=line_of(made, 10))
    made.slice(leaker, 0, 2)
    made.span(leaker, "checkout", 1, 100, line_of(made, 11), "pool", a=1, b=1)
    victim = waits_for_pool(made, 5, 30, 31)
    assert blamed(ledger_of(made), victim)["pool_wait", "checkout", 11] == 24.0


def test_a_pool_that_nobody_is_seen_to_hold_leaves_the_wait_where_it_is(made: Builder) -> None:
    victim = waits_for_pool(made, 5, 30, 31)
    assert blamed(ledger_of(made), victim)["pool_wait", "pool_wait", 2] == 24.0


def test_waiting_for_a_thread_is_charged_to_the_jobs_that_ran(made: Builder) -> None:
    hog = made.request(0, 30, handler=line_of(made, 10))
    made.slice(hog, 0, 1)
    made.job(hog, 0.5, 1, 29, site=line_of(made, 11), cpu=28, places=1)
    made.slice(hog, 29.5, 30)
    victim = made.request(4, 40, handler=line_of(made, 1))
    made.slice(victim, 4, 5)
    made.job(victim, 4.5, 29, 35, site=line_of(made, 2), cpu=6, places=1)
    made.slice(victim, 35.5, 40)
    assert blamed(ledger_of(made), victim)["thread_wait", "thread", 11] == 24.0


def test_waiting_for_an_http_connection_is_charged_to_calls_of_that_host(made: Builder) -> None:
    holder = made.request(0, 30, handler=line_of(made, 10))
    made.slice(holder, 0, 1)
    made.span(holder, "http", 0.5, 29, line_of(made, 11), "GET api.test/things/{id}")
    made.slice(holder, 29, 30)
    other = made.request(0, 30, handler=line_of(made, 20))
    made.slice(other, 1, 2)
    made.span(other, "http", 1.5, 28, line_of(made, 21), "GET other.test/x")
    made.slice(other, 28, 29)
    victim = made.request(4, 40, handler=line_of(made, 1))
    made.slice(victim, 4, 5)
    made.span(victim, "http", 4.5, 39, line_of(made, 2), "GET api.test/more")
    made.span(victim, "http_pool_wait", 4.6, 25, line_of(made, 2), "http://api.test", b=1)
    made.slice(victim, 25, 26)
    made.slice(victim, 39, 40)
    found = blamed(ledger_of(made), victim)
    assert found["http_pool_wait", "http", 11] == 20.0
    assert ("http_pool_wait", "http", 21) not in found


def test_a_thread_that_has_the_gil_is_blamed(made: Builder) -> None:
    asker = made.request(0, 60, handler=line_of(made, 10))
    made.slice(asker, 0, 1)
    made.job(asker, 0.5, 1, 50, site=line_of(made, 11), cpu=49)
    made.slice(asker, 50, 60)
    victim = made.request(10, 30, handler=line_of(made, 1))
    made.slice(victim, 10, 30, most=0, least=0)
    for at in (15, 20, 25):
        made.sample(victim, 10, at, line_of(made, 2), cpu=1, process_cpu=at)
    assert blamed(ledger_of(made), victim) == {("loop", "thread", 11): 20.0}


def test_a_wait_for_more_culprits_than_it_can_name_still_adds_up(made: Builder) -> None:
    victim = made.request(0, 500, handler=line_of(made, 1))
    made.slice(victim, 499, 500)
    for i in range(200):
        request = made.request(i * 2, i * 2 + 2, handler=line_of(made, 100 + i))
        made.slice(request, i * 2, i * 2 + 1.95)
    ledger = ledger_of(made)
    rows = ledger.root[ledger.root["request"] == 0]
    assert (rows["end"] - rows["start"]).sum() == 500 * MS
    assert 20 < len(rows) < 80


# What counts


def test_idling_after_a_streams_first_byte_is_no_latency(made: Builder) -> None:
    request = made.request(0, 1000, route="/feed", websocket=True, first_byte=2, status=101)
    made.slice(request, 0, 3)
    made.span(request, "receive", 3, 990, 0)
    made.slice(request, 990, 1000)
    ledger = ledger_of(made)
    assert sum(ms for ms, *_ in told(ledger, request)) == 1000
    assert ledger.segments(0) == {"loop": 13.0}
    assert ledger.slow_ns == 13 * MS
    assert ledger.blame(ledger.root["activity"] != 0).total_ns == 13 * MS


def test_only_requests_in_the_window_are_charged_but_all_are_blamed(made: Builder) -> None:
    warm = made.request(0, 6, handler=line_of(made, 7))
    made.slice(warm, 0, 6)
    victim = made.request(1, 8, handler=line_of(made, 1))
    made.slice(victim, 6, 8)
    made.run = {"window": {"start_ns": made.requests[1].start_ns}}
    ledger = ledger_of(made)
    assert [request.line for request in ledger.requests] == [victim]
    assert blamed(ledger, victim)["loop_wait", "loop", 7] == 5.0
    assert set(ledger.root["culprit_request"].tolist()) == {-1, 0}


def test_an_empty_recording_has_an_empty_ledger() -> None:
    ledger = build(Recording())
    assert (len(ledger.direct), len(ledger.root), ledger.endpoints) == (0, 0, [])


def test_a_call_that_suspends_to_wait_does_not_block(made: Builder) -> None:
    request = made.request(0, 12, handler=line_of(made, 1))
    made.slice(request, 0, 2, most=0, least=0)
    made.span(request, "sql", 0, 10, line_of(made, 2), "SELECT")
    made.slice(request, 10, 12, most=0, least=0)
    assert told(ledger_of(made), request) == [
        (2.0, "sql", "CPU", 2),
        (8.0, "sql", "WAIT", 2),
        (2.0, "loop", "BLOCKED", 1),
    ]


def test_letting_others_run_is_waiting_for_the_loop(made: Builder) -> None:
    request = made.request(0, 9, handler=line_of(made, 1))
    made.slice(request, 0, 1)
    made.span(request, "await", 1, 8, line_of(made, 2), "__sleep0")
    made.slice(request, 8, 9)
    other = made.request(1, 5, handler=line_of(made, 7))
    made.slice(other, 1, 5)
    ledger = ledger_of(made)
    assert told(ledger, request)[1] == (7.0, "loop_wait", "WAIT", 2)
    # The rest of the time no slice held the loop.
    assert blamed(ledger, request)["loop_wait", "loop", 7] == 4.0
    assert blamed(ledger, request)["loop_wait", "loop_wait", 2] == 3.0


def test_a_child_is_still_the_waker_when_the_loop_comes_late_to_its_parent(made: Builder) -> None:
    request = made.request(0, 40, handler=line_of(made, 1))
    made.slice(request, 0, 1)
    child = made.task(request, 0.5, site=line_of(made, 5))
    made.slice(child, 1, 2)
    made.span(request, "await", 1, 38, line_of(made, 2), "Event.wait")
    for start in (3, 13, 26):  # pauses in which the loop reads what came in
        other = made.request(start, start + 9, handler=line_of(made, 7))
        made.slice(other, start, start + 9)
    made.slice(request, 38, 40)
    assert told(ledger_of(made), request)[1:] == [
        (1.0, "loop", "CPU", 5),
        (36.0, "loop_wait", "WAIT", 2),
        (2.0, "loop", "CPU", 1),
    ]


def test_waiting_for_a_loop_that_works_for_the_same_request_is_work(made: Builder) -> None:
    request = made.request(0, 12, handler=line_of(made, 1))
    made.slice(request, 0, 1)
    made.span(request, "await", 1, 11, line_of(made, 2), "__sleep0")
    child = made.task(request, 0.5, site=line_of(made, 5))
    made.slice(child, 2, 10)
    other = made.request(1, 2, handler=line_of(made, 7))
    made.slice(other, 1, 2)
    made.slice(request, 11, 12)
    assert told(ledger_of(made), request) == [
        (1.0, "loop", "CPU", 1),
        (1.0, "loop_wait", "WAIT", 2),
        (8.0, "loop", "CPU", 5),
        (1.0, "loop_wait", "WAIT", 2),
        (1.0, "loop", "CPU", 1),
    ]


def connects(made: Builder, born: float) -> int:
    """A request connects from 1 to 9 ms; what a task born at `born` did then, ended at 8.9."""
    request = made.request(0, 10, handler=line_of(made, 1))
    made.slice(request, 0, 2)
    made.span(request, "connect", 1, 9, line_of(made, 2), "tcp h:80")
    child = made.task(request, born, site=line_of(made, 5))
    other = made.request(2, 5, handler=line_of(made, 7))
    made.slice(other, 2, 5)
    made.slice(child, 5, 6)
    made.slice(child, 8, 8.9)
    made.slice(request, 9, 10)
    return request


def test_a_calls_own_task_waits_for_the_loop_and_does_the_rest_in_its_name(made: Builder) -> None:
    request = connects(made, born=1.5)
    assert told(ledger_of(made), request) == [
        (1.0, "loop", "CPU", 1),
        (1.0, "connect", "CPU", 2),
        (3.0, "loop_wait", "WAIT", 2),
        (1.0, "connect", "CPU", 2),
        (2.0, "connect", "WAIT", 2),
        (0.9, "connect", "CPU", 2),
        (0.1, "loop_wait", "WAIT", 2),
        (1.0, "loop", "CPU", 1),
    ]


def test_a_task_that_was_there_before_a_call_is_not_the_calls(made: Builder) -> None:
    request = connects(made, born=0.5)
    assert told(ledger_of(made), request)[2] == (6.0, "connect", "WAIT", 2)


def hands_over(made: Builder, *others: tuple[float, float]) -> int:
    """A child waits from 1.2 to 8 ms, its sibling runs from 2 to 3, others in these times."""
    request = made.request(0, 9, handler=line_of(made, 1))
    made.slice(request, 0, 1)
    child = made.task(request, 0.5, site=line_of(made, 2))
    sibling = made.task(request, 0.5, site=line_of(made, 3))
    made.slice(child, 1, 1.2)
    made.slice(sibling, 2, 3)
    for start, end in others:
        other = made.request(start, end, handler=line_of(made, 7))
        made.slice(other, start, end)
    made.span(child, "await", 1.2, 8, line_of(made, 2), "Queue.get")
    made.slice(child, 8, 8.5)
    made.slice(request, 8.5, 9)
    made.slice(sibling, 12, 13)
    return request


def test_a_task_that_another_of_its_request_let_go_on_waited_for_the_loop(made: Builder) -> None:
    # Pauses in which the loop reads what came in hide that it was busy all the time.
    request = hands_over(made, (3.5, 4.5), (5, 6.3), (6.8, 7.5))
    assert told(ledger_of(made), request)[2:] == [
        (1.8, "await", "WAIT", 2),
        (5.0, "loop_wait", "WAIT", 2),
        (0.5, "loop", "CPU", 2),
        (0.5, "loop", "CPU", 1),
    ]


def test_on_an_idle_loop_nobody_was_let_go_on_so_long_ago(made: Builder) -> None:
    request = hands_over(made)
    assert told(ledger_of(made), request)[2] == (6.8, "await", "WAIT", 2)


def test_a_middleware_follows_a_stream_that_its_childs_child_sends(made: Builder) -> None:
    request = made.request(0, 12, handler=line_of(made, 1))
    made.slice(request, 0, 1)
    app = made.task(request, 0.5, site=line_of(made, 2))
    made.slice(app, 1, 2)
    stream = made.task(request, 1.5, parent=app, site=line_of(made, 3))
    made.slice(stream, 2, 3)
    made.slice(request, 3, 4)  # passes the first part on
    made.span(stream, "sql", 2.5, 9, line_of(made, 4), "FETCH")
    made.slice(stream, 9, 10)
    made.slice(request, 10, 11)
    made.slice(stream, 11, 11.4)
    made.slice(app, 11.4, 11.6)
    made.slice(request, 11.6, 12)
    assert told(ledger_of(made), request)[5:8] == [
        (5.0, "sql", "WAIT", 4),
        (1.0, "loop", "CPU", 3),
        (1.0, "loop", "CPU", 1),
    ]


def test_the_probes_own_cost_is_told_where_it_was_calibrated(made: Builder) -> None:
    for _ in range(2):
        request = made.request(0, 5, handler=line_of(made, 1))
        made.slice(request, 0, 5)
        made.span(request, "sql", 1, 2, line_of(made, 1), sync=True)
    recording = made.recording()
    assert build(recording).overhead_ms() is None
    known = {"calibration": {"slice_ns": 400, "span_ns": 900, "request_ns": 3000}}
    recording.processes = [Process(1, known)]
    assert build(recording).overhead_ms() == pytest.approx(0.0043)


def _partner(made: Builder, at: float, took: float) -> int:
    """Call a partner on an idle loop."""
    request = made.request(at, at + took + 2, handler=line_of(made, 1))
    made.slice(request, at, at + 1)
    made.span(request, "http", at + 1, at + 1 + took, line_of(made, 2), "GET partner")
    made.slice(request, at + 1 + took, at + took + 2)
    return request


def test_a_busy_loop_that_looked_meanwhile_did_not_keep_the_answer_waiting(made: Builder) -> None:
    for n in range(5):  # quick ones
        _partner(made, 100.0 * n, 0.5)
    slow = _partner(made, 1000.0, 20.0)
    others = [made.request(1001, 1021, handler=line_of(made, 7)) for _ in range(2)]
    for n in range(20):
        made.slice(others[n % 2], 1001 + n, 1002 + n)
    # Two others take turns of a millisecond: the loop looked every second one.
    assert told(ledger_of(made), slow) == [
        (1.0, "loop", "CPU", 1),
        (16.0, "http", "WAIT", 2),
        (4.0, "loop_wait", "WAIT", 2),
        (1.0, "loop", "CPU", 1),
    ]


def test_on_a_full_loop_the_shortest_time_until_it_looked_tells_what_a_call_takes(
    made: Builder,
) -> None:
    # Rounds of ten milliseconds. In each a request sends a statement, now sooner, now later, and
    # sees the answer at the beginning of the next.
    busy = made.request(0, 210, handler=line_of(made, 7))
    filler = made.request(0, 210, handler=line_of(made, 8))
    requests = []
    for n in range(20):
        begin, sent = 10.0 * n, 10.0 * n + 2 + n % 8
        request = made.request(begin + 1, begin + 11, handler=line_of(made, 1))
        requests.append(request)
        made.slice(busy, begin + 1, sent - 0.5)
        made.slice(request, sent - 0.5, sent)
        made.span(request, "sql", sent, begin + 10, line_of(made, 2), "SELECT 1")
        made.slice(filler, sent, begin + 10)
        made.slice(request, begin + 10, begin + 11)
    # The first was sent eight milliseconds before the loop looked, others one or two.
    assert told(ledger_of(made), requests[0])[-3:] == [
        (2.0, "sql", "WAIT", 2),
        (6.0, "loop_wait", "WAIT", 2),
        (1.0, "loop", "CPU", 1),
    ]


def test_what_ends_while_the_loop_is_held_takes_as_long_as_it_was_looked_for_in_vain(
    made: Builder,
) -> None:
    # A statement is sent; the loop looks for it a few times within eight milliseconds, and is
    # then held for eighty: it took somewhat more than eight, not ninety.
    requests = []
    for n in range(20):
        begin = 100.0 * n
        request, other = (made.request(begin, begin + 95, handler=line_of(made, s)) for s in (1, 7))
        requests.append(request)
        made.slice(request, begin, begin + 1)
        made.span(request, "sql", begin + 1, begin + 90, line_of(made, 2), "SELECT 1")
        for step in range(4):
            made.slice(other, begin + 1 + 2 * step, begin + 3 + 2 * step)
        made.slice(other, begin + 9, begin + 89)
        made.slice(other, begin + 89, begin + 90)  # the first after the loop has looked
        made.slice(request, begin + 90, begin + 91)
    [sql, waited] = told(ledger_of(made), requests[10])[1:3]
    assert sql[1:3] == ("sql", "WAIT")
    assert 6 <= sql[0] <= 9
    assert waited[1:3] == ("loop_wait", "WAIT")
    assert sql[0] + waited[0] == pytest.approx(89)
