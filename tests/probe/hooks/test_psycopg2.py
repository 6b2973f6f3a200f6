"""psycopg2's hook: subclasses that tell, and that pass for the originals."""

from __future__ import annotations

import inspect

import psycopg2
import psycopg2.extras
import pytest

from slowpath.probe.hooks.psycopg2 import Psycopg2Hook
from tests.probe.recorder import Record, recording


def here(offset: int = 0) -> int:
    """The caller's line, `offset` lines on."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno + offset


def at(record: Record) -> tuple[str, int]:
    return record.site.path, record.site.line


def test_statements_are_told(database_url: str) -> None:
    with recording(Psycopg2Hook()) as seen, seen.line():
        first = here(+1)
        connection = psycopg2.connect(database_url)
        with connection, connection.cursor() as cursor:
            second = here(+1)
            cursor.execute("select generate_series(1, %s)", (300,))
            assert len(cursor.fetchall()) == 300
            assert isinstance(cursor, psycopg2.extensions.cursor)
            assert cursor.connection is connection
        assert isinstance(connection, psycopg2.extensions.connection)
        connection.close()
    [connected] = seen.spans("connect")
    assert (connected.resource, at(connected)) == (
        "psycopg2 127.0.0.1/postgres",
        (__file__, first),
    )
    statement = seen.spans("sql")[0]
    assert (statement.resource, statement.a) == ("select generate_series(?, ?)", 300)
    assert at(statement) == (__file__, second)


def test_cursors_of_the_apps_own_class_are_left_alone(database_url: str) -> None:
    with recording(Psycopg2Hook()) as seen, seen.line():
        connection = psycopg2.connect(database_url, cursor_factory=psycopg2.extras.RealDictCursor)
        cursor = connection.cursor()
        cursor.execute("select 1 as a")
        assert cursor.fetchone() == {"a": 1}
        assert type(cursor) is psycopg2.extras.RealDictCursor
        named = connection.cursor("named", cursor_factory=psycopg2.extras.DictCursor)
        assert type(named) is psycopg2.extras.DictCursor
        connection.close()
    assert seen.spans("sql") == []


def test_an_error_is_the_same_and_a_broken_hook_unseen(database_url: str) -> None:
    def run() -> str:
        connection = psycopg2.connect(database_url)
        try:
            with pytest.raises(psycopg2.errors.UndefinedTable) as caught:
                connection.cursor().execute("select * from nowhere")
            return str(caught.value)
        finally:
            connection.close()

    bare = run()
    with recording(Psycopg2Hook()) as seen, seen.line():
        assert run() == bare
    [failed] = seen.spans("sql")
    assert failed.failed
    with recording(Psycopg2Hook(), broken=True) as seen, seen.line():
        assert run() == bare
