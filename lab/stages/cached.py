"""Third cure: what is the same for all, the exchange rates, is kept for a minute."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
from fastapi import FastAPI, HTTPException, Request, Response
from sqlalchemy import select

from lab.database import sessions
from lab.stages.models import Product, Purchase, User

UPSTREAM = os.environ["LAB_UPSTREAM_URL"]
SessionLocal = sessions(pool_size=40)
MAX_AGE_S = 60.0


class Rates:
    """The exchange rates; when they are too old, one caller fetches them for all."""

    def __init__(self, client: aiohttp.ClientSession) -> None:
        self._client = client
        self._rates: dict[str, float] = {}
        self._fresh_until = 0.0
        self._fetching = asyncio.Lock()

    async def get(self) -> dict[str, float]:
        if time.monotonic() >= self._fresh_until:
            async with self._fetching:
                if time.monotonic() >= self._fresh_until:
                    self._rates = (await partner(self._client, "/rates"))["rates"]
                    self._fresh_until = time.monotonic() + MAX_AGE_S
        return self._rates


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(UPSTREAM, timeout=timeout) as client:
        yield {"client": client, "rates": Rates(client)}


app = FastAPI(lifespan=lifespan)


async def partner(client: aiohttp.ClientSession, path: str) -> Any:
    async with client.get(path) as response:
        response.raise_for_status()
        return await response.json()


@app.get("/users/{user_id}")
async def page(user_id: int, request: Request) -> Response:
    client = request.state.client
    query = (
        select(Product.name, Product.price_cents, Purchase.quantity)
        .join(Purchase, Purchase.product_id == Product.id)
        .where(Purchase.user_id == user_id)
        .order_by(Purchase.id)
    )
    async with SessionLocal() as session:
        user = await session.get(User, user_id)
        if user is None:
            raise HTTPException(404, "no such user")
        lines = [
            {"product": name, "quantity": quantity, "cents": quantity * price}
            for name, price, quantity in await session.execute(query)
        ]
    profile = await partner(client, f"/profile/{user_id}")
    rates = await request.state.rates.get()
    total = sum(line["cents"] for line in lines)
    content = {
        "id": user.id,
        "name": user.name,
        "email": user.email,
        "profile": profile,
        "purchases": lines,
        "total": {currency: round(total * rate / 100, 2) for currency, rate in rates.items()},
    }
    return Response(orjson.dumps(content), media_type="application/json")
