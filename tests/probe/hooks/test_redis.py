"""redis-py against a real server: commands without keys, connections, a pool that blocks."""

import asyncio
import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from slowpath.probe.hooks.redis import RedisAsyncioHook, RedisHook
from tests.probe.recorder import recording


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    given = os.environ.get("SLOWPATH_TEST_REDIS")  # where the server cannot be installed
    if given:
        yield given
        return
    services = pytest.importorskip("lab.services")
    with services.redis() as server:
        yield server.url


@pytest.fixture
def place(url: str) -> str:
    kwargs = redis.ConnectionPool.from_url(url).connection_kwargs
    return f"redis {kwargs['host']}:{kwargs['port']}/{kwargs.get('db') or 0}"


def here() -> int:
    """Return the line number of the caller."""
    return sys._getframe(1).f_lineno


def test_a_command_is_named_without_its_key(url, place):
    async def main():
        async with redis.asyncio.from_url(url) as client:
            await client.set("secret-key", "secret-value")
            value = await client.get("secret-key")
            return value, here() - 1

    with recording(RedisAsyncioHook()) as seen:
        value, line = seen.run(main())
    assert value == b"secret-value"
    written, read = seen.spans("cache")
    assert (written.resource, read.resource) == (f"SET {place}", f"GET {place}")
    assert read.site[:2] == (__file__, line)
    assert (read.a, read.b) == (len(value), 1)
    assert read.is_async
    assert "secret" not in str(seen.records)
    # The connection's end is a wait of its own.
    assert [span for span in seen.spans("await") if span.start < read.end] == []


def test_a_client_made_in_a_request_and_its_connection_are_handshakes(url, place):
    async def main():
        made = here() + 1
        async with redis.asyncio.from_url(url) as client:
            asked = here() + 1
            await client.ping()
            await client.ping()  # the connection is kept
        return made, asked

    with recording(RedisAsyncioHook()) as seen:
        made, asked = seen.run(main())
    client, connection = seen.spans("connect")
    assert (client.resource, client.site.line) == ("redis.asyncio.Redis", made)
    assert (connection.resource, connection.site.line) == (place, asked)


def test_a_client_for_a_shared_pool_is_no_handshake(url):
    pool = redis.asyncio.ConnectionPool.from_url(url)

    async def main():
        client = redis.asyncio.Redis(connection_pool=pool)
        await client.ping()
        await pool.disconnect()

    with recording(RedisAsyncioHook()) as seen:
        seen.run(main())
    assert "redis.asyncio.Redis" not in [span.resource for span in seen.spans("connect")]


def test_a_pipeline_is_one_span(url, place):
    async def main():
        async with redis.asyncio.from_url(url) as client, client.pipeline() as pipe:
            return await pipe.set("a", 1).incr("a").get("a").execute()

    with recording(RedisAsyncioHook()) as seen:
        assert seen.run(main()) == [True, 2, b"2"]
    [span] = seen.spans("cache")
    assert (span.resource, span.b) == (f"PIPELINE {place}", 3)


def test_waiting_for_a_blocking_pool_names_who_had_the_connection(url, place):
    lines: dict[str, int] = {}

    async def main():
        pool = redis.asyncio.BlockingConnectionPool.from_url(url, max_connections=1, timeout=5)
        client = redis.asyncio.Redis(connection_pool=pool)
        await client.delete("queue")

        async def holder():
            lines["holder"] = here() + 1
            return await client.blpop("queue", timeout=5)

        async def waiter():
            await client.get("x")

        tasks = [asyncio.create_task(holder())]
        await asyncio.sleep(0.01)
        tasks.append(asyncio.create_task(waiter()))
        await asyncio.sleep(0.01)
        async with redis.asyncio.from_url(url) as other:
            await other.rpush("queue", "item")
        await asyncio.gather(*tasks)
        await pool.disconnect()

    with recording(RedisAsyncioHook()) as seen:
        seen.run(main())
    [wait] = seen.spans("pool_wait")
    held = next(s for s in seen.spans("checkout") if s.site.line == lines["holder"])
    assert wait.resource == held.resource == place
    assert wait.a == held.a
    assert wait.b == held.b == 1
    assert wait.line != held.line
    assert held.start < wait.start < held.end <= wait.end


def test_synchronous_client(url, place):
    with recording(RedisHook()) as seen, seen.line():
        client = redis.Redis.from_url(url)
        client.set("k", "value")
        value = client.get("k")
        line = here() - 1
        with client.pipeline() as pipe:
            pipe.watch("k")
            pipe.get("k")
            pipe.multi()
            pipe.get("k")
            assert pipe.execute() == [b"value"]
        client.close()
    assert value == b"value"
    assert [span.resource.split()[0] for span in seen.spans("cache")] == [
        "SET",
        "GET",
        "WATCH",
        "GET",
        "PIPELINE",
    ]
    assert seen.spans("cache")[1].site[:2] == (__file__, line)
    assert [span.resource for span in seen.spans("connect")] == ["redis.Redis", place]
    assert not any(span.is_async for span in seen.spans("cache"))


def test_synchronous_blocking_pool(url, place):
    with recording(RedisHook()) as seen, seen.line():
        pool = redis.BlockingConnectionPool.from_url(url, max_connections=1, timeout=0.02)
        client = redis.Redis(connection_pool=pool)
        with client.pipeline() as pipe:
            pipe.watch("k")
            with pytest.raises(redis.ConnectionError):
                client.get("k")
        pool.disconnect()
    [wait] = seen.spans("pool_wait")
    [held] = seen.spans("checkout")
    assert (wait.resource, wait.a, wait.b, wait.failed) == (place, -1, 1, True)
    assert held.start < wait.start < wait.end < held.end


def outcomes(url: str) -> Any:
    async def main():
        outcome: list[Any] = []
        async with redis.asyncio.from_url(url, decode_responses=True) as client:
            await client.set("text", "value")
            outcome.append(await client.get("text"))
            outcome.append(await client.execute_command("GET text"))
            for bad in (client.lpush("text", 1), client.execute_command("NOSUCH", "key")):
                try:
                    await bad
                except redis.ResponseError as exc:
                    outcome.append(str(exc))
        try:
            await redis.asyncio.Redis(host="127.0.0.1", port=1, retry=Retry(NoBackoff(), 0)).ping()
        except redis.ConnectionError as exc:
            outcome.append(type(exc))
        return outcome

    return main()


def test_results_and_exceptions_are_the_same_with_and_without(url):
    plain = asyncio.run(outcomes(url))
    with recording(RedisAsyncioHook()) as seen:
        assert seen.run(outcomes(url)) == plain
    assert [span.failed for span in seen.spans("cache")] == [False] * 3 + [True] * 3
    assert "GET text" not in str(seen.records)


@pytest.mark.parametrize("hook", [RedisHook, RedisAsyncioHook])
def test_a_broken_hook_never_reaches_the_app(url, hook):
    async def main():
        async with redis.asyncio.from_url(url) as client:
            await client.set("k", 1)
            return await client.get("k")

    with recording(hook(), broken=True) as seen, seen.line():
        if hook is RedisHook:
            client = redis.Redis.from_url(url)
            client.set("k", 1)
            assert client.get("k") == b"1"
            client.close()
        else:
            assert seen.run(main()) == b"1"
