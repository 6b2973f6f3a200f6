"""Prices in the caller's currency; the rates are kept for a minute and fetched once."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI, Request

UPSTREAM = os.environ["LAB_UPSTREAM_URL"]
MAX_AGE_S = 60.0


class Rates:
    """The exchange rates; when they are too old, one caller fetches them for all."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._rates: dict[str, float] = {}
        self._fresh_until = 0.0
        self._fetching = asyncio.Lock()

    async def get(self) -> dict[str, float]:
        if time.monotonic() >= self._fresh_until:
            async with self._fetching:
                if time.monotonic() >= self._fresh_until:
                    response = await self._client.get("/rates")
                    response.raise_for_status()
                    self._rates = response.json()["rates"]
                    self._fresh_until = time.monotonic() + MAX_AGE_S
        return self._rates


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    async with httpx.AsyncClient(base_url=UPSTREAM, timeout=5) as client:
        yield {"rates": Rates(client)}


app = FastAPI(lifespan=lifespan)


@app.get("/prices/{product_id}")
async def price(product_id: int, request: Request, currency: str = "JPY") -> dict[str, Any]:
    rate = (await request.state.rates.get())[currency]
    return {"product_id": product_id, "price": round(product_id * 0.99 * rate, 2)}
