"""A list of books; each asks for its author."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from lab.database import sessions
from lab.n_plus_one.models import Author, Book

app = FastAPI()
SessionLocal = sessions()


async def author_of(session: AsyncSession, book: Book) -> str:
    author = await session.get(Author, book.author_id)  # culprit: n-plus-one
    return author.name


@app.get("/books")
async def books(after: int = 0) -> list[dict[str, Any]]:
    query = select(Book).where(Book.id > after).order_by(Book.id).limit(25)
    async with SessionLocal() as session:
        return [
            {"title": book.title, "author": await author_of(session, book)}
            for book in (await session.scalars(query)).all()
        ]
