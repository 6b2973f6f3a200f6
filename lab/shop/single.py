"""The sick shop with single mistakes cured: `uvicorn lab.shop.single:app`.

SHOP_CURES names them, separated by spaces; see `CURES`. Each does what the sick edition does but
for the one thing, so that what one cure gains can be measured. The index of `slow-query` is a
matter of the database, not of the app.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, HTTPException, Query, Response
from fastapi.routing import APIRoute
from sqlalchemy import func, select

from lab.shop.common.models import Order, OrderItem, Product, User
from lab.shop.common.schemas import (
    Currency,
    Dashboard,
    EnrichedUser,
    OrderDetail,
    OrderPage,
    ProductDetail,
    UserDetail,
    UserPage,
)
from lab.shop.sick import orders, partners, users
from lab.shop.sick.database import Session, SessionLocal
from lab.shop.sick.main import app as app

CURES: dict[str, Callable[[APIRouter], None]] = {}


def cure(name: str) -> Callable[[Callable[[APIRouter], None]], Callable[[APIRouter], None]]:
    """Register what makes one cure: it may put routes before those of the sick edition."""

    def register(make: Callable[[APIRouter], None]) -> Callable[[APIRouter], None]:
        CURES[name] = make
        return make

    return register


@cure("n-plus-one")
def count_in_the_same_statement(router: APIRouter) -> None:
    @router.get("/users", response_model=UserPage)
    async def list_users(
        session: Session,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        cursor: Annotated[int, Query(ge=0)] = 0,
    ) -> Any:
        count = select(func.count()).where(Order.user_id == User.id).scalar_subquery()
        query = select(User, count).where(User.id > cursor).order_by(User.id).limit(limit)
        items = [
            {
                "id": user.id,
                "name": user.name,
                "email": user.email,
                "city": user.city,
                "orders": orders,
            }
            for user, orders in (await session.execute(query)).all()
        ]
        return {"items": items, "next_cursor": items[-1]["id"] if len(items) == limit else None}

    @router.get("/orders/{order_id}", response_model=OrderDetail)
    async def get_order(order_id: int, currency: Currency = "EUR") -> Any:
        async with SessionLocal() as session:
            order = await session.get(Order, order_id)
            if order is None:
                raise HTTPException(404, "no such order")
            query = (
                select(OrderItem, Product)
                .join(Product, Product.id == OrderItem.product_id)
                .where(OrderItem.order_id == order_id)
                .order_by(OrderItem.id)
            )
            items, total = [], 0
            for item, product in (await session.execute(query)).all():
                items.append(
                    {
                        "product_id": product.id,
                        "sku": product.sku,
                        "name": product.name,
                        "quantity": item.quantity,
                        "unit_price_cents": item.unit_price_cents,
                    }
                )
                total += item.quantity * item.unit_price_cents
        rates = await partners.exchange_rates()
        return {
            "id": order.id,
            "user_id": order.user_id,
            "status": order.status,
            "created_at": order.created_at,
            "items": items,
            "total_cents": total,
            "currency": currency,
            "total_in_currency": round(total / 100 * rates[currency], 2),
        }


@cure("uncached-upstream")
def keep_the_rates(router: APIRouter) -> None:
    fetch = partners.exchange_rates
    kept: dict[str, float] = {}

    async def exchange_rates() -> dict[str, float]:
        if not kept:
            kept.update(await fetch())
        return kept

    partners.exchange_rates = exchange_rates


@cure("blocking-call")
def await_the_stock(router: APIRouter) -> None:
    @router.get("/products/{product_id}", response_model=ProductDetail)
    async def get_product(product_id: int) -> Any:
        async with SessionLocal() as session:
            product = await session.get(Product, product_id)
        if product is None:
            raise HTTPException(404, "no such product")
        response = await partners.client.get(f"/stock/{product.sku}")
        response.raise_for_status()
        return {
            "id": product.id,
            "sku": product.sku,
            "name": product.name,
            "description": product.description,
            "price_cents": product.price_cents,
            "stock": response.json(),
        }


@cure("client-per-request")
def share_the_client(router: APIRouter) -> None:
    @router.get("/dashboard/{user_id}", response_model=Dashboard)
    async def dashboard(user_id: int) -> Any:
        async with SessionLocal() as session:
            user = await users.find_user(session, user_id)
        profile = await partners.client.get(f"/profile/{user_id}")
        offers = await partners.client.get(f"/recommendations/{user_id}")
        reviews = await partners.client.get(f"/reviews/{user_id}")
        rates = await partners.client.get("/rates")
        await users.counters.incr(f"sick:views:{user_id}")
        return {
            "user": user,
            "profile": profile.json(),
            "recommendations": offers.json()["products"],
            "reviews": reviews.json()["reviews"],
            "rates": rates.json()["rates"],
        }


@cure("long-transaction")
def end_the_session_first(router: APIRouter) -> None:
    @router.get("/users/{user_id}/enriched", response_model=EnrichedUser)
    async def get_enriched_user(user_id: int) -> Any:
        async with SessionLocal() as session:
            user = await users.find_user(session, user_id)
        profile = await partners.profile(user_id)
        return {**UserDetail.model_validate(user).model_dump(), "profile": profile}


@cure("heavy-serialization")
def give_a_page_of_orders(router: APIRouter) -> None:
    [listing] = [r for r in orders.router.routes if isinstance(r, APIRoute) and r.path == "/orders"]

    @router.get("/orders", response_model=OrderPage)
    async def list_orders(session: Session, cursor: Annotated[int, Query(ge=0)] = 0) -> Response:
        page = await listing.endpoint(session, limit=100, cursor=cursor)
        rows = [
            {
                "id": row.id,
                "user_id": row.user_id,
                "status": row.status,
                "created_at": row.created_at,
                "items": [
                    {**line, "total_cents": line["quantity"] * line["unit_price_cents"]}
                    for line in row.items
                ],
            }
            for row in page["items"]
        ]
        body = orjson.dumps({"items": rows, "next_cursor": page["next_cursor"]})
        return Response(body, media_type="application/json")


def cured(names: list[str]) -> None:
    """Make the cures of these names."""
    router = APIRouter()
    for name in names:
        CURES[name](router)
    app.router.routes[:0] = router.routes


cured([name for name in os.environ.get("SHOP_CURES", "").split() if name != "slow-query"])
