"""Other teams' services, as the sick edition calls them."""

from __future__ import annotations

from typing import Any

import httpx
import requests

from lab.shop.sick.database import settings

client = httpx.AsyncClient(base_url=settings.upstream_url, timeout=None)  # culprit: missing-timeout


class StockClient:
    """The warehouse team's SDK; it was written before anybody here used asyncio."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    def level(self, sku: str) -> dict[str, Any]:
        return self._get(f"/stock/{sku}")

    def _get(self, path: str) -> dict[str, Any]:
        response = requests.get(self.base_url + path, timeout=5)  # culprit: blocking-call
        response.raise_for_status()
        return response.json()


stock = StockClient(settings.upstream_url)


async def profile(user_id: int) -> dict[str, Any]:
    response = await client.get(f"/profile/{user_id}")
    response.raise_for_status()
    return response.json()


async def exchange_rates() -> dict[str, float]:
    response = await client.get("/rates")  # culprit: uncached-upstream
    response.raise_for_status()
    return response.json()["rates"]


async def audit(event: str, user_id: int) -> None:
    response = await client.post("/audit", json={"event": event, "user_id": user_id})
    response.raise_for_status()
