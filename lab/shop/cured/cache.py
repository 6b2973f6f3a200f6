"""A cache in Redis whose misses are fetched once, however many ask at the same time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from redis import asyncio as redis
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

Fetch = Callable[[], Awaitable[bytes]]


class Cache:
    """Bytes by key. Without Redis it goes on, only slower."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self._client = client
        self._prefix = prefix
        self._flights: dict[str, asyncio.Task[bytes]] = {}

    async def get(self, key: str, ttl_s: int, fetch: Fetch) -> bytes:
        """The cached value, or that of `fetch`, which is then kept for `ttl_s` seconds.

        Raises what `fetch` raises, to everybody who waits for it.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.create_task(self._look_up(self._prefix + key, ttl_s, fetch))
            self._flights[key] = flight
            flight.add_done_callback(lambda _: self._flights.pop(key))
        # Others may wait for it too, so one caller that goes away must not end it.
        return await asyncio.shield(flight)

    async def _look_up(self, key: str, ttl_s: int, fetch: Fetch) -> bytes:
        try:
            cached = await self._client.get(key)
        except RedisError as exc:
            log.warning("cache is not available: %s", exc)
            return await fetch()
        if isinstance(cached, bytes):
            return cached
        value = await fetch()
        try:
            await self._client.set(key, value, ex=ttl_s)
        except RedisError as exc:
            log.warning("could not cache %s: %s", key, exc)
        return value
