"""The database of the sick edition."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from lab.shop.common.settings import Settings

settings = Settings.from_env()
URL = settings.asyncpg_url

engine = create_async_engine(URL, pool_size=3, max_overflow=0)  # culprit: pool-starvation
SessionLocal = async_sessionmaker(engine, expire_on_commit=False)


async def get_session() -> AsyncIterator[AsyncSession]:
    async with SessionLocal() as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_session)]
