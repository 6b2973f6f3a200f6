"""Who explains a charge, and what a catalogue promises."""

from __future__ import annotations

import re

import numpy as np
import pytest

from slowpath.causes import Cause, Finding, catalogue, diagnose
from slowpath.causes.claims import settle
from slowpath.causes.evidence import dotted, holds
from slowpath.ledger import Ledger, Mode
from slowpath.recording import Site
from tests.causes.book import Book
from tests.causes.test_pool_starvation import queue

GENERAL = Cause("general", "g", "w", "a", "none")
SPECIFIC = Cause("specific", "s", "w", "a", "none", specificity=10)


def finding(cause: Cause, ledger: Ledger, rows: list[int], *, pattern: bool = False) -> Finding:
    claims = np.isin(np.arange(len(ledger.root)), rows)
    blame = ledger.blame(claims)
    return Finding(cause, "a.py", 1, "f", "m", blame=blame, claims=claims, pattern=pattern)


@pytest.fixture
def ledger() -> Ledger:
    """One request of 40 ms in four charges of 10 ms."""
    book = Book()
    one = book.request(40)
    for number in range(4):
        book.charge(one, 10 * number, 10 * number + 10, "handler", f"a.py:{number + 1}")
    return book.ledger()


def test_the_more_specific_takes_a_shared_charge(ledger: Ledger) -> None:
    [kept] = settle(ledger, [finding(GENERAL, ledger, [0, 1]), finding(SPECIFIC, ledger, [0, 1])])
    assert kept.cause is SPECIFIC


def test_each_keeps_what_is_its_alone(ledger: Ledger) -> None:
    kept = settle(ledger, [finding(GENERAL, ledger, [1, 2, 3]), finding(SPECIFIC, ledger, [0, 1])])
    assert {k.cause.slug: k.blame.total_ns for k in kept if k.blame} == {
        "specific": 20_000_000,
        "general": 20_000_000,
    }


def test_what_keeps_little_of_its_claim_is_a_by_product(ledger: Ledger) -> None:
    kept = settle(
        ledger, [finding(GENERAL, ledger, [0, 1, 2, 3]), finding(SPECIFIC, ledger, [0, 1, 2])]
    )
    assert [k.cause for k in kept] == [SPECIFIC]


def test_a_pattern_stands_with_nothing_left(ledger: Ledger) -> None:
    kept = settle(
        ledger,
        [finding(GENERAL, ledger, [0], pattern=True), finding(SPECIFIC, ledger, [0])],
    )
    assert [(k.cause, k.blame.total_ns) for k in kept if k.blame] == [
        (SPECIFIC, 10_000_000),
        (GENERAL, 0),
    ]


def test_no_charge_is_counted_twice(ledger: Ledger) -> None:
    kept = settle(
        ledger,
        [finding(GENERAL, ledger, [0, 1, 2]), finding(SPECIFIC, ledger, [2, 3])],
    )
    assert sum(k.blame.total_ns for k in kept if k.blame) == 40_000_000


def test_sync_sql_on_the_loop_is_a_blocking_call_and_nothing_else() -> None:
    book = Book()
    for _ in range(20):
        one = book.request(210)
        for number in range(10):
            span = (20 * number, 20 * number + 20)
            book.span(one, *span, "sql", "app/a.py:5 f", "SELECT ?", a=1)
            book.charge(one, *span, "sql", "app/a.py:5 f", Mode.BLOCKED, resource="SELECT ?")
    assert [f.cause.slug for f in diagnose(book.ledger())] == ["blocking-call"]


def test_two_causes_are_ranked_by_what_they_are_charged() -> None:
    book = Book()
    for _ in range(20):
        one = book.request(100)
        book.charge(one, 0, 60, "handler", "app/a.py:5 f", Mode.CPU)
        book.blocked(one, 60, 90, "http", "app/b.py:6 g")
    assert [f.cause.slug for f in diagnose(book.ledger())] == ["cpu-on-loop", "blocking-call"]


def test_waiting_behind_holders_that_idle_is_theirs_and_not_the_pools() -> None:
    book = Book()
    queue(book, "http")
    for number in range(20):
        book.span(number, 30, 35, "checkout", "app/a.py:20 item", "pg", a=1, b=2)
        book.span(number, 30, 35, "http", "app/a.py:20 item")
        book.charge(number, 30, 35, "http", "app/a.py:20 item")
    slugs = [f.cause.slug for f in diagnose(book.ledger())]
    assert "long-transaction" in slugs
    assert "pool-starvation" not in slugs


def test_an_empty_ledger_has_no_findings() -> None:
    assert diagnose(Book().ledger()) == []


def test_holds_tell_apart_the_culprits_that_follow_one_another() -> None:
    book = Book()
    for number in range(3):
        one = book.request(10, at_ms=10 * number)
        book.charge(one, 0, 10, "handler", "a.py:1", Mode.CPU)
    ledger = book.ledger()
    assert holds(ledger, np.ones(3, np.bool_)).tolist() == [10_000_000] * 3


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/usr/lib/python3.11/json/__init__.py", "json.f"),
        ("/v/lib/python3.12/site-packages/httpx/_client.py", "httpx._client.f"),
        (r"C:\v\Lib\site-packages\yaml\__init__.py", "yaml.f"),
    ],
)
def test_frames_are_told_as_one_would_import_them(path: str, name: str) -> None:
    assert dotted(Site(path, 1, "f")) == name


HEADINGS = [
    "What it is",
    "Why it is slow",
    "Example",
    "Use instead",
    "When it is wrong",
    "Cure and its safety",
]


@pytest.mark.parametrize("slug", [slug for slug, c in catalogue().items() if c.part("detect")])
def test_every_page_has_its_headings_and_fits_a_terminal(slug: str) -> None:
    page = catalogue()[slug].page
    assert re.findall(r"^## (.+)$", page, re.M) == HEADINGS
    assert page.startswith(f"# {catalogue()[slug].title}\n")
    assert max(map(len, page.splitlines())) <= 80
