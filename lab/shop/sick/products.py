"""The catalogue, and how likely somebody buys from it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from sqlalchemy import func, select

from lab.shop.common.models import Product
from lab.shop.common.schemas import Prediction, PredictionRequest, ProductDetail, ProductPage
from lab.shop.common.scoring import Scorer
from lab.shop.sick import partners
from lab.shop.sick.database import Session, SessionLocal

router = APIRouter()
scorer = Scorer()


@router.get("/products", response_model=ProductPage)
async def list_products(
    session: Session,
    search: Annotated[str, Query(max_length=100)] = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: Annotated[int, Query(ge=0)] = 0,
) -> Any:
    name = func.lower(Product.name)
    query = select(Product).where(name.startswith(search.lower(), autoescape=True))
    if cursor:
        last = select(name).where(Product.id == cursor).scalar_subquery()
        query = query.where(name > last)
    rows = await session.scalars(query.order_by(name).limit(limit))  # culprit: slow-query
    items = rows.all()
    return {"items": items, "next_cursor": items[-1].id if len(items) == limit else None}


@router.get("/products/{product_id}", response_model=ProductDetail)
async def get_product(product_id: int) -> Any:
    async with SessionLocal() as session:
        product = await session.get(Product, product_id)
    if product is None:
        raise HTTPException(404, "no such product")
    return {
        "id": product.id,
        "sku": product.sku,
        "name": product.name,
        "description": product.description,
        "price_cents": product.price_cents,
        "stock": partners.stock.level(product.sku),
    }


async def score(user_id: int, product_id: int) -> dict[str, Any]:
    [value] = scorer.scores([(user_id, product_id)])  # culprit: cpu-on-loop
    return {"user_id": user_id, "product_id": product_id, "score": value}


@router.post("/predict", response_model=Prediction)
async def predict(request: PredictionRequest) -> Any:
    return await score(request.user_id, request.product_id)


@router.get("/predict", response_model=Prediction)
async def predict_from_query(request: Annotated[PredictionRequest, Query()]) -> Any:
    return await score(request.user_id, request.product_id)
