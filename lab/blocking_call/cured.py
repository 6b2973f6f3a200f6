"""Stock levels through one async client that lives as long as the service."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI, Request


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    async with httpx.AsyncClient(base_url=os.environ["LAB_UPSTREAM_URL"], timeout=5) as client:
        yield {"warehouse": Warehouse(client)}


class Warehouse:
    """The same client, awaited."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def level(self, sku: str) -> int:
        return int((await self._get(f"/stock/{sku}"))["units"])

    async def _get(self, path: str) -> Any:
        response = await self.client.get(path)
        response.raise_for_status()
        return response.json()


app = FastAPI(lifespan=lifespan)


@app.get("/stock/{sku}")
async def stock(sku: str, request: Request) -> dict[str, Any]:
    return {"sku": sku, "units": await request.state.warehouse.level(sku)}


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}
