"""Clients, sessions, queries and caches: shapes that people report, and shapes that look so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scan.project import findings, lines

# The guilty line ends in the slug of its cause.
GUILTY = {
    "a client from a helper": """
        from openai import AsyncOpenAI
        def get_client():
            return AsyncOpenAI(api_key="x")  # client-per-request
        async def f(q):
            return await get_client().chat.completions.create(model="x", messages=q)
        """,
    "a client from a property": """
        from openai import AsyncOpenAI
        class M:
            @property
            def client(self):
                return AsyncOpenAI(api_key="x")  # client-per-request
            async def f(self, q):
                return await self.client.chat.completions.create(model="x", messages=q)
        """,
    "a client of the project's own": """
        import httpx
        class Api(httpx.AsyncClient):
            pass
        async def f():
            async with Api() as c:  # client-per-request
                return await c.get("x")
        """,
    "an object that makes its own client": """
        import httpx
        class Api:
            def __init__(self):
                self._http = httpx.AsyncClient()
            async def me(self):
                return await self._http.get("/me")
        from fastapi import FastAPI
        app = FastAPI()
        @app.get("/")
        async def f():
            api = Api()  # client-per-request
            return await api.me()
        """,
    "a call that may last for ever": """
        import httpx
        async def f(c: httpx.AsyncClient):
            return await c.get("x", timeout=None)  # missing-timeout
        """,
    "a timeout of nothing": """
        import httpx
        c = httpx.AsyncClient(timeout=httpx.Timeout(None))  # missing-timeout
        """,
    "a total of nothing": """
        import aiohttp
        s = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))  # missing-timeout
        """,
    "a connection given back only where nothing fails": """
        import asyncpg
        pool: asyncpg.Pool
        async def f():
            c = await pool.acquire()  # session-leak
            r = await c.fetch("x")
            await pool.release(c)
            return r
        """,
    "a session closed behind its yield": """
        from sqlalchemy.orm import sessionmaker
        S = sessionmaker()
        def get_db():
            db = S()  # session-leak
            yield db
            db.close()
        """,
    "a stream that stays open": """
        import httpx
        async def f(c: httpx.AsyncClient, req):
            r = await c.send(req, stream=True)  # session-leak
            async for x in r.aiter_bytes():
                yield x
        """,
    "a lock for every session": """
        import asyncio
        class SessionManager:
            def __init__(self):
                self._locks: dict[str, asyncio.Lock] = {}
            async def get(self, session_id: str):
                if session_id not in self._locks:
                    self._locks[session_id] = asyncio.Lock()  # unbounded-cache
                return self._locks[session_id]
        manager = SessionManager()
        """,
    "a lock for every session, of the class": """
        import asyncio
        class Store:
            _session_locks: dict = {}
            async def lock(self, session_id):
                return self._session_locks.setdefault(session_id, asyncio.Lock())  # unbounded-cache
        """,
    "a lock for every user that is asked for": """
        import asyncio
        from collections import defaultdict
        class A:
            def __init__(self):
                self._locks = defaultdict(asyncio.Lock)
            async def f(self, user_id):
                async with self._locks[user_id]:  # unbounded-cache
                    return 1
        a = A()
        """,
    "a cache of a service": """
        class Service:
            def __init__(self):
                self._cache = {}
            async def get(self, user_id):
                if user_id in self._cache:
                    return self._cache[user_id]
                v = await self.load(user_id)
                self._cache[user_id] = v  # unbounded-cache
                return v
            async def load(self, x): ...
        service = Service()
        """,
    "debugging by a word": """
        from sqlalchemy import create_engine
        ENGINE = create_engine("x", echo="debug")  # debug-left-on
        """,
    "a query for each row in a thread": """
        from sqlalchemy.orm import Session
        from fastapi import FastAPI, Depends
        app = FastAPI()
        def get_db(): ...
        @app.get("/")
        def f(db: Session = Depends(get_db)):
            out = []
            for o in db.query(Order).all():
                out.append(db.query(Item).filter(Item.order_id == o.id).all())  # n-plus-one
            return out
        """,
    "the same behind a helper": """
        from sqlalchemy.orm import Session
        def get_items(db: Session, o):
            return db.query(Item).filter(Item.order_id == o.id).all()
        def list_orders(db: Session):
            orders = db.query(Order).all()
            return [{"o": o, "items": get_items(db, o)} for o in orders]  # n-plus-one
        from fastapi import FastAPI, Depends
        app = FastAPI()
        def get_db(): ...
        @app.get("/")
        def f(db: Session = Depends(get_db)):
            return list_orders(db)
        """,
    "Django's queries": """
        async def f(ids):
            for i in ids:
                u = await User.objects.aget(id=i)  # n-plus-one
                print(u)
        """,
    "a repository of unknown type": """
        class Svc:
            def __init__(self, uow):
                self.uow = uow
            async def f(self, ids):
                res = []
                for i in ids:
                    res.append(await self.uow.users.get_by_id(i))  # n-plus-one
                return res
        """,
    "rows that come from another function": """
        from sqlalchemy import select
        from sqlalchemy.ext.asyncio import AsyncSession
        class Repo:
            def __init__(self, session: AsyncSession):
                self.session = session
            async def list_orders(self):
                return (await self.session.execute(select(Order))).scalars().all()
            async def items_of(self, o):
                return (await self.session.execute(select(Item).where(Item.o == o))).scalars().all()
        class Svc:
            def __init__(self, repo: Repo):
                self.repo = repo
            async def summary(self):
                orders = await self.repo.list_orders()
                out = []
                for o in orders:
                    items = await self.repo.items_of(o.id)  # n-plus-one
                    out.append((o, items))
                return out
        """,
    "rows that come one by one": """
        async def f(db, items):
            async for it in items:
                x = await db.fetch_one("select 1 where id = :i", {"i": it.id})  # n-plus-one
                print(x)
        """,
    "a session held while asleep": """
        import asyncio
        from sqlalchemy.ext.asyncio import AsyncSession
        async def f(make_session):
            async with make_session() as session:
                while True:
                    await session.get(Job, 1)
                    await asyncio.sleep(5)  # long-transaction
        """,
    "a session held while a model talks": """
        from sqlalchemy.ext.asyncio import async_sessionmaker
        S = async_sessionmaker()
        async def stream(llm, q):
            async with S() as s:
                u = await s.get(User, 1)
                async for tok in llm.astream(q):  # long-transaction
                    yield tok
        """,
    "a session held for a whole stream": """
        from fastapi import FastAPI, Depends
        from fastapi.responses import StreamingResponse
        from sqlalchemy.ext.asyncio import AsyncSession
        app = FastAPI()
        async def get_db():
            yield make()
        @app.post("/")
        async def chat(q: str, db: AsyncSession = Depends(get_db)):
            u = await db.get(User, 1)
            return StreamingResponse(gen(u))  # long-transaction
        """,
    "a plain route that answers with a table": """
        from fastapi import FastAPI, Depends
        from sqlalchemy.orm import Session
        app = FastAPI()
        def get_db(): ...
        @app.get("/items")
        def items(db: Session = Depends(get_db)):
            return db.query(Item).all()  # missing-pagination
        """,
    "a table from a helper": """
        from fastapi import FastAPI, Depends
        from sqlalchemy import select
        from sqlalchemy.ext.asyncio import AsyncSession
        app = FastAPI()
        def get_db(): ...
        async def all_items(db: AsyncSession):
            return (await db.execute(select(Item))).scalars().all()  # missing-pagination
        @app.get("/items")
        async def items(db: AsyncSession = Depends(get_db)):
            return await all_items(db)
        """,
    "rows that are only counted": """
        from sqlalchemy import select
        from sqlalchemy.ext.asyncio import AsyncSession
        async def f(s: AsyncSession):
            rows = (await s.execute(select(A))).scalars().all()  # over-fetch-rows
            return len(rows)
        """,
    "rows of which a page is cut": """
        from sqlalchemy import select
        from sqlalchemy.ext.asyncio import AsyncSession
        async def f(s: AsyncSession, off, n):
            rows = (await s.execute(select(A))).scalars().all()  # over-fetch-rows
            return rows[off:off + n]
        """,
}

CLEAN = {
    "a stream that a background task closes": (
        "session-leak",
        """
        import httpx
        from starlette.background import BackgroundTask
        from starlette.responses import StreamingResponse
        async def f(client: httpx.AsyncClient, request):
            answer = await client.send(request, stream=True)
            done = BackgroundTask(answer.aclose)
            return StreamingResponse(answer.aiter_raw(), background=done)
        """,
    ),
    "a lock for each item": (
        "n-plus-one",
        """
        async def f(self, orders):
            for order in orders:
                lock = await self.repo.get_order_lock(order.id)
                lock.release()
        """,
    ),
    "a client that is kept": (
        "client-per-request",
        """
        from openai import AsyncOpenAI
        class M:
            def __init__(self):
                self._c = None
            def client(self):
                if self._c is None:
                    self._c = AsyncOpenAI()
                return self._c
            async def f(self):
                return await self.client().models.list()
        """,
    ),
    "a client of the lifespan": (
        "client-per-request",
        """
        import httpx
        from contextlib import asynccontextmanager
        from fastapi import FastAPI
        @asynccontextmanager
        async def lifespan(app):
            async with httpx.AsyncClient() as c:
                yield {"c": c}
        app = FastAPI(lifespan=lifespan)
        """,
    ),
    "a cache that is emptied elsewhere": (
        "unbounded-cache",
        """
        class Service:
            def __init__(self):
                self._cache = {}
            async def get(self, user_id):
                self._cache[user_id] = 1
            async def drop(self, user_id):
                self._cache.pop(user_id, None)
        """,
    ),
    "one query for all": (
        "n-plus-one",
        """
        from sqlalchemy import select
        async def f(session, ids):
            r = await session.execute(select(User).where(User.id.in_(ids)))
            return {u.id: u for u in r.scalars()}
        """,
    ),
    "a call after the session": (
        "long-transaction",
        """
        import httpx
        from sqlalchemy.ext.asyncio import async_sessionmaker
        S = async_sessionmaker()
        client = httpx.AsyncClient()
        async def f():
            async with S() as s:
                u = await s.get(User, 1)
            return await client.get(u.url)
        """,
    ),
    "sessions that are closed whatever happens": (
        "session-leak",
        """
        from sqlalchemy.ext.asyncio import async_sessionmaker
        S = async_sessionmaker()
        async def f():
            async with S() as s:
                return await s.get(1, 2)
        def g():
            s = S()
            try:
                yield s
            finally:
                s.close()
        """,
    ),
    "a timeout that may be passed on": (
        "missing-timeout",
        """
        import requests
        def f(u, **kw):
            return requests.get(u, **kw)
        def g(u):
            return requests.get(u, timeout=(3, 5))
        """,
    ),
}


@pytest.mark.parametrize("text", GUILTY.values(), ids=GUILTY.keys())
def test_found(text: str, tmp_path: Path) -> None:
    marked = {
        number: line.rpartition("# ")[2]
        for number, line in enumerate(text.splitlines(), 1)
        if "  # " in line
    }
    [cause] = set(marked.values())
    assert lines(findings(tmp_path, cause, app__main=text)) == list(marked)


@pytest.mark.parametrize(("cause", "text"), CLEAN.values(), ids=CLEAN.keys())
def test_left_alone(cause: str, text: str, tmp_path: Path) -> None:
    assert findings(tmp_path, cause, app__main=text) == []
