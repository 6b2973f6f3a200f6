"""Products from a database whose pool holds two connections."""

from __future__ import annotations

import os
from typing import Any

from fastapi import FastAPI
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

app = FastAPI()
URL = os.environ["LAB_DATABASE_URL"].replace("postgresql", "postgresql+asyncpg", 1)
engine = create_async_engine(URL, pool_size=2, max_overflow=0)  # culprit: pool-starvation
SessionLocal = async_sessionmaker(engine)


@app.get("/products/{product_id}")
async def product(product_id: int) -> dict[str, Any]:
    async with SessionLocal() as session:
        name = await session.scalar(select(func.remote_name(product_id)))
        price = await session.scalar(select(func.remote_price(product_id)))
        units = await session.scalar(select(func.remote_units(product_id)))
    return {"name": name, "price_cents": price, "units": units}
