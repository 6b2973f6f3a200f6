"""Everything that lives as long as the process: made in the lifespan, closed in the lifespan."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

import httpx
from fastapi import Depends
from redis import asyncio as redis
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from starlette.requests import HTTPConnection

from lab.shop.common.scoring import Scorer
from lab.shop.common.settings import Settings
from lab.shop.cured.background import BackgroundQueue
from lab.shop.cured.batching import MicroBatcher
from lab.shop.cured.cache import Cache
from lab.shop.cured.hashing import PasswordHasher
from lab.shop.cured.partners import Partners

POOL_SIZE = 10
POOL_TIMEOUT_S = 5
STATEMENT_TIMEOUT_MS = 5_000
REDIS_TIMEOUT_S = 1.0
UPSTREAM_TIMEOUT = httpx.Timeout(5.0, connect=1.0)
UPSTREAM_LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=50)


@dataclass(frozen=True)
class Resources:
    """What the handlers share."""

    sessions: async_sessionmaker[AsyncSession]
    redis: redis.Redis
    cache: Cache
    partners: Partners
    hasher: PasswordHasher
    scores: MicroBatcher[tuple[int, int], float]
    background: BackgroundQueue


@asynccontextmanager
async def open_resources(settings: Settings) -> AsyncIterator[Resources]:
    """Open all of them, and close them in the opposite order."""
    async with AsyncExitStack() as stack:
        engine = create_async_engine(
            settings.asyncpg_url,
            pool_size=POOL_SIZE,
            max_overflow=0,
            pool_timeout=POOL_TIMEOUT_S,
            # Every handler reads once; a transaction around that is two more trips.
            isolation_level="AUTOCOMMIT",
            connect_args={"server_settings": {"statement_timeout": str(STATEMENT_TIMEOUT_MS)}},
        )
        stack.push_async_callback(engine.dispose)
        cache_client = redis.from_url(
            settings.redis_url,
            socket_timeout=REDIS_TIMEOUT_S,
            socket_connect_timeout=REDIS_TIMEOUT_S,
        )
        stack.push_async_callback(cache_client.aclose)
        http = await stack.enter_async_context(
            httpx.AsyncClient(
                base_url=settings.upstream_url, timeout=UPSTREAM_TIMEOUT, limits=UPSTREAM_LIMITS
            )
        )
        cache = Cache(cache_client, prefix="cured:")
        yield Resources(
            sessions=async_sessionmaker(engine, expire_on_commit=False),
            redis=cache_client,
            cache=cache,
            partners=Partners(http, cache),
            hasher=await stack.enter_async_context(PasswordHasher()),
            scores=await stack.enter_async_context(MicroBatcher(Scorer().scores)),
            background=await stack.enter_async_context(BackgroundQueue()),
        )


async def get_resources(connection: HTTPConnection) -> Resources:
    resources: Resources = connection.app.state.resources
    return resources


Shared = Annotated[Resources, Depends(get_resources)]
