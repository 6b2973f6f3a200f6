"""blocking-serializer (the app's own encoding) and heavy-serialization (the framework's)."""

from __future__ import annotations

import pytest

from slowpath.causes import blocking_serializer, heavy_serialization
from slowpath.causes.base import edit_for
from slowpath.causes.blocking_serializer.detect import encodes
from slowpath.ledger import ACTIVITIES, Mode
from slowpath.simulate.observe import observe
from tests.causes.book import MS, Book, found

LINE = "app/report.py:31 report"
JSON = (
    "/usr/lib/python3.11/json/encoder.py:258 JSONEncoder.iterencode",
    "/usr/lib/python3.11/json/__init__.py:231 dumps",
)


def report(book: Book, ms: float, *stack: str, place: str = LINE, mode: Mode = Mode.CPU) -> None:
    """Ten requests that compute for `ms`, seen with `stack`."""
    for _ in range(10):
        one = book.request(ms + 2, bytes_out=4_000_000)
        book.charge(one, 0, ms, "handler", place, mode)
        book.stack(one, *stack)


def test_json_dumps_of_much_is_named_with_its_price_per_megabyte() -> None:
    book = Book()
    report(book, 80, *JSON, LINE)
    [finding] = found(blocking_serializer.CAUSE, book)
    assert (finding.path, finding.line) == ("app/report.py", 31)
    assert finding.culprit == "json.dumps"
    assert finding.evidence["cpu_ms_per_call"] == 80
    assert finding.evidence["ms_per_mb"] == 20


def test_an_encoder_that_calls_back_is_named_at_the_line_outside_it() -> None:
    book = Book()
    default = "app/report.py:8 default"
    report(book, 80, default, *JSON, LINE, place=default)
    [finding] = found(blocking_serializer.CAUSE, book)
    assert finding.line == 31


def test_what_was_not_sampled_of_the_same_function_belongs_to_it() -> None:
    book = Book()
    report(book, 80, *JSON, LINE)
    for _ in range(10):
        one = book.request(80)
        book.charge(one, 0, 80, "handler", "app/report.py:29 report", Mode.CPU)
    [finding] = found(blocking_serializer.CAUSE, book)
    assert finding.line == 31
    assert finding.blame is not None
    assert finding.blame.total_ns == 1_600_000_000


def test_computing_without_an_encoder_is_another_matter() -> None:
    book = Book()
    report(book, 80, "/usr/lib/python3.11/re/__init__.py:1 match", LINE)
    assert found(blocking_serializer.CAUSE, book) == []


def test_short_encoding_is_left_alone() -> None:
    book = Book()
    report(book, 3, *JSON, LINE)
    assert found(blocking_serializer.CAUSE, book) == []


def test_encoding_in_a_thread_is_left_alone() -> None:
    book = Book()
    report(book, 80, *JSON, LINE, mode=Mode.THREAD_CPU)
    assert found(blocking_serializer.CAUSE, book) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("json.dumps", True),
        ("pandas.core.generic.NDFrame.to_json", True),
        ("pydantic.main.BaseModel.model_dump", True),
        ("yaml.safe_load", True),
        ("hashlib.scrypt", False),
        ("jsonschema.validators.validate", False),
    ],
)
def test_knows_encoders_by_module_and_by_name(name: str, expected: bool) -> None:
    assert encodes(name) is expected


HANDLER = "app/orders.py:31 list_orders"


def responses(book: Book, encode_ms: float, work_ms: float = 2, slow_from: int = 0) -> None:
    """Twenty requests; those from number `slow_from` on encode for `encode_ms`."""
    for number in range(20):
        spent = encode_ms if number >= slow_from else 1.0
        one = book.request(spent + work_ms, handler=HANDLER, bytes_out=1_000_000)
        book.charge(one, 0, work_ms, "handler", HANDLER, Mode.CPU)
        book.charge(one, work_ms, work_ms + spent / 2, "validate", HANDLER, Mode.CPU)
        book.charge(one, work_ms + spent / 2, work_ms + spent, "serialize", HANDLER, Mode.CPU)


def test_a_huge_response_model_is_named_at_its_endpoint() -> None:
    book = Book()
    responses(book, 40)
    [finding] = found(heavy_serialization.CAUSE, book)
    assert (finding.path, finding.line) == ("app/orders.py", 31)
    assert finding.evidence["encoding_ms_per_request"] == 40
    assert finding.evidence["validate_ms_per_request"] == 20
    assert finding.evidence["serialize_ms_per_request"] == 20
    assert finding.evidence["render_ms_per_request"] == 0
    assert finding.evidence["ms_per_mb"] == 40


def test_collections_that_the_encoding_triggers_do_not_hide_it() -> None:
    book = Book()
    for _ in range(20):
        one = book.request(72, handler=HANDLER)
        book.charge(one, 0, 2, "handler", HANDLER, Mode.CPU)
        book.charge(one, 2, 42, "gc", HANDLER, Mode.CPU)
        book.charge(one, 42, 72, "serialize", HANDLER, Mode.CPU)
    [finding] = found(heavy_serialization.CAUSE, book)
    assert finding.evidence["serialize_ms_per_request"] == 30


def test_a_page_is_left_alone() -> None:
    book = Book()
    responses(book, 1)
    assert found(heavy_serialization.CAUSE, book) == []


def test_what_does_not_dominate_is_left_alone() -> None:
    book = Book()
    responses(book, 6, work_ms=50)
    assert found(heavy_serialization.CAUSE, book) == []


def test_a_page_that_a_busy_machine_stretches_now_and_then_is_left_alone() -> None:
    book = Book()
    responses(book, 15, slow_from=10)
    assert found(heavy_serialization.CAUSE, book) == []


def test_a_page_brings_its_rows_only_and_leaves_the_database_to_others() -> None:
    book = Book()
    for _ in range(20):
        one = book.request(102, handler=HANDLER, bytes_out=1_000_000)
        book.charge(one, 0, 60, "sql", HANDLER, resource="SELECT orders")
        book.span(one, 0, 60, "sql", HANDLER, resource="SELECT orders", a=5000)
        book.charge(one, 60, 100, "validate", HANDLER, Mode.CPU)
        other = book.request(22, handler="app/users.py:7 user")
        took = 2 if other < 4 else 20
        book.charge(other, 0, took, "sql", "app/users.py:9 find", resource="SELECT users")
        book.span(other, 0, took, "sql", "app/users.py:9 find", resource="SELECT users", a=1)
    [finding] = found(heavy_serialization.CAUSE, book)
    ledger = book.ledger()
    before = observe(ledger)
    edit = edit_for(finding, ledger)
    assert edit is not None
    after = edit.apply(before)
    long, short = (
        [
            sum(step.ns for step in behaviour.steps if step.activity == ACTIVITIES["sql"])
            for behaviour in workload.behaviours[-2:]
        ]
        for workload in (before, after)
    )
    # 5,000 rows of a megabyte, a page of 20 kB: a tenth at least stays.
    assert short[0] == pytest.approx(long[0] * 0.1, rel=0.01)
    assert MS < short[1] < 0.5 * long[1]
