"""Cures of whole statements and blocks: before and after, to the letter; and what is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from slowpath.causes import Safety
from tests.cure.cured import cured, dedented, offered

MODELS = """
from sqlalchemy import ForeignKey, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    books: Mapped[list["Book"]] = relationship()


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))
    title: Mapped[str]
    price: Mapped[int]
    weight: Mapped[int]
    color: Mapped[str]
    maker: Mapped[str]
    story: Mapped[str]
    manual: Mapped[str]
"""

CURES = {
    "a dropped task is kept": (
        "lost-task",
        Safety.SAFE,
        """
        import asyncio


        async def note(event): ...


        async def handle(event):
            # Nobody waits for it.
            asyncio.create_task(note(event))  # fire and forget
            return {"ok": True}
        """,
        """
        import asyncio

        _background_tasks: set[asyncio.Task] = set()


        async def note(event): ...


        async def handle(event):
            # Nobody waits for it.
            task = asyncio.create_task(note(event))  # fire and forget
            _background_tasks.add(task)
            task.add_done_callback(_background_tasks.discard)
            return {"ok": True}
        """,
    ),
    "a task under a name, in a module that keeps tasks already": (
        "lost-task",
        Safety.SAFE,
        """
        import asyncio

        running = set()


        async def note(event): ...


        async def other(event):
            kept = asyncio.create_task(note(event))
            running.add(kept)
            kept.add_done_callback(running.discard)


        async def handle(event):
            job = asyncio.create_task(note(event))
            return {"ok": True}
        """,
        """
        import asyncio

        running = set()


        async def note(event): ...


        async def other(event):
            kept = asyncio.create_task(note(event))
            running.add(kept)
            kept.add_done_callback(running.discard)


        async def handle(event):
            job = asyncio.create_task(note(event))
            running.add(job)
            job.add_done_callback(running.discard)
            return {"ok": True}
        """,
    ),
    "a task of something that is called a loop": (
        "lost-task",
        Safety.UNSAFE,
        """
        async def note(event): ...


        async def handle(hub, event):
            if event:
                hub.loop.create_task(note(event))
        """,
        """
        async def note(event): ...


        _background_tasks = set()


        async def handle(hub, event):
            if event:
                task = hub.loop.create_task(note(event))
                _background_tasks.add(task)
                task.add_done_callback(_background_tasks.discard)
        """,
    ),
    "a task of the running loop": (
        "lost-task",
        Safety.SAFE,
        """
        from asyncio import get_running_loop


        async def note(event): ...


        async def handle(event):
            loop = get_running_loop()
            loop.create_task(note(event))
        """,
        """
        from asyncio import get_running_loop

        _background_tasks = set()


        async def note(event): ...


        async def handle(event):
            loop = get_running_loop()
            task = loop.create_task(note(event))
            _background_tasks.add(task)
            task.add_done_callback(_background_tasks.discard)
        """,
    ),
    "a cache gets a bound": (
        "unbounded-cache",
        Safety.UNSAFE,
        """
        profile_cache = {}


        async def profile(user_id):
            if user_id not in profile_cache:
                profile_cache[user_id] = await load(user_id)
            return profile_cache[user_id]


        async def load(user_id): ...
        """,
        """
        profile_cache = {}


        async def profile(user_id):
            if user_id not in profile_cache:
                profile_cache[user_id] = await load(user_id)
                if len(profile_cache) > 1000:
                    profile_cache.pop(next(iter(profile_cache)))
            return profile_cache[user_id]


        async def load(user_id): ...
        """,
    ),
    "two awaits at once": (
        "sequential-awaits",
        Safety.UNSAFE,
        """
        import httpx

        client = httpx.AsyncClient(timeout=5)


        async def page(user_id):
            profile = await client.get(f"/profiles/{user_id}")
            offers = await client.get("/offers")
            return profile.json(), offers.json()
        """,
        """
        import asyncio

        import httpx

        client = httpx.AsyncClient(timeout=5)


        async def page(user_id):
            profile, offers = await asyncio.gather(
                client.get(f"/profiles/{user_id}"), client.get("/offers")
            )
            return profile.json(), offers.json()
        """,
    ),
    "awaits over several lines": (
        "sequential-awaits",
        Safety.UNSAFE,
        """
        import asyncio

        import httpx

        client = httpx.AsyncClient(timeout=5)


        async def page(user_id):
            profile = await client.get(
                "/profiles",
                # Of one user.
                params={"id": user_id},
            )
            offers = await client.get("/offers")
            await asyncio.sleep(0)
            return profile.json(), offers.json()
        """,
        """
        import asyncio

        import httpx

        client = httpx.AsyncClient(timeout=5)


        async def page(user_id):
            profile, offers = await asyncio.gather(
                client.get(
                    "/profiles",
                    # Of one user.
                    params={"id": user_id},
                ),
                client.get("/offers"),
            )
            await asyncio.sleep(0)
            return profile.json(), offers.json()
        """,
    ),
    "a client for the module": (
        "client-per-request",
        Safety.UNSAFE,
        """
        import httpx
        from fastapi import FastAPI

        app = FastAPI()
        BASE = "http://partner"


        @app.get("/profile/{user_id}")
        async def profile(user_id: int):
            # One a request.
            async with httpx.AsyncClient(base_url=BASE) as client:
                answer = await client.get(f"/{user_id}", headers={"client": "shop"})

                # No client, no answer.
                return answer.json()
        """,
        """
        import httpx
        from fastapi import FastAPI

        app = FastAPI()
        BASE = "http://partner"
        http_client = httpx.AsyncClient(base_url=BASE)


        @app.get("/profile/{user_id}")
        async def profile(user_id: int):
            # One a request.
            answer = await http_client.get(f"/{user_id}", headers={"client": "shop"})

            # No client, no answer.
            return answer.json()
        """,
    ),
    "a list gets a limit": (
        "missing-pagination",
        Safety.UNSAFE,
        """
        from fastapi import Depends, FastAPI
        from sqlalchemy import select
        from sqlalchemy.ext.asyncio import AsyncSession

        from models import Item, get_session

        app = FastAPI()


        @app.get("/items")
        async def items(session: AsyncSession = Depends(get_session)):
            query = select(Item).order_by(Item.id)
            return (await session.scalars(query)).all()
        """,
        """
        from fastapi import Depends, FastAPI
        from sqlalchemy import select
        from sqlalchemy.ext.asyncio import AsyncSession

        from models import Item, get_session

        app = FastAPI()


        @app.get("/items")
        async def items(session: AsyncSession = Depends(get_session)):
            query = select(Item).order_by(Item.id).limit(100)
            return (await session.scalars(query)).all()
        """,
    ),
    "the columns that are used": (
        "over-fetch-columns",
        Safety.UNSAFE,
        MODELS
        + """

