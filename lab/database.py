"""The database of the lab's small apps: one engine with a pool fit for their load."""

from __future__ import annotations

import os
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine


def sessions(**engine: Any) -> async_sessionmaker[AsyncSession]:
    """Return the maker of sessions on LAB_DATABASE_URL.

    Args:
        engine: what to set on the engine, such as `pool_size`.
    """
    url = os.environ["LAB_DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://", 1)
    return async_sessionmaker(
        create_async_engine(url, **{"pool_size": 10, "max_overflow": 0, **engine}),
        expire_on_commit=False,
    )
