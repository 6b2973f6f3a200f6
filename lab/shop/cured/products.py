"""The catalogue, and how likely somebody buys from it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from sqlalchemy import func, select

from lab.shop.common.models import Product
from lab.shop.common.schemas import Prediction, PredictionRequest, ProductDetail, ProductPage
from lab.shop.cured.resources import Resources, Shared

router = APIRouter()

SUMMARY = (Product.id, Product.sku, Product.name, Product.price_cents)


@router.get("/products", response_model=ProductPage)
async def list_products(
    shared: Shared,
    search: Annotated[str, Query(max_length=100)] = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[int, Query(ge=0)] = 0,
) -> Any:
    name = func.lower(Product.name)  # has an index, which also gives the order
    query = select(*SUMMARY).order_by(name).limit(limit)
    if search:
        query = query.where(name.startswith(search.lower(), autoescape=True))
    if cursor:
        query = query.where(name > select(name).where(Product.id == cursor).scalar_subquery())
    async with shared.sessions() as session:
        items = (await session.execute(query)).mappings().all()
    return {"items": items, "next_cursor": items[-1]["id"] if len(items) == limit else None}


@router.get("/products/{product_id}", response_model=ProductDetail)
async def get_product(product_id: int, shared: Shared) -> Any:
    query = select(*SUMMARY, Product.description).where(Product.id == product_id)
    async with shared.sessions() as session:
        product = (await session.execute(query)).mappings().one_or_none()
    if product is None:
        raise HTTPException(404, "no such product")
    return {**product, "stock": await shared.partners.stock(product["sku"])}


async def score(shared: Resources, request: PredictionRequest) -> dict[str, Any]:
    value = await shared.scores((request.user_id, request.product_id))
    return {"user_id": request.user_id, "product_id": request.product_id, "score": value}


@router.post("/predict", response_model=Prediction)
async def predict(request: PredictionRequest, shared: Shared) -> Any:
    return await score(shared, request)


@router.get("/predict", response_model=Prediction)
async def predict_from_query(request: Annotated[PredictionRequest, Query()], shared: Shared) -> Any:
    return await score(shared, request)
