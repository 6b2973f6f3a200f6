"""A user's page as it was first written: it works, and it is slow in several ways at once."""

from __future__ import annotations

import os
from typing import Any

import requests
from fastapi import FastAPI, HTTPException
from sqlalchemy import select

from lab.database import sessions
from lab.stages.models import Product, Purchase, User

UPSTREAM = os.environ["LAB_UPSTREAM_URL"]
app = FastAPI()
# Whoever waits for a connection gives up before the gateway does.
SessionLocal = sessions(pool_size=5, pool_timeout=7)


def partner(path: str) -> Any:
    response = requests.get(UPSTREAM + path, timeout=5)
    response.raise_for_status()
    return response.json()


@app.get("/users/{user_id}")
async def page(user_id: int) -> dict[str, Any]:
    async with SessionLocal() as session:
        user = await session.get(User, user_id)
        if user is None:
            raise HTTPException(404, "no such user")
        query = select(Purchase).where(Purchase.user_id == user_id).order_by(Purchase.id)
        lines = []
        for purchase in (await session.scalars(query)).all():
            product = await session.get(Product, purchase.product_id)
            lines.append(
                {
                    "product": product.name,
                    "quantity": purchase.quantity,
                    "cents": purchase.quantity * product.price_cents,
                }
            )
        profile = partner(f"/profile/{user_id}")
        rates = partner("/rates")["rates"]
    total = sum(line["cents"] for line in lines)
    return {
        "id": user.id,
        "name": user.name,
        "email": user.email,
        "profile": profile,
        "purchases": lines,
        "total": {currency: round(total * rate / 100, 2) for currency, rate in rates.items()},
    }
