"""Books that bring their authors along, and covers from a client that is awaited."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI, Request
from sqlalchemy import select

from lab.database import sessions
from lab.n_plus_one.models import Author, Book

UPSTREAM = os.environ["LAB_UPSTREAM_URL"]
SessionLocal = sessions()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    async with httpx.AsyncClient(base_url=UPSTREAM, timeout=5) as client:
        yield {"covers": client}


app = FastAPI(lifespan=lifespan)


@app.get("/books")
async def books(after: int = 0) -> list[dict[str, Any]]:
    query = (
        select(Book.title, Author.name)
        .join(Author, Author.id == Book.author_id)
        .where(Book.id > after)
        .order_by(Book.id)
        .limit(50)
    )
    async with SessionLocal() as session:
        rows = await session.execute(query)
    return [{"title": title, "author": author} for title, author in rows.all()]


@app.get("/covers/{book_id}")
async def cover(book_id: int, request: Request) -> Any:
    response = await request.state.covers.get(f"/stock/{book_id}")
    response.raise_for_status()
    return response.json()
