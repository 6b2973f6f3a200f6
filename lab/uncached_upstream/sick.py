"""Prices in the caller's currency; the day's rates are fetched for each."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI, Request

UPSTREAM = os.environ["LAB_UPSTREAM_URL"]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    async with httpx.AsyncClient(base_url=UPSTREAM, timeout=5) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


async def rates(client: httpx.AsyncClient) -> dict[str, float]:
    response = await client.get("/rates")  # culprit: uncached-upstream
    response.raise_for_status()
    return response.json()["rates"]


@app.get("/prices/{product_id}")
async def price(product_id: int, request: Request, currency: str = "JPY") -> dict[str, Any]:
    rate = (await rates(request.state.client))[currency]
    return {"product_id": product_id, "price": round(product_id * 0.99 * rate, 2)}
