"""Users with their profile at a partner, fetched while the session is open."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI, Request

from lab.database import sessions
from lab.long_transaction.models import User

UPSTREAM = os.environ["LAB_UPSTREAM_URL"]
SessionLocal = sessions(pool_size=3)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    async with httpx.AsyncClient(base_url=UPSTREAM, timeout=5) as client:
        yield {"partner": client}


app = FastAPI(lifespan=lifespan)


@app.get("/users/{user_id}")
async def get_user(user_id: int, request: Request) -> dict[str, Any]:
    partner = request.state.partner
    async with SessionLocal() as session:
        user = await session.get(User, user_id)
        profile = await partner.get(f"/profile/{user_id}")  # culprit: long-transaction
    return {"name": user.name, "profile": profile.json()}
