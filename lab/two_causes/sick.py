"""Two mistakes at once: books that each ask for their author, and covers from a sync client."""

from __future__ import annotations

import os
from typing import Any

import requests
from fastapi import FastAPI
from sqlalchemy import select

from lab.database import sessions
from lab.n_plus_one.models import Author, Book

UPSTREAM = os.environ["LAB_UPSTREAM_URL"]
app = FastAPI()
SessionLocal = sessions()
covers = requests.Session()


@app.get("/books")
async def books(after: int = 0) -> list[dict[str, Any]]:
    query = select(Book).where(Book.id > after).order_by(Book.id).limit(50)
    found = []
    async with SessionLocal() as session:
        for book in (await session.scalars(query)).all():
            author = await session.get(Author, book.author_id)  # culprit: n-plus-one
            found.append({"title": book.title, "author": author.name})
    return found


@app.get("/covers/{book_id}")
async def cover(book_id: int) -> Any:
    response = covers.get(f"{UPSTREAM}/stock/{book_id}", timeout=5)  # culprit: blocking-call
    response.raise_for_status()
    return response.json()