async def titles(session: AsyncSession):
    books = (await session.scalars(select(Book).limit(100))).all()
    return [book.title for book in books]
""",
        MODELS.replace("relationship\n", "relationship\nfrom sqlalchemy.orm import load_only\n", 1)
        + """

async def titles(session: AsyncSession):
    books = (await session.scalars(select(Book).limit(100).options(load_only(Book.title)))).all()
    return [book.title for book in books]
""",
    ),
    "a lazy relationship": (
        "n-plus-one",
        Safety.UNSAFE,
        MODELS
        + """

async def authors(session: AsyncSession):
    found = []
    for author in await session.scalars(select(Author)):
        found.append(author.books)
    return found
""",
        MODELS.replace(
            "relationship\n", "relationship\nfrom sqlalchemy.orm import selectinload\n", 1
        )
        + """

async def authors(session: AsyncSession):
    found = []
    for author in await session.scalars(select(Author).options(selectinload(Author.books))):
        found.append(author.books)
    return found
""",
    ),
    "a wait behind the session": (
        "long-transaction",
        Safety.UNSAFE,
        """
        import httpx
        from fastapi import FastAPI

        from app.db import SessionLocal
        from app.models import User

        app = FastAPI()
        client = httpx.AsyncClient(base_url="http://partner", timeout=5)


        @app.get("/users/{user_id}")
        async def user(user_id: int):
            async with SessionLocal() as session:
                found = await session.get(User, user_id)
                # The partner takes its time.
                profile = await client.get(f"/{user_id}")
                if profile.is_error:
                    profile = None
            return {"name": found.name, "profile": profile}
        """,
        """
        import httpx
        from fastapi import FastAPI

        from app.db import SessionLocal
        from app.models import User

        app = FastAPI()
        client = httpx.AsyncClient(base_url="http://partner", timeout=5)


        @app.get("/users/{user_id}")
        async def user(user_id: int):
            async with SessionLocal() as session:
                found = await session.get(User, user_id)
            # The partner takes its time.
            profile = await client.get(f"/{user_id}")
            if profile.is_error:
                profile = None
            return {"name": found.name, "profile": profile}
        """,
    ),
    "mail after the response": (
        "side-effect-in-request",
        Safety.UNSAFE,
        """
        import aiosmtplib
        from fastapi import FastAPI

        app = FastAPI()


        @app.post("/orders")
        async def order(mail: str, copies: int = 1):
            await aiosmtplib.send(mail)
            return {"ok": True}
        """,
        """
        import aiosmtplib
        from fastapi import BackgroundTasks, FastAPI

        app = FastAPI()


        @app.post("/orders")
        async def order(mail: str, background_tasks: BackgroundTasks, copies: int = 1):
            background_tasks.add_task(aiosmtplib.send, mail)
            return {"ok": True}
        """,
    ),
    "an encoder that the file knows": (
        "blocking-serializer",
        Safety.UNSAFE,
        """
        import json

        import orjson
        from fastapi import FastAPI, Response

        from app.reports import sales

        app = FastAPI()


        @app.get("/report")
        async def report():
            rows = await sales()
            known = orjson.loads(rows)
            body = json.dumps({"rows": rows, "known": known})
            return Response(body, media_type="application/json")
        """,
        """
        import json

        import orjson
        from fastapi import FastAPI, Response

        from app.reports import sales

        app = FastAPI()


        @app.get("/report")
        async def report():
            rows = await sales()
            known = orjson.loads(rows)
            body = orjson.dumps({"rows": rows, "known": known})
            return Response(body, media_type="application/json")
        """,
    ),
    "a route that works": (
        "async-on-nothing",
        Safety.SAFE,
        """
        from fastapi import FastAPI

        app = FastAPI()


        @app.get("/prime/{n}")
        async def primes(n: int):
            found = []
            for i in range(2, n):
                for j in range(2, i):
                    if i % j == 0:
                        break
                else:
                    found.append(i)
            return found
        """,
        """
        from fastapi import FastAPI

        app = FastAPI()


        @app.get("/prime/{n}")
        def primes(n: int):
            found = []
            for i in range(2, n):
                for j in range(2, i):
                    if i % j == 0:
                        break
                else:
                    found.append(i)
            return found
        """,
    ),
    "a cache of coroutines, where there is one for them": (
        "async-lru-cache",
        Safety.UNSAFE,
        """
        from functools import cache

        from async_lru import alru_cache


        @alru_cache(maxsize=5)
        async def other(tenant):
            return await load(tenant)


        @cache
        async def settings(tenant):
            return await load(tenant)


        async def load(tenant): ...
        """,
        """
        from functools import cache

        from async_lru import alru_cache


        @alru_cache(maxsize=5)
        async def other(tenant):
            return await load(tenant)


        @alru_cache(maxsize=None)
        async def settings(tenant):
            return await load(tenant)


        async def load(tenant): ...
        """,
    ),
}


@pytest.mark.parametrize(("cause", "safety", "before", "after"), CURES.values(), ids=CURES.keys())
def test_a_cure(cause: str, safety: Safety, before: str, after: str, tmp_path: Path) -> None:
    text, made = cured(tmp_path, cause, dedented(before))
    assert text == dedented(after)
    assert made.safety is safety


CLIENT = """
import httpx
from fastapi import FastAPI

