"""Users, their profile at a partner, their dashboard, and the login."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from sqlalchemy import func, select

from lab.shop.common import passwords
from lab.shop.common.models import Order, User
from lab.shop.common.schemas import (
    Credentials,
    Dashboard,
    EnrichedUser,
    Login,
    UserDetail,
    UserPage,
)
from lab.shop.cured.resources import Resources, Shared

router = APIRouter()

DETAIL = (User.id, User.name, User.email, User.city, User.created_at)


async def find_user(shared: Resources, user_id: int) -> dict[str, Any]:
    async with shared.sessions() as session:
        rows = await session.execute(select(*DETAIL).where(User.id == user_id))
        user = rows.mappings().one_or_none()
    if user is None:
        raise HTTPException(404, "no such user")
    return dict(user)


@router.get("/users", response_model=UserPage)
async def list_users(
    shared: Shared,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[int, Query(ge=0)] = 0,
) -> Any:
    orders = select(func.count()).where(Order.user_id == User.id).scalar_subquery()
    query = (
        select(User.id, User.name, User.email, User.city, orders.label("orders"))
        .where(User.id > cursor)
        .order_by(User.id)
        .limit(limit)
    )
    async with shared.sessions() as session:
        items = (await session.execute(query)).mappings().all()
    return {"items": items, "next_cursor": items[-1]["id"] if len(items) == limit else None}


@router.get("/users/{user_id}", response_model=UserDetail)
async def get_user(user_id: int, shared: Shared) -> Any:
    return await find_user(shared, user_id)


@router.get("/users/{user_id}/enriched", response_model=EnrichedUser)
async def get_enriched_user(user_id: int, shared: Shared) -> Any:
    user = await find_user(shared, user_id)
    return {**user, "profile": await shared.partners.profile(user_id)}


@router.get("/dashboard/{user_id}", response_model=Dashboard)
async def dashboard(user_id: int, shared: Shared) -> Any:
    user = await find_user(shared, user_id)
    profile, recommendations, reviews, rates = await asyncio.gather(
        shared.partners.profile(user_id),
        shared.partners.recommendations(user_id),
        shared.partners.reviews(user_id),
        shared.partners.exchange_rates(),
    )
    shared.background.submit(partial(shared.redis.incr, f"cured:views:{user_id}"))
    return {
        "user": user,
        "profile": profile,
        "recommendations": recommendations,
        "reviews": reviews,
        "rates": rates,
    }


@router.post("/login", response_model=Login)
async def login(credentials: Credentials, shared: Shared) -> Any:
    query = select(User.id, User.password_hash).where(User.email == credentials.email)
    async with shared.sessions() as session:
        user = (await session.execute(query)).one_or_none()
    stored = user.password_hash if user else None
    matches = await shared.hasher.matches(credentials.password, stored)
    if user is None or not matches:
        raise HTTPException(401, "wrong email or password")
    shared.background.submit(partial(shared.partners.audit, "login", user.id))
    return {"user_id": user.id, "token": passwords.token_for(user.id)}
