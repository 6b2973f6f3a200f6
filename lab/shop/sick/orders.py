"""Orders: lists, details, the export, the sales report and the websocket feed."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

import asyncpg
from fastapi import APIRouter, HTTPException, Query, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse
from pydantic import ValidationError
from sqlalchemy import Date, cast, func, select

from lab.shop.common.models import Order, OrderItem, Product
from lab.shop.common.schemas import (
    Currency,
    FeedRequest,
    OrderDetail,
    OrderPage,
    SalesReport,
)
from lab.shop.sick import partners
from lab.shop.sick.database import Session, SessionLocal, settings

router = APIRouter()
ROWS_A_CHUNK = 500


@router.get("/orders", response_model=OrderPage)  # culprit: heavy-serialization
async def list_orders(
    session: Session,
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
    cursor: Annotated[int, Query(ge=0)] = 0,
) -> Any:
    line = func.json_build_object(
        *("product_id", OrderItem.product_id),
        *("quantity", OrderItem.quantity),
        *("unit_price_cents", OrderItem.unit_price_cents),
    )
    items = (
        select(func.json_agg(line))
        .where(OrderItem.order_id == Order.id)
        .scalar_subquery()
        .label("items")
    )
    query = select(Order.id, Order.user_id, Order.status, Order.created_at, items)
    rows = await session.execute(query.where(Order.id > cursor).order_by(Order.id).limit(limit))
    orders = rows.all()
    return {"items": orders, "next_cursor": orders[-1].id if len(orders) == limit else None}


@router.get("/orders/{order_id}", response_model=OrderDetail)
async def get_order(order_id: int, currency: Currency = "EUR") -> Any:
    async with SessionLocal() as session:
        order = await session.get(Order, order_id)
        if order is None:
            raise HTTPException(404, "no such order")
        query = select(OrderItem).where(OrderItem.order_id == order_id).order_by(OrderItem.id)
        items, total = [], 0
        for item in (await session.scalars(query)).all():
            product = await session.get(Product, item.product_id)  # culprit: n-plus-one
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


@router.get("/export/orders", response_class=StreamingResponse)
async def export_orders() -> StreamingResponse:
    async with SessionLocal() as session:
        rows = await session.scalars(select(Order).order_by(Order.id))
        orders = rows.all()  # culprit: heavy-hydration
    return StreamingResponse(csv_chunks(orders), media_type="text/csv")


async def csv_chunks(orders: Sequence[Order]) -> AsyncIterator[str]:
    yield "id,user_id,status,created_at\r\n"
    for start in range(0, len(orders), ROWS_A_CHUNK):
        lines = io.StringIO()
        csv.writer(lines).writerows(
            [order.id, order.user_id, order.status, order.created_at.isoformat()]
            for order in orders[start : start + ROWS_A_CHUNK]
        )
        yield lines.getvalue()


@router.get("/reports/sales", response_model=SalesReport)
async def sales_report(session: Session) -> Response:
    query = (
        select(
            Product.id.label("product_id"),
            Product.sku,
            Product.name,
            func.sum(OrderItem.quantity).label("units"),
            func.sum(OrderItem.quantity * OrderItem.unit_price_cents).label("revenue_cents"),
            cast(func.max(Order.created_at), Date).label("last_sold_on"),
        )
        .join(OrderItem, OrderItem.product_id == Product.id)
        .join(Order, Order.id == OrderItem.order_id)
        .group_by(Product.id)
        .order_by(Product.id)
    )
    rows = [dict(row) for row in (await session.execute(query)).mappings()]
    body = json.dumps({"rows": rows}, default=str)  # culprit: blocking-serializer
    return Response(body, media_type="application/json")


@router.websocket("/feed")
async def feed(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        while True:
            await websocket.send_json(await orders_after(await websocket.receive_text()))
    except WebSocketDisconnect:
        pass


async def orders_after(message: str) -> dict[str, Any]:
    try:
        request = FeedRequest.model_validate_json(message)
    except ValidationError as exc:
        return {"error": exc.errors(include_url=False, include_context=False)[0]["msg"]}
    connection = await asyncpg.connect(settings.database_url)  # culprit: connection-per-request
    try:
        rows = await connection.fetch(
            "SELECT id, user_id, status FROM orders WHERE id > $1 ORDER BY id LIMIT $2",
            request.after,
            request.limit,
        )
    finally:
        await connection.close()
    return {"orders": [dict(row) for row in rows]}
