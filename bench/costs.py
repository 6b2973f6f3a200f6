"""What the pieces of cures cost: the constants in edits, measured on this machine.

    python -m bench.costs

A compiled JSON encoder's share of the standard library's time, for bodies of several kinds; what
async HTTP clients compute for a call while their loop is busy with others; and what PostgreSQL
computes for a row by its key. See `slowpath.causes.blocking_serializer.edit`,
`slowpath.simulate.where` and `slowpath.simulate.contention`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from random import Random

import aiohttp
import httpx
import orjson
import psycopg

from lab.processes import ServiceError
from lab.services import postgres, upstream

REPEATS = 15
CALLS, CALLERS = 2_000, 20
UPSTREAM_MS = 5.0


def bodies(rng: Random) -> Mapping[str, object]:
    """Return what responses are made of."""
    words = ["".join(rng.choices("abcdefghijklmnop", k=rng.randint(3, 9))) for _ in range(1000)]
    return {
        "rows of small values": [
            {
                "id": n,
                "name": " ".join(rng.choices(words, k=2)),
                "price": rng.random() * 100,
                "active": rng.random() < 0.5,
                "tags": rng.sample(words, 3),
                "stock": None,
            }
            for n in range(3000)
        ],
        "long texts": [{"id": n, "text": " ".join(rng.choices(words, k=200))} for n in range(500)],
        "floats": [[rng.random() for _ in range(100)] for _ in range(200)],
        "integers": [[rng.randrange(10**6) for _ in range(100)] for _ in range(300)],
        "nested": [{"a": {"b": {"c": n, "d": [{"e": 1}, {"f": "x"}]}}} for n in range(3000)],
    }


def plain(body: object) -> bytes:
    """Encode as Starlette's JSONResponse does it."""
    text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode()


def best_ms(encode: Callable[[object], bytes], body: object) -> float:
    """Return the least of several times, ms."""
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter_ns()
        encode(body)
        times.append(time.perf_counter_ns() - began)
    return min(times) / 1e6


async def _computed_us(call: Callable[[str], Awaitable[object]], url: str) -> float:
    """Return the processor time of this process for each call, µs."""
    left = iter(range(CALLS))

    async def caller() -> None:
        for n in left:
            await call(f"{url}/profile/{n}")

    for part in (iter(range(CALLS // 10)), iter(range(CALLS))):
        left, began = part, time.process_time_ns()
        await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return (time.process_time_ns() - began) / CALLS / 1e3


async def _clients(url: str) -> Mapping[str, float]:
    found = {}
    async with httpx.AsyncClient() as client:

        async def by_httpx(address: str) -> object:
            return (await client.get(address)).json()

        found["httpx"] = await _computed_us(by_httpx, url)
    async with aiohttp.ClientSession() as session:

        async def by_aiohttp(address: str) -> object:
            async with session.get(address) as response:
                return await response.json()

        found["aiohttp"] = await _computed_us(by_aiohttp, url)
    return found


def _statement_us(url: str) -> float:
    """Return the processor time of the database for a row by its key, µs; 0 if it is not told."""
    query = "SELECT id, name FROM things WHERE id = %s"
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE things (id integer PRIMARY KEY, name text)")
        connection.execute(
            "INSERT INTO things SELECT n, 'Thing ' || n FROM generate_series(1, %s) AS n", (CALLS,)
        )
        spent = Path(f"/proc/{connection.info.backend_pid}/schedstat")
        if not spent.exists():
            return 0.0
        for _ in range(2):
            began = int(spent.read_text().split()[0])
            for n in range(CALLS):
                connection.execute(query, (n,), prepare=True).fetchone()
        return (int(spent.read_text().split()[0]) - began) / CALLS / 1e3


def main(argv: Sequence[str] | None = None) -> int:
    print(f"{'body':24} {'json, ms':>9} {'orjson, ms':>11} {'share':>7}")
    for name, body in bodies(Random(1)).items():
        slow, fast = best_ms(plain, body), best_ms(orjson.dumps, body)
        print(f"{name:24} {slow:9.2f} {fast:11.2f} {fast / slow:7.3f}")
    try:
        with upstream(UPSTREAM_MS) as partner:
            calls = asyncio.run(_clients(partner.url))
        with postgres() as server:
            statement = _statement_us(server.url)
    except ServiceError as exc:
        print(exc, file=sys.stderr)
        return 2
    print(f"\n{'client':24} {'computed for a call, µs':>24}")
    for name, microseconds in calls.items():
        print(f"{name:24} {microseconds:24.0f}")
    print(f"\nPostgreSQL, for a row by its key: {statement:.0f} µs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
