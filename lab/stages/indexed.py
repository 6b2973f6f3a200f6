"""Second cure: one statement by an index for all purchases, and a session that ends before HTTP."""

from __future__ import annotations

import os
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


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(UPSTREAM, timeout=timeout) as client:
        yield {"client": client}


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
    rates = (await partner(client, "/rates"))["rates"]
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
