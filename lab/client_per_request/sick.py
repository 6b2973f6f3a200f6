"""Profiles from a partner; each request brings a client of its own."""

from __future__ import annotations

import os
from typing import Any

import httpx
from fastapi import FastAPI

app = FastAPI()
UPSTREAM = os.environ["LAB_UPSTREAM_URL"]


@app.get("/profile/{user_id}")
async def profile(user_id: int) -> Any:
    async with httpx.AsyncClient(base_url=UPSTREAM) as client:  # culprit: client-per-request
        response = await client.get(f"/profile/{user_id}")
    response.raise_for_status()
    return response.json()
