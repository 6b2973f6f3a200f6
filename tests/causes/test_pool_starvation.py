"""pool-starvation: a pool too small, told from holders that idle and a database that is full."""

from __future__ import annotations

from slowpath.causes.pool_starvation import CAUSE
from slowpath.ledger import Mode
from tests.causes.book import Book, found

ASKS = "app/a.py:20 item"
POOL = "postgresql+asyncpg db/shop"


def queue(
    book: Book,
    doing: str,
    *,
    mode: Mode = Mode.WAIT,
    statements: list[float] | None = None,
    wait_ms: float = 30,
) -> None:
    """Twenty requests that wait for a connection behind a holder that was `doing`."""
    for number in range(20):
        sql = (statements or [5.0])[number % len(statements or [5.0])]
        one = book.request(wait_ms + sql, at_ms=number)
        book.span(one, 0, wait_ms, "pool_wait", ASKS, POOL, b=2)
        book.span(one, wait_ms, wait_ms + sql, "sql", ASKS, "SELECT ?")
        book.charge(
            *(one, 0, wait_ms, "pool_wait", ASKS, mode),
            resource=POOL,
            culprit=(number + 1) % 20,
            culprit_activity=doing,
            culprit_place=ASKS,
            culprit_resource="SELECT ?",
        )
        book.charge(one, wait_ms, wait_ms + sql, "sql", ASKS, resource="SELECT ?")


def test_holders_in_quick_statements_mean_that_the_pool_should_grow() -> None:
    book = Book()
    queue(book, "sql")
    [finding] = found(CAUSE, book)
    assert (finding.path, finding.line) == ("app/a.py", 20)
    assert finding.evidence["pool_size"] == 2
    assert finding.evidence["waiting_at_peak"] == 20
    assert finding.evidence["advice"] == "grow the pool"
    assert finding.evidence["holders"] == [{"line": "app/a.py:20", "doing": "sql", "share": 1.0}]
    assert finding.pattern


def test_the_line_that_made_the_pool_is_the_one_to_change() -> None:
    book = Book()
    queue(book, "sql")
    book.span(0, 0, 0, "connect", "app/db.py:7 <module>", f"sqlalchemy.create_engine {POOL}")
    [finding] = found(CAUSE, book)
    assert (finding.path, finding.line) == ("app/db.py", 7)


def test_holders_that_idle_mean_shorter_holding() -> None:
    book = Book()
    queue(book, "http")
    [finding] = found(CAUSE, book)
    assert finding.evidence["advice"] == "hold connections for shorter"
    assert not finding.pattern


def test_a_database_at_its_limit_is_not_the_pools_fault() -> None:
    book = Book()
    queue(book, "sql", statements=[2.0, 40.0, 40.0, 40.0])
    assert found(CAUSE, book) == []


def test_holders_that_compute_are_not_the_pools_fault() -> None:
    book = Book()
    queue(book, "handler", mode=Mode.CPU)
    assert found(CAUSE, book) == []


def test_a_wait_now_and_then_is_left_alone() -> None:
    book = Book()
    queue(book, "sql", statements=[50.0], wait_ms=0.5)
    assert found(CAUSE, book) == []
