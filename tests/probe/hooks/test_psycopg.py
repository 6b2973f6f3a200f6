"""psycopg's hooks: statements, transactions and the pool, sync and asyncio."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import psycopg
import psycopg_pool
import pytest
from psycopg import sql

from slowpath.probe.hooks.psycopg import PsycopgHook
from slowpath.probe.hooks.psycopg_pool import PsycopgPoolHook
from tests.probe.recorder import Record, recording


def here(offset: int = 0) -> int:
    """The caller's line, `offset` lines on."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno + offset


def at(record: Record) -> tuple[str, int]:
    return record.site.path, record.site.line


def test_a_connection_tells_statements_and_transactions(database_url: str) -> None:
    with recording(PsycopgHook()) as seen, seen.line():
        first = here(+1)
        with psycopg.connect(database_url) as connection:
            second = here(+1)
            found = connection.execute("select generate_series(1, %s)", [300]).fetchall()
            third = here(+1)
            connection.execute(sql.SQL("select {}").format(sql.Literal("secret")))
            fourth = here(+1)
            connection.commit()
    assert len(found) == 300
    [connected] = seen.spans("connect")
    assert at(connected) == (__file__, first)
    assert connected.resource == "psycopg 127.0.0.1/postgres"
    one, two, *rest = seen.spans("sql")
    assert (one.resource, one.a, at(one)) == (
        "select generate_series(?, ?)",
        300,
        (__file__, second),
    )
    assert (two.resource, two.a, at(two)) == ("select ?", 1, (__file__, third))
    assert [span.resource for span in rest if at(span)[1] == fourth] == ["COMMIT"]
    [transaction] = seen.spans("transaction")
    assert at(transaction) == (__file__, second)
    assert transaction.start <= one.start
    assert transaction.end >= two.end
    assert transaction.a == one.b == connected.a


def test_an_async_pool_tells_waiting_and_holding(database_url: str) -> None:
    lines: dict[str, int] = {}

    async def main() -> Any:
        pool = psycopg_pool.AsyncConnectionPool(database_url, min_size=1, max_size=1, open=False)
        async with pool:
            await pool.wait()
            held, waiting = asyncio.Event(), asyncio.Event()

            async def holder() -> None:
                lines["holder"] = here(+1)
                async with pool.connection() as connection:
                    held.set()
                    await waiting.wait()
                    lines["transaction"] = here(+1)
                    async with connection.transaction():
                        await connection.execute("select pg_sleep(0.01)")

            async def waiter() -> Any:
                await held.wait()
                waiting.set()
                lines["waiter"] = here(+1)
                async with pool.connection() as connection:
                    return await (await connection.execute("select 2")).fetchone()

            return (await asyncio.gather(holder(), waiter()))[1]

    with recording(PsycopgHook(), PsycopgPoolHook()) as seen:
        assert seen.run(main()) == (2,)
    [wait] = [span for span in seen.spans("pool_wait") if at(span)[1] == lines["waiter"]]
    first, second = seen.spans("checkout")
    assert at(first) == (__file__, lines["holder"])
    assert at(second) == (__file__, lines["waiter"])
    assert wait.is_async
    assert wait.b == first.b == 1
    assert wait.a == first.a == second.a
    assert first.start < wait.start
    assert "select pg_sleep(?)" in [span.resource for span in seen.spans("sql")]


def test_a_failing_statement_is_told_and_its_error_is_the_same(database_url: str) -> None:
    def run() -> str:
        with (
            psycopg.connect(database_url) as connection,
            pytest.raises(psycopg.errors.UndefinedTable) as caught,
        ):
            connection.execute("select * from nowhere where a = 'x'")
        return str(caught.value)

    bare = run()
    with recording(PsycopgHook()) as seen, seen.line():
        assert run() == bare
    [failed] = [span for span in seen.spans("sql") if "nowhere" in span.resource]
    assert failed.failed
    assert failed.resource == "select * from nowhere where a = ?"


@pytest.mark.parametrize("hooks", [(PsycopgHook,), (PsycopgPoolHook,)])
def test_a_broken_hook_never_reaches_the_app(hooks: Any, database_url: str) -> None:
    with psycopg_pool.ConnectionPool(database_url, min_size=1, max_size=1, open=True) as pool:
        pool.wait()
        made = [make() for make in hooks]
        with (
            recording(*made, broken=True) as seen,
            seen.line(),
            pool.connection() as connection,
        ):
            assert connection.execute("select 1").fetchone() == (1,)
