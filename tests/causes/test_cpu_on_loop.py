"""cpu-on-loop: computing in stalls, not honest work on a busy loop."""

from __future__ import annotations

import pytest

from slowpath.causes.cpu_on_loop import CAUSE
from slowpath.ledger import Mode
from tests.causes.book import Book, found

LINE = "app/users.py:50 check"


def test_hashing_for_50_ms_is_named_with_its_length() -> None:
    book = Book()
    for _ in range(10):
        one = book.request(52)
        book.charge(one, 0, 50, "handler", LINE, Mode.CPU)
    [finding] = found(CAUSE, book)
    assert (finding.path, finding.line) == ("app/users.py", 50)
    assert finding.evidence["cpu_ms_per_call"] == 50
    assert finding.evidence["calls"] == 10


def test_work_spread_over_the_lines_of_a_loop_is_one_finding_at_the_worst_line() -> None:
    book = Book()
    for _ in range(10):
        one = book.request(45)
        book.charge(one, 0, 10, "handler", "app/a.py:5 resize", Mode.CPU)
        book.charge(one, 10, 35, "handler", "app/a.py:7 resize", Mode.CPU)
        book.charge(one, 35, 45, "handler", "app/a.py:6 resize", Mode.CPU)
    [finding] = found(CAUSE, book)
    assert finding.line == 7
    assert finding.evidence["cpu_ms_per_call"] == 45


def test_what_it_waited_for_a_core_belongs_to_it() -> None:
    book = Book()
    for _ in range(10):
        one = book.request(52)
        book.charge(one, 0, 10, "handler", LINE, Mode.CPU)
        book.charge(one, 10, 50, "handler", LINE, Mode.BLOCKED)
        book.stack(one, LINE, computed=0.4)
    [finding] = found(CAUSE, book)
    assert finding.blame is not None
    assert finding.blame.total_ns == 500_000_000


def test_short_work_that_waits_long_for_a_core_is_left_alone() -> None:
    book = Book()
    for _ in range(10):
        one = book.request(52)
        book.charge(one, 0, 5, "handler", LINE, Mode.CPU)
        book.charge(one, 5, 30, "handler", LINE, Mode.BLOCKED)
    assert found(CAUSE, book) == []


def test_a_background_task_that_others_wait_for_is_found_without_a_request_of_its_own() -> None:
    book = Book()
    for number in range(20):
        one = book.request(35)
        book.background(number * 100, 30, "app/jobs.py:9 refresh")
        book.charge(
            *(one, 0, 30, "loop_wait", "app/a.py:1 health", Mode.CPU),
            culprit=-1,
            culprit_activity="loop",
            culprit_place="app/jobs.py:9 refresh",
        )
    [finding] = found(CAUSE, book)
    assert (finding.path, finding.line) == ("app/jobs.py", 9)


def test_a_loop_full_of_short_honest_work_is_left_alone() -> None:
    book = Book()
    for number in range(100):
        one = book.request(60, at_ms=number * 2)
        book.charge(one, 58, 60, "handler", LINE, Mode.CPU)
        for ahead in range(max(0, number - 29), number):
            book.charge(
                *(one, 2 * (ahead - number) + 58, 2 * (ahead - number) + 60),
                *("loop_wait", LINE, Mode.CPU),
                culprit=ahead,
                culprit_activity="handler",
            )
    assert found(CAUSE, book) == []


def test_a_thread_may_compute_for_long() -> None:
    book = Book()
    for _ in range(10):
        one = book.request(52)
        book.charge(one, 0, 50, "thread", LINE, Mode.THREAD_CPU)
    assert found(CAUSE, book) == []


def test_what_happens_once_in_many_requests_is_left_alone() -> None:
    book = Book()
    for number in range(200):
        one = book.request(20)
        if not number:
            book.charge(one, 0, 12, "handler", LINE, Mode.CPU)
    assert found(CAUSE, book) == []


@pytest.mark.parametrize(("stalled", "served", "is_found"), [(1, 40, 0), (3, 40, 1), (1, 2, 1)])
def test_a_pause_that_befell_a_line_once_is_no_habit(
    stalled: int, served: int, is_found: int
) -> None:
    book = Book()
    for number in range(served):
        one = book.request(210 if number < stalled else 10)
        if number < stalled:
            book.charge(one, 0, 200, "handler", LINE, Mode.CPU)
    assert len(found(CAUSE, book)) == is_found


def test_the_collector_is_not_the_line_that_it_interrupts() -> None:
    book = Book()
    for _ in range(10):
        one = book.request(52)
        book.charge(one, 0, 50, "gc", LINE, Mode.CPU)
    assert found(CAUSE, book) == []
