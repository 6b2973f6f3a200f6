"""Fingerprints keep a statement's shape and none of its values."""

from __future__ import annotations

import pytest

from slowpath.probe import sql
from slowpath.probe.sql import fingerprint

SHAPES = {
    "SELECT * FROM t WHERE a = 'x' AND b = 12": "SELECT * FROM t WHERE a = ? AND b = ?",
    "SELECT a1, t2.b3 FROM t2": "SELECT a1, t2.b3 FROM t2",
    "select  a\n\tfrom t -- for Ann\nwhere b /* Bob */ = $1": "select a from t where b = ?",
    "SELECT $1::INTEGER, b::int[], :name, :x::text": "SELECT ?::INTEGER, b::int[], ?, ?::text",
    "SELECT %s, %(name)s, ?": "SELECT ?, ?, ?",
    "where a in (1,2,3)": "where a in (?)",
    "WHERE a IN ($1::VARCHAR, $2::VARCHAR) AND b IN (SELECT 1)": (
        "WHERE a IN (?::VARCHAR) AND b IN (SELECT ?)"
    ),
    "INSERT INTO t (a, b) VALUES (1, 'a'), (2, 'b'), (3, 'c') RETURNING id": (
        "INSERT INTO t (a, b) VALUES (?, ?) RETURNING id"
    ),
    "select 'it''s', E'it\\'s', U&'x', x'ff' from t": "select ?, ?, ?, ? from t",
    "select $$it's$$, $tag$ $$ $tag$": "select ?, ?",
    "select 1.5e-3, .5, 0xff, -1 where x=-5": "select ?, ?, ?, ? where x=?",
    'select "User"."mail", "ann@example.org", `id`': 'select "User"."mail", ?, `id`',
    "select d - interval '3 days' from t;": "select d - interval ? from t",
    "select j->>'a' from t where j @> '{\"a\": 1}'": "select j->>? from t where j @> ?",
    "select a[1:2] from t": "select a[?:?] from t",
}


@pytest.mark.parametrize(("statement", "shape"), SHAPES.items(), ids=SHAPES.keys())
def test_values_are_replaced(statement: str, shape: str) -> None:
    assert fingerprint(statement) == shape
    assert fingerprint(statement) == shape  # from the cache
    assert fingerprint(statement.encode()) == shape


@pytest.mark.parametrize("quote", ["'", '"', "E'", "$$", "`"])
def test_a_literal_that_does_not_end_is_not_kept(quote: str) -> None:
    assert "secret" not in fingerprint(f"select {quote}my secret")


def test_a_literal_past_the_longest_statement_is_not_kept() -> None:
    statement = "select " + "a, " * sql.MAX_LENGTH + "'secret'"
    shape = fingerprint(statement)
    assert len(shape) <= sql.MAX_FINGERPRINT
    assert "secret" not in shape
    assert statement not in sql._known


def test_the_memory_is_bounded() -> None:
    for i in range(sql.MAX_KNOWN + 10):
        fingerprint(f"select a from t{i}")
    assert len(sql._known) <= sql.MAX_KNOWN


def test_what_is_not_a_statement_is_told_by_its_type() -> None:
    assert fingerprint(object()) == "object"
