"""Orders: lists, details and the sales report."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response
from sqlalchemy import Date, cast, func, select, true

from lab.shop.common.models import Order, OrderItem, Product
from lab.shop.common.schemas import Currency, OrderDetail, OrderPage, SalesReport
from lab.shop.cured.resources import Resources, Shared
from lab.shop.cured.responses import Json, to_json

router = APIRouter()

REPORT_TTL_S = 30
LINE_TOTAL = OrderItem.quantity * OrderItem.unit_price_cents


@router.get("/orders", response_model=OrderPage)
async def list_orders(
    shared: Shared,
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
    cursor: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    line = func.json_build_object(
        *("product_id", OrderItem.product_id),
        *("quantity", OrderItem.quantity),
        *("unit_price_cents", OrderItem.unit_price_cents),
        *("total_cents", LINE_TOTAL),
    )
    lines = (
        select(func.json_agg(line).label("items"), func.sum(LINE_TOTAL).label("total_cents"))
        .where(OrderItem.order_id == Order.id)
        .lateral()
    )
    query = (
        select(Order.id, Order.user_id, Order.status, Order.created_at, *lines.c)
        .join(lines, true())
        .where(Order.id > cursor)
        .order_by(Order.id)
        .limit(limit)
    )
    async with shared.sessions() as session:
        orders = [dict(row) for row in (await session.execute(query)).mappings()]
    next_cursor = orders[-1]["id"] if len(orders) == limit else None
    return Json({"items": orders, "next_cursor": next_cursor})


@router.get("/orders/{order_id}", response_model=OrderDetail)
async def get_order(order_id: int, shared: Shared, currency: Currency = "EUR") -> Any:
    order_query = select(Order.id, Order.user_id, Order.status, Order.created_at).where(
        Order.id == order_id
    )
    items_query = (
        select(
            OrderItem.product_id,
            Product.sku,
            Product.name,
            OrderItem.quantity,
            OrderItem.unit_price_cents,
        )
        .join(Product, Product.id == OrderItem.product_id)
        .where(OrderItem.order_id == order_id)
        .order_by(OrderItem.id)
    )
    async with shared.sessions() as session:
        order = (await session.execute(order_query)).mappings().one_or_none()
        if order is None:
            raise HTTPException(404, "no such order")
        items = (await session.execute(items_query)).mappings().all()
    total = sum(item["quantity"] * item["unit_price_cents"] for item in items)
    rates = await shared.partners.exchange_rates()
    return {
        **order,
        "items": items,
        "total_cents": total,
        "currency": currency,
        "total_in_currency": round(total / 100 * rates[currency], 2),
    }


@router.get("/reports/sales", response_model=SalesReport)
async def sales_report(shared: Shared) -> Response:
    async def make() -> bytes:
        return await make_sales_report(shared)

    return Json(await shared.cache.get("reports/sales", REPORT_TTL_S, make))


async def make_sales_report(shared: Resources) -> bytes:
    query = (
        select(
            Product.id.label("product_id"),
            Product.sku,
            Product.name,
            func.sum(OrderItem.quantity).label("units"),
            func.sum(LINE_TOTAL).label("revenue_cents"),
            cast(func.max(Order.created_at), Date).label("last_sold_on"),
        )
        .join(OrderItem, OrderItem.product_id == Product.id)
        .join(Order, Order.id == OrderItem.order_id)
        .group_by(Product.id)
        .order_by(Product.id)
    )
    async with shared.sessions() as session:
        rows = [dict(row) for row in (await session.execute(query)).mappings()]
    return to_json({"rows": rows})