app = FastAPI()


@app.get("/profile/{{user_id}}")
async def profile(user_id: int, token: str):
    async with httpx.AsyncClient({given}) as client:
        {body}
        return (await client.get(f"http://partner/{{user_id}}", timeout=5)).json()
"""
LEFT = {
    "a client of the request's own token": (
        "client-per-request",
        CLIENT.format(given='headers={"token": token}', body="pass"),
        "made of token",
    ),
    "a client whose cookies are set": (
        "client-per-request",
        CLIENT.format(given="", body="client.cookies = {}"),
        "others would then share",
    ),
    "a second await that needs the first": (
        "sequential-awaits",
        """
        import httpx

        client = httpx.AsyncClient(timeout=5)


        async def page(user_id):
            profile = await client.get(f"/profiles/{user_id}")
            # Of another kind.
            offers = await client.get("/offers")
            return profile.json(), offers.json()
        """,
        "comment",
    ),
    "what follows the wait needs the session": (
        "long-transaction",
        """
        import httpx
        from fastapi import FastAPI

        from app.db import SessionLocal
        from app.models import User

        app = FastAPI()
        client = httpx.AsyncClient(base_url="http://partner", timeout=5)


        @app.get("/users/{user_id}")
        async def user(user_id: int):
            async with SessionLocal() as session:
                found = await session.get(User, user_id)
                profile = await client.get(f"/{user_id}")
                found.name = profile.json()["name"]
                await session.commit()
        """,
        "needs session",
    ),
    "a loop of queries": (
        "n-plus-one",
        """
        from sqlalchemy.ext.asyncio import AsyncSession

        from app.models import Order, Product


        async def names(session: AsyncSession, order: Order):
            found = []
            for item in order.items:
                product = await session.get(Product, item.sku)
                found.append(product.name)
            return found
        """,
        "more ways than one",
    ),
    "a registry is no cache": (
        "unbounded-cache",
        """
        pending_orders = {}


        async def order(key):
            pending_orders[key] = await load(key)


        async def load(key): ...
        """,
        "only its author knows",
    ),
    "an encoder that nobody uses here": (
        "blocking-serializer",
        """
        import json

        from fastapi import FastAPI, Response

        from app.reports import sales

        app = FastAPI()


        @app.get("/report")
        async def report():
            rows = await sales()
            return Response(json.dumps({"rows": rows}), media_type="application/json")
        """,
        "not among what the project uses",
    ),
    "a cause without a cure": (
        "middleware-overhead",
        """
        from starlette.middleware.base import BaseHTTPMiddleware


        class Stamp(BaseHTTPMiddleware):
            async def dispatch(self, request, call_next):
                return await call_next(request)
        """,
        "slowpath explain middleware-overhead",
    ),
}


@pytest.mark.parametrize(("cause", "before", "why"), LEFT.values(), ids=LEFT.keys())
def test_a_line_is_left_alone(cause: str, before: str, why: str, tmp_path: Path) -> None:
    made = offered(tmp_path, cause, app=dedented(before))
    assert made.safety is Safety.NONE
    assert why in made.why
