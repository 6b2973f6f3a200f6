"""Other teams' services: one client with timeouts, answers cached for as long as they hold."""

from __future__ import annotations

from typing import Any

import httpx
import orjson

from lab.shop.cured.cache import Cache

# Seconds that an answer may be old.
RATES_TTL_S = 60
PERSONAL_TTL_S = 30
STOCK_TTL_S = 5


class Partners:
    """What the shop asks of others. All methods raise `httpx.HTTPError` when they fail."""

    def __init__(self, client: httpx.AsyncClient, cache: Cache) -> None:
        self._client = client
        self._cache = cache

    async def profile(self, user_id: int) -> dict[str, Any]:
        return await self._get(f"/profile/{user_id}", PERSONAL_TTL_S)

    async def recommendations(self, user_id: int) -> list[dict[str, Any]]:
        return (await self._get(f"/recommendations/{user_id}", PERSONAL_TTL_S))["products"]

    async def reviews(self, user_id: int) -> list[dict[str, Any]]:
        return (await self._get(f"/reviews/{user_id}", PERSONAL_TTL_S))["reviews"]

    async def exchange_rates(self) -> dict[str, float]:
        return (await self._get("/rates", RATES_TTL_S))["rates"]

    async def stock(self, sku: str) -> dict[str, Any]:
        return await self._get(f"/stock/{sku}", STOCK_TTL_S)

    async def audit(self, event: str, user_id: int) -> None:
        response = await self._client.post("/audit", json={"event": event, "user_id": user_id})
        response.raise_for_status()

    async def _get(self, path: str, ttl_s: int) -> Any:
        async def fetch() -> bytes:
            response = await self._client.get(path)
            response.raise_for_status()
            return response.content

        return orjson.loads(await self._cache.get(path, ttl_s, fetch))
