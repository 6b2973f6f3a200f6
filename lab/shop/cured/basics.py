"""Health, metrics, and what the framework and one plain query cost."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import select

from lab.shop.common.models import Product
from lab.shop.common.schemas import Health, Hello, ProductSummary
from lab.shop.cured.metrics import registry
from lab.shop.cured.resources import Shared

router = APIRouter()


@router.get("/hello", response_model=Hello)
async def hello() -> Any:
    return {"message": "hello"}


@router.get("/healthz", response_model=Health)
async def healthz() -> Any:
    return {"status": "ok"}


@router.get("/metrics", response_class=Response)
async def metrics() -> Response:
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/one-row", response_model=ProductSummary)
async def one_row(shared: Shared, id: Annotated[int, Query(ge=1)] = 1) -> Any:
    async with shared.sessions() as session:
        product = await session.get(Product, id)
    if product is None:
        raise HTTPException(404, "no such product")
    return product


@router.get("/fifty-rows", response_model=list[ProductSummary])
async def fifty_rows(shared: Shared, start: Annotated[int, Query(ge=1)] = 1) -> Any:
    query = select(Product).where(Product.id >= start).order_by(Product.id).limit(50)
    async with shared.sessions() as session:
        return (await session.scalars(query)).all()
