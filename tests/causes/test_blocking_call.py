"""blocking-call: a wait that held the loop."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from slowpath.causes.blocking_call import CAUSE
from slowpath.ledger import Mode
from tests.causes.book import Book, found

LINE = "app/svc.py:10 Billing._get"


def requests_get_holds_the_loop(book: Book) -> None:
    """`requests.get` for 30 ms in each of 20 requests, told by its span."""
    for _ in range(20):
        one = book.request(31)
        book.blocked(one, 0, 30, "http", LINE, "GET stock/{id}")


def a_sdk_blocks_by_the_clocks(book: Book) -> None:
    """No hook knows it: 40 ms of wall time without CPU, seen in a stack."""
    for _ in range(5):
        one = book.request(42)
        book.charge(one, 0, 40, "handler", LINE, Mode.BLOCKED)
        book.charge(one, 40, 42, "handler", LINE, Mode.CPU)
        book.stack(one, "/venv/lib/site-packages/sdk/wire.py:7 read", LINE, computed=0.02)


def a_quick_sync_cache_in_a_hot_path(book: Book) -> None:
    """0.3 ms each, but the loop is held for it in every request."""
    for _ in range(50):
        one = book.request(2)
        book.blocked(one, 0, 0.3, "cache", LINE, "GET redis")


GUILTY = [requests_get_holds_the_loop, a_sdk_blocks_by_the_clocks, a_quick_sync_cache_in_a_hot_path]


@pytest.mark.parametrize("situation", GUILTY, ids=lambda s: s.__name__)
def test_names_the_line(situation: Callable[[Book], None]) -> None:
    book = Book()
    situation(book)
    [finding] = found(CAUSE, book)
    assert (finding.path, finding.line, finding.function) == ("app/svc.py", 10, "Billing._get")


def awaited_http(book: Book) -> None:
    """The same wait, but suspended."""
    for _ in range(20):
        one = book.request(31)
        book.charge(one, 0, 30, "http", LINE, Mode.WAIT)


def in_a_thread(book: Book) -> None:
    """A `def` route: its thread blocks, the loop does not."""
    for _ in range(20):
        one = book.request(31)
        book.charge(one, 0, 30, "http", LINE, Mode.THREAD_BLOCKED)


def computing_on_a_machine_without_a_free_core(book: Book) -> None:
    """40 ms of wall time for 20 ms of CPU: the thread was runnable, not blocked."""
    for _ in range(20):
        one = book.request(40)
        book.charge(one, 0, 20, "handler", LINE, Mode.BLOCKED)
        book.charge(one, 20, 40, "handler", LINE, Mode.CPU)


def short_slices_that_lost_their_core(book: Book) -> None:
    """Nothing but blocked time by the clocks, in pieces too short to tell."""
    for _ in range(50):
        one = book.request(6)
        book.charge(one, 0, 3, "handler", LINE, Mode.BLOCKED)


def computing_where_the_clocks_say_blocked(book: Book) -> None:
    """Others have the cores most of the time: 30 ms on the clock for 10 ms of CPU."""
    for _ in range(20):
        one = book.request(31)
        book.charge(one, 0, 30, "handler", LINE, Mode.BLOCKED)
        book.stack(one, LINE, computed=0.33)


def slices_of_an_awaited_call_that_lost_their_core(book: Book) -> None:
    """The span let go of the thread; what it did on the loop only lacked a core."""
    for _ in range(20):
        one = book.request(31)
        book.span(one, 0, 30, "http", LINE, "GET stock/{id}", flags=1)
        book.charge(one, 0, 6, "http", LINE, Mode.BLOCKED)
        book.charge(one, 6, 30, "http", LINE)


def a_single_file_read_at_first_use(book: Book) -> None:
    """5 ms once in an hour of requests."""
    for number in range(200):
        one = book.request(30)
        book.charge(one, 0, 30, "http", "app/a.py:1 call")
        if not number:
            book.charge(one, 0, 5, "handler", LINE, Mode.BLOCKED)


CLEAN = [
    awaited_http,
    in_a_thread,
    computing_on_a_machine_without_a_free_core,
    short_slices_that_lost_their_core,
    computing_where_the_clocks_say_blocked,
    slices_of_an_awaited_call_that_lost_their_core,
    a_single_file_read_at_first_use,
]


@pytest.mark.parametrize("situation", CLEAN, ids=lambda s: s.__name__)
def test_leaves_alone(situation: Callable[[Book], None]) -> None:
    book = Book()
    situation(book)
    assert found(CAUSE, book) == []


def test_counts_a_stall_once_however_many_wait_for_it() -> None:
    book = Book()
    guilty = book.request(30, "/stock", at_ms=0)
    book.blocked(guilty, 0, 30, "http", LINE, "GET stock/{id}")
    for _ in range(3):
        victim = book.request(30, "/health", at_ms=0)
        book.charge(
            *(victim, 0, 30, "loop_wait", "app/main.py:1 health", Mode.BLOCKED),
            culprit=guilty,
            culprit_activity="http",
            culprit_place=LINE,
            culprit_resource="GET stock/{id}",
        )
    [finding] = found(CAUSE, book)
    assert finding.evidence["calls"] == 1
    assert finding.evidence["blocked_ms_per_call"] == 30
    assert finding.evidence["victims_ms_per_request"] == {"GET /health": 30}
    assert finding.evidence["resource"] == "GET stock/{id}"
    assert finding.blame is not None
    assert finding.blame.total_ns == 120_000_000


def test_tells_what_was_called_and_how_the_loop_got_there() -> None:
    book = Book()
    for _ in range(5):
        one = book.request(40)
        book.charge(one, 0, 40, "handler", LINE, Mode.BLOCKED)
        book.stack(
            one,
            "/usr/lib/python3.11/socket.py:700 SocketIO.readinto",
            "/venv/lib/python3.11/site-packages/requests/api.py:73 get",
            LINE,
            "app/main.py:12 order",
            "/venv/lib/python3.11/site-packages/starlette/routing.py:1 app",
            computed=0.05,
        )
    [finding] = found(CAUSE, book)
    assert finding.culprit == "requests.api.get"
    assert finding.evidence["blocked_in"] == "socket.SocketIO.readinto"
    assert [(hop.path, hop.line) for hop in finding.chain] == [
        ("app/main.py", 12),
        ("app/svc.py", 10),
    ]
