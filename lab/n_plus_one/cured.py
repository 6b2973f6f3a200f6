"""A list of books that brings the authors along."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from sqlalchemy import select

from lab.database import sessions
from lab.n_plus_one.models import Author, Book

app = FastAPI()
SessionLocal = sessions()


@app.get("/books")
async def books(after: int = 0) -> list[dict[str, Any]]:
    query = (
        select(Book.title, Author.name)
        .join(Author, Author.id == Book.author_id)
        .where(Book.id > after)
        .order_by(Book.id)
        .limit(25)
    )
    async with SessionLocal() as session:
        rows = await session.execute(query)
    return [{"title": title, "author": author} for title, author in rows.all()]
