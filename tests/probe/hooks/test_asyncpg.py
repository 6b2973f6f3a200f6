"""asyncpg's hook: statements, pool, transactions, with the app's own lines."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import asyncpg
import pytest

from slowpath.probe.hooks.asyncpg import AsyncpgHook
from tests.probe.recorder import Record, recording


def here(offset: int = 0) -> int:
    """The caller's line, `offset` lines on."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno + offset


def at(record: Record) -> tuple[str, int]:
    return record.site.path, record.site.line


def test_statements_are_told_with_rows_and_connection(database_url: str) -> None:
    lines: list[int] = []

    async def main() -> list[Any]:
        lines.append(here(+1))
        connection = await asyncpg.connect(database_url)
        results: list[Any] = []
        lines.append(here(+1))
        results.append(await connection.execute("create temp table t (a int)"))
        lines.append(here(+1))
        await connection.executemany("insert into t values ($1)", [(1,), (2,), (3,)])
        lines.append(here(+1))
        results.append(len(await connection.fetch("select a from t where a > $1", 0)))
        lines.append(here(+1))
        results.append((await connection.fetchrow("select a from t where a = 2"))["a"])
        lines.append(here(+1))
        results.append(await connection.fetchval("select count(*) from t"))
        lines.append(here(+1))
        results.append(await connection.execute("update t set a = 0"))
        lines.append(here(+1))
        prepared = await connection.prepare("select $1::int")
        lines.append(here(+1))
        results.append(await prepared.fetchval(5))
        await connection.close()
        return results

    bare = asyncio.run(main())
    lines.clear()
    with recording(AsyncpgHook()) as seen:
        assert seen.run(main()) == bare

    [connected] = seen.spans("connect")
    statements = seen.spans("sql")
    assert [at(span) for span in (connected, *statements)] == [(__file__, line) for line in lines]
    assert [span.resource for span in statements] == [
        "create temp table t (a int)",
        "insert into t values (?)",
        "select a from t where a > ?",
        "select a from t where a = ?",
        "select count(*) from t",
        "update t set a = ?",
        "select ?::int",
        "select ?::int",
    ]
    assert [span.a for span in statements] == [-1, 0, 3, 1, -1, 3, 1, 1]
    assert {span.b for span in statements} == {connected.a}
    assert all(span.is_async for span in statements)
    assert connected.resource == "asyncpg 127.0.0.1/postgres"
    assert not {at(span)[1] for span in seen.spans("await")} & set(lines)


def test_a_pool_tells_waiting_holding_and_transactions(database_url: str) -> None:
    lines: dict[str, int] = {}

    async def main() -> None:
        async with asyncpg.create_pool(database_url, min_size=1, max_size=1) as pool:
            held, waiting = asyncio.Event(), asyncio.Event()

            async def holder() -> None:
                lines["holder"] = here(+1)
                async with pool.acquire() as connection:
                    held.set()
                    await waiting.wait()
                    lines["transaction"] = here(+1)
                    async with connection.transaction():
                        await connection.execute("select pg_sleep(0.01)")
                        async with connection.transaction():
                            await connection.execute("select 1")

            async def waiter() -> None:
                await held.wait()
                waiting.set()
                lines["waiter"] = here(+1)
                await pool.fetchval("select 2")

            await asyncio.gather(holder(), waiter())

    with recording(AsyncpgHook()) as seen:
        seen.run(main())
    [wait] = seen.spans("pool_wait")
    first, second = seen.spans("checkout")
    [transaction] = seen.spans("transaction")
    assert at(wait) == at(second) == (__file__, lines["waiter"])
    assert at(first) == (__file__, lines["holder"])
    assert at(transaction) == (__file__, lines["transaction"])
    assert wait.is_async
    assert wait.b == first.b == 1
    assert wait.a == first.a == second.a == transaction.a
    assert first.start < wait.start < first.end < wait.end
    assert first.start < transaction.start < transaction.end < first.end
    inner = [span.resource for span in seen.spans("sql") if span.line == first.line]
    assert inner[0] == "BEGIN"
    assert "select pg_sleep(?)" in inner
    assert "COMMIT" in inner
    assert "RESET" in inner


def test_a_task_beside_a_query_is_told_too(database_url: str) -> None:
    async def main() -> None:
        one, two = await asyncpg.connect(database_url), await asyncpg.connect(database_url)

        async def beside() -> None:
            await two.execute("select 'beside'")

        task = asyncio.ensure_future(beside())
        await one.execute("select pg_sleep(0.01), 'outer'")
        await task
        await one.close()
        await two.close()

    with recording(AsyncpgHook()) as seen:
        seen.run(main())
    assert {span.resource for span in seen.spans("sql")} == {"select pg_sleep(?), ?", "select ?"}


def test_an_error_is_told_and_the_same(database_url: str) -> None:
    async def main() -> str:
        connection = await asyncpg.connect(database_url)
        with pytest.raises(asyncpg.UndefinedTableError) as caught:
            await connection.fetch("select * from nowhere where a = 'x'")
        await connection.close()
        return repr(caught.value)

    bare = asyncio.run(main())
    with recording(AsyncpgHook()) as seen:
        assert seen.run(main()) == bare
    [failed] = seen.spans("sql")
    assert failed.failed
    assert failed.resource == "select * from nowhere where a = ?"


def test_a_broken_hook_never_reaches_the_app(database_url: str) -> None:
    async def main() -> Any:
        async with (
            asyncpg.create_pool(database_url, min_size=1, max_size=1) as pool,
            pool.acquire() as connection,
            connection.transaction(),
        ):
            return await connection.fetchval("select 1")

    with recording(AsyncpgHook(), broken=True) as seen:
        assert seen.run(main()) == 1
