"""The same search; `cured.sql` has the index."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from sqlalchemy import text

from lab.database import sessions

app = FastAPI()
SessionLocal = sessions()
SEARCH = text(
    "SELECT id, name, price_cents FROM products "
    "WHERE lower(name) LIKE :prefix ORDER BY lower(name) LIMIT 20"
)


@app.get("/search")
async def search(name: str) -> list[dict[str, Any]]:
    async with SessionLocal() as session:
        rows = await session.execute(SEARCH, {"prefix": f"a{name}%"})
    return [dict(row) for row in rows.mappings()]
