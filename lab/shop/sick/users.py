"""Users, their profile at a partner, their dashboard, and the login."""

from __future__ import annotations

from typing import Annotated, Any

import httpx
from fastapi import APIRouter, HTTPException, Query
from redis import asyncio as redis
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
from lab.shop.sick import partners
from lab.shop.sick.database import Session, SessionLocal, settings

router = APIRouter()
UPSTREAM = settings.upstream_url
counters = redis.from_url(settings.redis_url)


async def find_user(session: Session, user_id: int) -> User:
    user = await session.get(User, user_id)
    if user is None:
        raise HTTPException(404, "no such user")
    return user


@router.get("/users", response_model=UserPage)
async def list_users(
    session: Session,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[int, Query(ge=0)] = 0,
) -> Any:
    query = select(User).where(User.id > cursor).order_by(User.id).limit(limit)
    items = []
    for user in (await session.scalars(query)).all():
        count = select(func.count()).select_from(Order).where(Order.user_id == user.id)
        orders = await session.scalar(count)  # culprit: n-plus-one
        items.append(
            {
                "id": user.id,
                "name": user.name,
                "email": user.email,
                "city": user.city,
                "orders": orders,
            }
        )
    return {"items": items, "next_cursor": items[-1]["id"] if len(items) == limit else None}


@router.get("/users/{user_id}", response_model=UserDetail)
async def get_user(user_id: int, session: Session) -> Any:
    return await find_user(session, user_id)


@router.get("/users/{user_id}/enriched", response_model=EnrichedUser)
async def get_enriched_user(user_id: int, session: Session) -> Any:
    user = await find_user(session, user_id)
    profile = await partners.profile(user_id)  # culprit: long-transaction
    return {**UserDetail.model_validate(user).model_dump(), "profile": profile}


@router.get("/dashboard/{user_id}", response_model=Dashboard)
async def dashboard(user_id: int) -> Any:
    async with SessionLocal() as session:
        user = await find_user(session, user_id)
    async with httpx.AsyncClient(base_url=UPSTREAM) as client:  # culprit: client-per-request
        profile = await client.get(f"/profile/{user_id}")
        offers = await client.get(f"/recommendations/{user_id}")  # culprit: sequential-awaits
        reviews = await client.get(f"/reviews/{user_id}")
        rates = await client.get("/rates")  # culprit: uncached-upstream
    await counters.incr(f"sick:views:{user_id}")
    return {
        "user": user,
        "profile": profile.json(),
        "recommendations": offers.json()["products"],
        "reviews": reviews.json()["reviews"],
        "rates": rates.json()["rates"],
    }


@router.post("/login", response_model=Login)
async def login(credentials: Credentials) -> Any:
    async with SessionLocal() as session:
        user = await session.scalar(select(User).where(User.email == credentials.email))
    if user is None or not check_password(credentials.password, user.password_hash):
        raise HTTPException(401, "wrong email or password")
    await partners.audit("login", user.id)  # culprit: side-effect-in-request
    return {"user_id": user.id, "token": passwords.token_for(user.id)}


def check_password(password: str, stored: str) -> bool:
    return passwords.verify_password(password, stored)  # culprit: cpu-on-loop
