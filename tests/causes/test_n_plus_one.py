"""n-plus-one: one statement of one line, again and again in one request."""

from __future__ import annotations

from slowpath.causes.n_plus_one import CAUSE
from tests.causes.book import Book, found

LINE = "app/orders.py:71 get_order"
SQL = "SELECT * FROM products WHERE id = ?"


def statements(book: Book, count: int, *, rows: int = 1, texts: int = 1, **request: bool) -> None:
    """Ten requests of one line that sends `count` statements of `texts` kinds, 1 ms each."""
    for _ in range(10):
        one = book.request(count + 1, "/orders/{id}", **request)
        for number in range(count):
            text = SQL + "!" * (number % texts)
            book.span(one, number, number + 1, "sql", LINE, text, a=rows)
            book.charge(one, number, number + 1, "sql", LINE, resource=text)


def test_tells_how_many_and_which() -> None:
    book = Book()
    statements(book, 20)
    [finding] = found(CAUSE, book)
    assert (finding.path, finding.line) == ("app/orders.py", 71)
    assert finding.evidence["statements_per_request"] == 20
    assert finding.evidence["fingerprint"] == SQL
    assert finding.evidence["rows_per_statement"] == 1
    assert finding.evidence["ms_per_statement"] == 1
    assert "GET /orders/{id}" in finding.message


def test_two_relationships_of_one_line_are_one_finding() -> None:
    book = Book()
    statements(book, 20, texts=2)
    [finding] = found(CAUSE, book)
    assert finding.evidence["statements_per_request"] == 10


def test_a_loop_that_only_some_requests_enter_is_found_too() -> None:
    book = Book()
    statements(book, 20)
    for _ in range(10):
        book.request(5, "/orders/{id}")
    [finding] = found(CAUSE, book)
    assert finding.evidence["requests"] == 10


def test_it_counts_on_its_own_endpoint_even_where_everybody_queues_for_something_else() -> None:
    book = Book()
    for _ in range(12):
        one = book.request(2000, "/orders/{id}")
        book.charge(one, 0, 1900, "pool_wait", LINE, culprit_place="app/b.py:1 other")
        for number in range(1900, 1910):
            book.span(one, number, number + 1, "sql", LINE, SQL, a=1)
            book.charge(one, number, number + 1, "sql", LINE, resource=SQL)
    [finding] = found(CAUSE, book)
    assert finding.blame is not None
    assert finding.blame.share_of_p95 < 0.02


def test_a_few_statements_are_left_alone() -> None:
    book = Book()
    statements(book, 4)
    assert found(CAUSE, book) == []


def test_different_statements_of_one_helper_are_left_alone() -> None:
    book = Book()
    statements(book, 8, texts=8)
    assert found(CAUSE, book) == []


def test_a_reader_of_batches_is_left_alone() -> None:
    book = Book()
    statements(book, 20, rows=500)
    assert found(CAUSE, book) == []


def test_a_websocket_may_ask_for_as_long_as_it_is_open() -> None:
    book = Book()
    statements(book, 20, websocket=True)
    assert found(CAUSE, book) == []


def test_statements_that_cost_nothing_beside_the_rest_are_left_alone() -> None:
    book = Book()
    for _ in range(10):
        one = book.request(5000)
        for number in range(6):
            book.span(one, number, number + 0.5, "sql", LINE, SQL, a=1)
            book.charge(one, number, number + 0.5, "sql", LINE, resource=SQL)
    assert found(CAUSE, book) == []
