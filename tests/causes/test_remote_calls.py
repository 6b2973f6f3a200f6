"""uncached-upstream and client-per-request."""

from __future__ import annotations

from slowpath.causes import client_per_request, uncached_upstream
from slowpath.ledger import Mode
from tests.causes.book import Book, found

CALL = "app/partners.py:51 rates"
MAKE = "app/users.py:102 dashboard"


def calls(book: Book, answers: list[int], resource: str = "GET rates.test/rates") -> None:
    """One request with one call of 20 ms for each of `answers` (hashes)."""
    for answer in answers:
        one = book.request(25)
        book.span(one, 0, 20, "http", CALL, resource, a=answer, b=300)
        book.charge(one, 0, 20, "http", CALL, resource=resource)


def test_one_answer_for_all_is_named_with_its_figures() -> None:
    book = Book()
    calls(book, [7] * 50)
    [finding] = found(uncached_upstream.CAUSE, book)
    assert (finding.path, finding.line) == ("app/partners.py", 51)
    assert finding.evidence["calls"] == 50
    assert finding.evidence["distinct_answers"] == 1
    assert finding.evidence["repeated_share"] == 0.98
    assert finding.evidence["ms_per_call"] == 20
    assert finding.evidence["bytes_per_answer"] == 300


def test_an_answer_that_changes_now_and_then_is_found_too() -> None:
    book = Book()
    calls(book, [number // 25 for number in range(100)])
    [finding] = found(uncached_upstream.CAUSE, book)
    assert finding.evidence["distinct_answers"] == 4


def test_an_answer_that_is_read_a_line_later_is_named_where_it_was_waited_for() -> None:
    book = Book()
    resource, read = "GET rates.test/rates", "app/partners.py:52 rates"
    for _ in range(50):
        one = book.request(25)
        book.span(one, 0, 20, "http", CALL, resource, a=-1)
        book.charge(one, 0, 20, "http", CALL, resource=resource)
        book.span(one, 20, 20, "http", read, resource, a=7, b=300)
    [finding] = found(uncached_upstream.CAUSE, book)
    assert (finding.path, finding.line) == ("app/partners.py", 51)


def test_answers_that_differ_are_left_alone() -> None:
    book = Book()
    calls(book, list(range(50)))
    assert found(uncached_upstream.CAUSE, book) == []


def test_somebodys_own_data_is_left_alone_though_the_load_repeats_its_ids() -> None:
    book = Book()
    calls(book, [7] * 50, "GET partner.test/profile/{id}")
    assert found(uncached_upstream.CAUSE, book) == []


def test_a_post_is_left_alone() -> None:
    book = Book()
    calls(book, [7] * 50, "POST partner.test/audit")
    assert found(uncached_upstream.CAUSE, book) == []


def test_answers_that_were_not_read_tell_nothing() -> None:
    book = Book()
    calls(book, [-1] * 50)
    assert found(uncached_upstream.CAUSE, book) == []


def test_a_cache_that_fetches_now_and_then_is_left_alone() -> None:
    book = Book()
    calls(book, [7] * 10)
    for _ in range(500):
        book.request(2)
    assert found(uncached_upstream.CAUSE, book) == []


def clients(book: Book, made: int, served: int, mode: Mode = Mode.CPU) -> None:
    """`served` requests, of which the first `made` make a client and shake hands."""
    for number in range(served):
        one = book.request(30)
        book.charge(one, 15, 30, "http", CALL)
        if number < made:
            book.span(one, 0, 12, "connect", MAKE, "httpx.AsyncClient")
            book.charge(one, 0, 12, "connect", MAKE, mode, resource="httpx.AsyncClient")
            book.span(one, 12, 13, "connect", CALL, "tcp partner.test")
            book.charge(one, 12, 13, "connect", CALL, resource="tcp partner.test")


def test_a_client_in_the_handler_is_named_where_it_is_made() -> None:
    book = Book()
    clients(book, made=20, served=20)
    [finding] = found(client_per_request.CAUSE, book)
    assert (finding.path, finding.line) == ("app/users.py", 102)
    assert finding.evidence["client"] == "httpx.AsyncClient"
    assert finding.evidence["making_ms"] == 12
    assert finding.evidence["connections_per_request"] == 1
    assert finding.evidence["setup_ms_per_request"] == 13


def test_several_clients_a_request_are_counted_and_share_its_connections() -> None:
    book = Book()
    for _ in range(20):
        one = book.request(60)
        for number, place in enumerate((MAKE, MAKE, MAKE, "app/rates.py:7 rates")):
            start = number * 13
            client = "httpx.AsyncClient"
            book.span(one, start, start + 12, "connect", place, client)
            book.charge(one, start, start + 12, "connect", place, Mode.CPU, resource=client)
            book.span(one, start + 12, start + 13, "connect", CALL, "tcp partner.test")
            book.charge(one, start + 12, start + 13, "connect", CALL, resource="tcp partner.test")
    several, single = sorted(
        found(client_per_request.CAUSE, book),
        key=lambda finding: -finding.evidence["made_per_request"],
    )
    assert several.evidence["made_per_request"] == 3
    assert several.evidence["connections_per_request"] == 3
    assert "made 3 times in every request" in several.message
    assert single.evidence["made_per_request"] == 1
    assert single.evidence["connections_per_request"] == 1
    assert "made in every request" in single.message


def test_those_who_waited_for_clients_of_the_warm_up_are_told_the_same_line() -> None:
    book = Book()
    clients(book, made=20, served=20)
    for _ in range(20):
        one = book.request(20)
        book.charge(
            *(one, 0, 12, "loop_wait", CALL, Mode.CPU),
            culprit=-1,
            culprit_activity="connect",
            culprit_place=MAKE,
            culprit_resource="httpx.AsyncClient",
        )
    [finding] = found(client_per_request.CAUSE, book)
    assert finding.blame is not None
    assert finding.blame.total_ns == (20 * 13 + 20 * 12) * 1_000_000


def test_a_client_for_a_new_tenant_is_left_alone() -> None:
    book = Book()
    clients(book, made=2, served=40)
    assert found(client_per_request.CAUSE, book) == []


def test_connections_of_a_shared_client_are_left_alone() -> None:
    book = Book()
    for _ in range(20):
        one = book.request(20)
        book.span(one, 0, 5, "connect", CALL, "tcp partner.test")
        book.charge(one, 0, 5, "connect", CALL, resource="tcp partner.test")
    assert found(client_per_request.CAUSE, book) == []


def test_an_engine_in_the_handler_is_another_matter() -> None:
    book = Book()
    for _ in range(20):
        one = book.request(20)
        book.span(one, 0, 5, "connect", MAKE, "sqlalchemy.create_engine postgresql")
        book.charge(one, 0, 5, "connect", MAKE, resource="sqlalchemy.create_engine postgresql")
    assert found(client_per_request.CAUSE, book) == []
