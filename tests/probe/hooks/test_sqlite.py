"""sqlite3's and aiosqlite's hooks."""

from __future__ import annotations

import inspect
import sqlite3
from typing import Any

import aiosqlite
import pytest

from slowpath.probe.hooks.sqlite import AiosqliteHook, SqliteHook
from tests.probe.recorder import Record, recording


def here(offset: int = 0) -> int:
    """The caller's line, `offset` lines on."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno + offset


def at(record: Record) -> tuple[str, int]:
    return record.site.path, record.site.line


def test_sqlite3_tells_statements_and_fetching() -> None:
    with recording(SqliteHook()) as seen, seen.line():
        connection = sqlite3.connect(":memory:")
        assert isinstance(connection, sqlite3.Connection)
        first = here(+1)
        connection.execute("create table t (a)")
        cursor = connection.cursor()
        second = here(+1)
        cursor.executemany("insert into t values (?)", [(i,) for i in range(5000)])
        third = here(+1)
        cursor.execute("select a from t where a >= 0")
        fourth = here(+1)
        assert len(cursor.fetchall()) == 5000
        connection.close()
    statements = seen.spans("sql")
    assert [(span.resource, span.a, at(span)[1]) for span in statements] == [
        ("create table t (a)", -1, first),
        ("insert into t values (?)", 5000, second),
        ("select a from t where a >= ?", -1, third),
    ]
    [read] = seen.spans("fetch")
    assert (read.a, at(read)) == (5000, (__file__, fourth))


def test_a_connection_of_the_apps_own_class_stays_so() -> None:
    class Own(sqlite3.Connection):
        pass

    with recording(SqliteHook()) as seen, seen.line():
        connection = sqlite3.connect(":memory:", factory=Own)
        assert type(connection) is Own
        connection.execute("select 1")
        connection.close()
    assert seen.spans("sql") == []


def test_aiosqlite_tells_what_it_hands_to_its_thread() -> None:
    lines: list[int] = []

    async def main() -> Any:
        async with aiosqlite.connect(":memory:") as connection:
            lines.append(here(+1))
            await connection.execute("create table t (a)")
            lines.append(here(+1))
            await connection.executemany("insert into t values (?)", [(i,) for i in range(50)])
            lines.append(here(+1))
            await connection.commit()
            lines.append(here(+1))
            async with connection.execute("select a from t where a > 9") as cursor:
                lines.append(here(+1))
                return len(list(await cursor.fetchall()))

    with recording(AiosqliteHook(), SqliteHook()) as seen:
        assert seen.run(main()) == 40
    # Of the other turns of its thread (making and closing) nothing but their time is told.
    told = [*seen.spans("sql"), *(span for span in seen.spans("fetch") if span.a >= 0)]
    assert [(span.resource, span.a) for span in told] == [
        ("create table t (a)", -1),
        ("insert into t values (?)", 50),
        ("COMMIT", -1),
        ("select a from t where a > ?", -1),
        ("", 40),
    ]
    assert [at(span) for span in told] == [(__file__, line) for line in lines]
    assert all(span.is_async for span in told)


def test_every_turn_of_aiosqlite_s_thread_is_told() -> None:
    async def main() -> None:
        async with aiosqlite.connect(":memory:") as connection:
            cursor = await connection.cursor()  # as SQLAlchemy does, around each statement
            await cursor.close()

    with recording(AiosqliteHook()) as seen:
        seen.run(main())
    made, closed, ended = seen.spans("fetch")
    assert [span.resource for span in (made, closed, ended)] == ["", "", ""]
    assert made.end <= closed.start
    assert all(span.is_async for span in (made, closed, ended))


def test_an_error_is_the_same_and_a_broken_hook_unseen() -> None:
    def run() -> str:
        connection = sqlite3.connect(":memory:")
        with pytest.raises(sqlite3.OperationalError) as caught:
            connection.execute("select * from nowhere")
        connection.close()
        return str(caught.value)

    bare = run()
    with recording(SqliteHook()) as seen, seen.line():
        assert run() == bare
    assert [span.failed for span in seen.spans("sql")] == [True]
    with recording(SqliteHook(), broken=True) as seen, seen.line():
        assert run() == bare


def test_a_broken_aiosqlite_hook_is_unseen() -> None:
    async def main() -> Any:
        async with (
            aiosqlite.connect(":memory:") as connection,
            connection.execute("select 1") as cursor,
        ):
            return await cursor.fetchone()

    with recording(AiosqliteHook(), broken=True) as seen:
        assert tuple(seen.run(main())) == (1,)
