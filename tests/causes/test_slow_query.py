"""slow-query: slow in the database, not in the queue before it."""

from __future__ import annotations

from slowpath.causes.slow_query import CAUSE
from slowpath.ledger import Mode
from tests.causes.book import Book, found

LINE = "app/products.py:39 list_products"
SQL = "SELECT * FROM products ORDER BY lower(name) LIMIT ?"


def executions(
    book: Book, lengths: list[float], mode: Mode = Mode.WAIT, sql: str = SQL, line: str = LINE
) -> None:
    for length in lengths:
        one = book.request(length + 1)
        book.span(one, 0, length, "sql", line, sql, a=20)
        book.charge(one, 0, length, "sql", line, mode, resource=sql)


def test_a_scan_is_named_with_its_time_at_best() -> None:
    book = Book()
    executions(book, [60.0] * 18 + [40.0] * 4)
    [finding] = found(CAUSE, book)
    assert (finding.path, finding.line) == ("app/products.py", 39)
    assert finding.evidence["ms_per_execution"] == 60
    assert finding.evidence["ms_at_best"] == 40
    assert finding.evidence["rows_per_execution"] == 20
    assert finding.evidence["fingerprint"] == SQL


def test_a_scan_in_a_worker_thread_is_found_too() -> None:
    book = Book()
    executions(book, [60.0] * 10, Mode.THREAD_BLOCKED)
    assert len(found(CAUSE, book)) == 1


def test_a_key_look_up_on_an_overloaded_database_is_left_alone() -> None:
    book = Book()
    executions(book, [2.0] * 5 + [30.0] * 25)
    assert found(CAUSE, book) == []


def test_an_answer_that_waits_for_the_loop_is_not_the_databases_fault() -> None:
    book = Book()
    for _ in range(20):
        one = book.request(31)
        book.span(one, 0, 30, "sql", LINE, SQL, a=1)
        book.charge(one, 0, 3, "sql", LINE, resource=SQL)
        book.charge(one, 3, 30, "loop_wait", LINE, Mode.CPU, culprit_place="app/b.py:1 other")
    assert found(CAUSE, book) == []


def test_quick_statements_are_left_alone_however_many() -> None:
    book = Book()
    executions(book, [3.0] * 100)
    assert found(CAUSE, book) == []


def test_where_every_statement_is_slow_the_machine_is_and_not_the_statement() -> None:
    book = Book()
    executions(book, [25.0] * 20)
    executions(book, [15.0] * 20, sql="SELECT 1", line="app/users.py:31 find_user")
    assert found(CAUSE, book) == []


def test_too_few_executions_tell_nothing() -> None:
    book = Book()
    executions(book, [60.0] * 4)
    assert found(CAUSE, book) == []


def test_a_slow_statement_that_is_seldom_and_small_beside_the_rest_is_left_alone() -> None:
    book = Book()
    executions(book, [20.0] * 5)
    for _ in range(100):
        one = book.request(200)
        book.charge(one, 0, 190, "http", "app/a.py:1 call")
    assert found(CAUSE, book) == []
