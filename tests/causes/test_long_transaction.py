"""long-transaction: a connection that lies idle in its holder's hands."""

from __future__ import annotations

import pytest

from slowpath.causes.long_transaction import CAUSE
from tests.causes.book import Book, found

TAKEN = "app/users.py:90 enriched"
CALL = "app/users.py:91 enriched"


def holder(book: Book, *, sql_ms: float, call_ms: float, held: bool = True) -> int:
    """A request that queries for `sql_ms`, then calls for `call_ms`, holding or not."""
    one = book.request(sql_ms + call_ms)
    end = sql_ms + call_ms if held else sql_ms
    book.span(one, 0, end, "checkout", TAKEN, "pg", a=1, b=5)
    book.span(one, sql_ms, sql_ms + call_ms, "http", CALL, "GET partner/{id}")
    book.charge(one, 0, sql_ms, "sql", TAKEN, resource="SELECT ?")
    book.charge(one, sql_ms, sql_ms + call_ms, "http", CALL, resource="GET partner/{id}")
    return one


def waiter(book: Book, behind: int, ms: float, doing: str, place: str) -> None:
    """A request that waits for the connection of another."""
    one = book.request(ms)
    book.charge(
        *(one, 0, ms, "pool_wait", TAKEN),
        resource="pg",
        culprit=behind,
        culprit_activity=doing,
        culprit_place=place,
    )


def test_an_upstream_call_inside_a_session_is_named_at_the_call() -> None:
    book = Book()
    for _ in range(10):
        waiter(book, holder(book, sql_ms=2, call_ms=48), 40, "http", CALL)
    [finding] = found(CAUSE, book)
    assert (finding.path, finding.line) == ("app/users.py", 91)
    assert finding.evidence["idle_ms_per_hold"] == 48
    assert finding.evidence["idle_share"] == 0.96
    assert finding.evidence["taken_at"] == "app/users.py:90"
    assert finding.evidence["at_most_per_s"] == 100
    assert finding.evidence["waiting_requests"] == 10
    assert finding.blame is not None
    assert finding.blame.total_ns == 400_000_000


def test_it_is_found_before_anybody_waits() -> None:
    book = Book()
    for _ in range(10):
        holder(book, sql_ms=2, call_ms=48)
    [finding] = found(CAUSE, book)
    assert finding.pattern
    assert finding.blame is not None
    assert finding.blame.total_ns == 0


def test_a_call_after_the_session_is_left_alone() -> None:
    book = Book()
    for _ in range(10):
        holder(book, sql_ms=2, call_ms=48, held=False)
    assert found(CAUSE, book) == []


def test_holders_that_query_are_left_alone() -> None:
    book = Book()
    for _ in range(10):
        behind = holder(book, sql_ms=40, call_ms=5, held=False)
        waiter(book, behind, 40, "sql", TAKEN)
    assert found(CAUSE, book) == []


def test_beside_a_slow_database_it_is_found_where_it_is_waited_for() -> None:
    book = Book()
    for _ in range(10):
        behind = holder(book, sql_ms=200, call_ms=40)
        one = book.request(240)
        for start, end, doing, place in ((0, 200, "sql", TAKEN), (200, 240, "http", CALL)):
            book.charge(
                *(one, start, end, "pool_wait", TAKEN),
                resource="pg",
                culprit=behind,
                culprit_activity=doing,
                culprit_place=place,
            )
    [finding] = found(CAUSE, book)
    assert finding.evidence["idle_share"] == pytest.approx(1 / 6, abs=0.001)
    assert not finding.pattern


def test_a_cache_look_up_inside_a_session_is_small_change() -> None:
    book = Book()
    for _ in range(10):
        one = book.request(21)
        book.span(one, 0, 21, "checkout", TAKEN, "pg", a=1, b=5)
        book.charge(one, 0, 20, "sql", TAKEN)
        book.span(one, 20, 21, "cache", CALL)
        book.charge(one, 20, 21, "cache", CALL)
    assert found(CAUSE, book) == []


def test_a_middleware_that_awaits_the_holder_is_not_the_one_that_waits_elsewhere() -> None:
    book = Book()
    for _ in range(10):
        one = book.request(50)
        book.span(one, 0, 50, "checkout", TAKEN, "pg", a=1, b=5)
        book.charge(one, 0, 50, "await", "app/middleware.py:24 dispatch")
    assert found(CAUSE, book) == []


def test_once_is_chance() -> None:
    book = Book()
    holder(book, sql_ms=2, call_ms=48)
    assert found(CAUSE, book) == []
