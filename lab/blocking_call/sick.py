"""Stock levels from the warehouse's own client, which knows nothing of asyncio."""

from __future__ import annotations

import os
from typing import Any

import requests
from fastapi import FastAPI

app = FastAPI()


class Warehouse:
    """The client as the warehouse team hands it out."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.session = requests.Session()

    def level(self, sku: str) -> int:
        return int(self._get(f"/stock/{sku}")["units"])

    def _get(self, path: str) -> Any:
        response = self.session.get(self.base_url + path, timeout=5)  # culprit: blocking-call
        response.raise_for_status()
        return response.json()


warehouse = Warehouse(os.environ["LAB_UPSTREAM_URL"])


@app.get("/stock/{sku}")
async def stock(sku: str) -> dict[str, Any]:
    return {"sku": sku, "units": warehouse.level(sku)}


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}
