"""Profiles from a partner, through one client that lives as long as the service."""

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
        yield {"partner": client}


app = FastAPI(lifespan=lifespan)


@app.get("/profile/{user_id}")
async def profile(user_id: int, request: Request) -> Any:
    response = await request.state.partner.get(f"/profile/{user_id}")
    response.raise_for_status()
    return response.json()
