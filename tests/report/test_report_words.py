"""Numbers, foreign text and bars as a person reads them."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slowpath.ledger import ACTIVITIES
from slowpath.report import blind, words
from slowpath.report.kinds import KINDS, OTHER, apportion, kind_of
from slowpath.report.terminal import evidence


@pytest.mark.parametrize("module", [words, blind, evidence])
def test_the_examples_in_the_docstrings_are_true(module):
    outcome = doctest.testmod(module)
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_every_activity_has_a_letter_of_its_own():
    assert set(KINDS) == set(ACTIVITIES)
    letters = [kind.letter for kind in (*KINDS.values(), OTHER)]
    assert len(letters) == len(set(letters))
    assert all(len(letter) == 1 and letter.isascii() for letter in letters)


def test_an_activity_of_a_newer_version_is_shown_as_other():
    assert kind_of("teleport") is OTHER
    assert apportion({"teleport": 3.0, "sql": 1.0}, 4) == [(KINDS["sql"], 1), (OTHER, 3)]


@given(
    st.dictionaries(st.sampled_from(list(KINDS)), st.floats(0, 1e6), max_size=8),
    st.integers(1, 80),
)
def test_a_bar_is_as_wide_as_asked_and_each_part_within_one_cell_of_its_share(segments, width):
    total = sum(segments.values())
    bar = apportion(segments, width)
    if total <= 0:
        assert bar == []
        return
    assert sum(cells for _, cells in bar) == width
    by_letter = {kind.letter: cells for kind, cells in bar}
    for activity, size in segments.items():
        assert abs(by_letter.get(kind_of(activity).letter, 0) - size / total * width) < 1.001


@given(st.text())
def test_cleaned_text_is_visible_and_one_line(text):
    cleaned = words.clean(text)
    assert cleaned.isprintable()
    assert words.clean(cleaned) == cleaned


@given(st.text(min_size=1, max_size=60), st.integers(0, 70))
def test_a_shortened_text_fits_and_keeps_its_ends(text, most):
    short = words.shorten(text, most)
    assert len(short) <= most or short == text
    if len(text) > most > 2:
        assert short[0] == text[0]
        assert short[-1] == text[-1]


@pytest.mark.parametrize(
    ("key", "value", "label", "written"),
    [
        ("saving_ns", 200_000_000, "saving", "200 ms"),
        ("blocked_ms_per_call", 4.13, "blocked per call", "4.1 ms"),
        ("body_bytes", 7_300_000, "body", "7.3 MB"),
        ("share", 0.5, "share", "50%"),
        ("statements_per_request", 21.0, "statements per request", "21"),
        ("grow_the_pool", False, "grow the pool", "no"),
        ("pool_size", None, "pool size", "unknown"),
        ("fingerprint", "SELECT 1", "fingerprint", "SELECT 1"),
        ("victims_ms", {"GET /a": 12.0, "GET /b": 3.0}, "victims", "GET /a 12 ms, GET /b 3 ms"),
        (
            "holders",
            [{"path": "a.py", "line": 3, "function": "f", "held_ms": 40.0}],
            "holders",
            "a.py:3 f (held 40 ms)",
        ),
        ("distinct", list(range(9)), "distinct", "0, 1, 2, 3 and 5 more"),
        ("ms", 3, "ms", "3 ms"),
        ("at_most_per_s", 42.0, "at most", "42/s"),
    ],
)
def test_evidence_reads_as_words_with_units(key, value, label, written):
    assert evidence.phrase(key, value) == (label, [written])


def test_a_list_of_records_is_a_line_each():
    holders = [
        {"line": "app/users.py:12", "doing": "sql", "share": 0.5, "held_ms": 4.0},
        {"path": "a.py", "line": 3, "function": "f"},
        *({"line": f"b.py:{i}"} for i in range(7)),
    ]
    label, lines = evidence.phrase("holders", holders)
    assert label == "holders"
    assert lines == [
        "app/users.py:12 (doing sql, share 50%, held 4 ms)",
        "a.py:3 f",
        "b.py:0",
        "b.py:1",
        "5 more",
    ]
    assert len(evidence.phrase("holders", holders, full=True)[1]) == 9
