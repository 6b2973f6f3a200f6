"""Shapes of defects that people report, and what they become once repaired: told apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scan.project import findings

# A guilty line ends in the slug of its cause; nothing else is found.
SHAPES = {
    "task in a lambda": """
        import asyncio
        async def stop(): await asyncio.sleep(1)
        async def main_loop():
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(15, lambda: asyncio.create_task(stop()))  # lost-task
        """,
    "task kept from a lambda": """
        import asyncio
        async def stop(): await asyncio.sleep(1)
        async def f(tasks):
            t = (lambda: asyncio.create_task(stop()))()
            await t
        """,
    "local shadows outer": """
        import asyncio
        async def work(): await asyncio.sleep(1)
        def outer():
            task = None
            def go():
                task = asyncio.create_task(work())  # lost-task
            def stop():
                if task: task.cancel()
            return go, stop
        """,
    "nonlocal keeps": """
        import asyncio
        async def work(): await asyncio.sleep(1)
        def outer():
            task = None
            def go():
                nonlocal task
                task = asyncio.create_task(work())
            def stop():
                if task: task.cancel()
            return go, stop
        """,
    "fastapi request json": """
        from fastapi import FastAPI, Request
        app = FastAPI()
        @app.post("/x")
        async def f(request: Request):
            data = request.json()  # forgotten-await
            return data["a"]
        """,
    "request json spread": """
        from fastapi import FastAPI, Request
        app = FastAPI()
        def store(**kw): ...
        @app.post("/x")
        async def f(request: Request):
            data = request.json()  # forgotten-await
            return store(data)
        """,
    "passed on": """
        async def get_user_id(request):
            return await request.x()
        class Store:
            def find(self, user): return user
        async def f(request, store: Store):
            user_id = get_user_id(request)  # forgotten-await
            return store.find(user_id)
        """,
    "gathered later": """
        import asyncio
        async def get(x): await asyncio.sleep(1)
        async def f():
            a = get(1)
            b = get(2)
            return await asyncio.gather(a, b)
        """,
    "passed to one that awaits": """
        import asyncio
        async def get(x): await asyncio.sleep(1)
        async def guarded(c): return await c
        async def f():
            a = get(1)
            return await guarded(a)
        """,
    "taken apart": """
        class A:
            async def is_alias(self, g): return True, g
            async def f(self, g):
                ok, alias = self.is_alias(g)  # forgotten-await
                return alias
        """,
    "returned": """
        import asyncio
        async def g(): await asyncio.sleep(1)
        async def f():
            return g()  # forgotten-await
        """,
    "returned by plain": """
        import asyncio
        async def g(): await asyncio.sleep(1)
        def f():
            return g()
        async def h():
            return await f()
        """,
    "ctx.send dropped": """
        class C:
            async def a(self, ctx):
                await ctx.send("x")
            async def b(self, ctx):
                await ctx.send("y")
                await ctx.send("z")
            async def c(self, ctx):
                ctx.send("oops")  # forgotten-await
        """,
    "list append not": """
        class C:
            async def a(self, out):
                out.buffer.append(1)
                await out.buffer.flush()
            async def b(self, out):
                out.buffer.flush()
        """,
    "timeout by default": """
        import requests
        def fetch(url, timeout=None):
            return requests.get(url, timeout=timeout)  # missing-timeout
        """,
    "timeout by default httpx": """
        import httpx
        class C:
            def __init__(self, timeout: float | None = None):
                self.c = httpx.AsyncClient(timeout=timeout)  # missing-timeout
        """,
    "timeout given": """
        import requests
        def fetch(url, timeout=None):
            timeout = timeout or 5
            return requests.get(url, timeout=timeout)
        """,
    "timeout by callers": """
        import requests
        def fetch(url, timeout=None):
            return requests.get(url, timeout=timeout)
        def a(): return fetch("x", timeout=4)
        """,
    "response not released": """
        import aiohttp
        class C:
            def __init__(self, session: aiohttp.ClientSession):
                self.session = session
            async def alive(self, url):
                r = await self.session.get(url)  # session-leak
                return r.status == 200
        """,
    "response read": """
        import aiohttp
        class C:
            def __init__(self, session: aiohttp.ClientSession):
                self.session = session
            async def alive(self, url):
                r = await self.session.get(url)
                return await r.json()
        """,
    "plain dependency": """
        from fastapi import Depends, FastAPI
        from sqlalchemy import create_engine
        from sqlalchemy.orm import Session, sessionmaker
        SessionLocal = sessionmaker(create_engine("x"))
        app = FastAPI()
        def get_db():
            db = SessionLocal()  # session-leak
            return db
        @app.get("/")
        def f(db: Session = Depends(get_db)):
            return 1
        """,
    "yielding dependency": """
        from fastapi import Depends, FastAPI
        from sqlalchemy import create_engine
        from sqlalchemy.orm import Session, sessionmaker
        SessionLocal = sessionmaker(create_engine("x"))
        app = FastAPI()
        def get_db():
            with SessionLocal() as db:
                yield db
        @app.get("/")
        def f(db: Session = Depends(get_db)):
            return 1
        """,
    "celery": """
        from celery import Celery, shared_task
        from fastapi import FastAPI
        celery = Celery("x")
        app = FastAPI()
        @celery.task
        def work(x): ...
        @shared_task(bind=True)
        def other(self, x): ...
        @app.post("/")
        async def f():
            work.delay(1)  # blocking-call
            other.apply_async(args=[1])  # blocking-call
        """,
    "celery in def": """
        from celery import Celery
        from fastapi import FastAPI
        celery = Celery("x")
        app = FastAPI()
        @celery.task
        def work(x): ...
        @app.post("/")
        def f():
            work.delay(1)
        """,
    "cache on user": """
        import functools
        @functools.lru_cache(maxsize=None)
        def rights(user_id):  # unbounded-cache
            return [user_id]
        async def f(user_id):
            return rights(user_id)
        """,
    "cache bounded": """
        import functools
        @functools.lru_cache(maxsize=100)
        def rights(user_id):
            return [user_id]
        async def f(user_id):
            return rights(user_id)
        """,
    "refresh locks": """
        import asyncio
        class OAuthProvider: ...
        class OAuthProxy(OAuthProvider):
            def __init__(self):
                self._refresh_locks: dict[str, asyncio.Lock] = {}
            async def refresh(self, request):
                token_id = request.headers["x"]
                if token_id not in self._refresh_locks:
                    self._refresh_locks[token_id] = asyncio.Lock()  # unbounded-cache
                async with self._refresh_locks[token_id]:
                    return 1
        """,
    "psutil": """
        import psutil
        async def f():
            psutil.cpu_percent()
            return psutil.cpu_percent(interval=0.5)  # blocking-call
        """,
    "tx in a context manager": """
        from contextlib import asynccontextmanager
        import httpx
        from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
        Session = async_sessionmaker(create_async_engine("x"))
        http = httpx.AsyncClient()
        @asynccontextmanager
        async def scope():
            async with Session() as session:
                async with session.begin():
                    yield session
        async def f(url):
            async with scope() as s:
                r = await http.get(url)  # long-transaction
                s.add(r)
        """,
    "tx in generator": """
        import httpx
        from sqlalchemy import select
        from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
        Session = async_sessionmaker(create_async_engine("x"))
        http = httpx.AsyncClient()
        async def gen(url):
            async with Session() as session:
                await session.execute(select(1))
                async with http.stream("GET", url) as r:  # long-transaction
                    async for line in r.aiter_lines():
                        yield line
        """,
    "nested session": """
        from sqlalchemy import select
        from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
        Session = async_sessionmaker(create_async_engine("x"))
        class M:
            async def load(self, k):
                async with Session() as session:
                    return await session.scalar(select(k))
            async def f(self, k):
                async with Session() as session:
                    row = await session.refresh(k)
                    n = await self.load(k)  # long-transaction
                    return row, n
        """,
    "session handed on": """
        from sqlalchemy import select
        from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
        Session = async_sessionmaker(create_async_engine("x"))
        class M:
            async def count(self, session, k):
                return await session.scalar(select(k))
            async def f(self, k):
                async with Session() as session:
                    row = await session.refresh(k)
                    n = await self.count(session, k)
                    return row, n
        """,
    "django manager of a related set": """
        from fastapi import FastAPI
        app = FastAPI()
        @app.get("/")
        async def f(agent):
            has = agent.fileobject_set.exists()  # blocking-call
            return {"has": has}
        """,
    "django manager awaited": """
        from fastapi import FastAPI
        app = FastAPI()
        @app.get("/")
        async def f(agent):
            has = await agent.fileobject_set.aexists()
            return {"has": has}
        """,
    "another method of an object whose calls go to threads": """
        import asyncio
        from libsonic import Connection
        class P:
            def __init__(self):
                self.conn = Connection("x")
            async def _run(self, call, *args):
                return await asyncio.to_thread(call, *args)
            async def search(self, q):
                return await asyncio.to_thread(self.conn.search, q)
            async def image(self, path):
                return self.conn.getCoverArt(path).content  # blocking-call
        """,
    "archive in memory": """
        import io, zipfile
        async def f(data):
            with zipfile.ZipFile(io.BytesIO(data)) as z:
                with z.open("a") as part:
                    return part
        """,
    "archive on disk": """
        import zipfile
        async def f(path):
            with zipfile.ZipFile(path) as z:  # blocking-call
                return z.namelist()
        """,
    "a constant key": """
        _cache = {}
        async def f():
            if "client" not in _cache:
                _cache["client"] = 1
            return _cache["client"]
        """,
    "only start calls it": """
        import asyncio
        class App:
            async def initialize(self):
                await self.init_users()
            async def init_users(self):
                open("users")
            async def launch_instance_async(self):
                await self.initialize()
        """,
    "start and others call it": """
        class App:
            async def initialize(self):
                await self.read_users()
            async def read_users(self):
                open("users")  # blocking-call
            async def launch_instance_async(self):
                await self.initialize()
            async def refresh(self):
                await self.read_users()
        """,
    "the loop of a main function": """
        import asyncio
        async def work():
            open("x")  # blocking-call
        async def main():
            while True:
                await work()
        """,
    "once for all": """
        import functools, importlib.metadata
        @functools.cache
        def version():
            return importlib.metadata.version("x")
        async def f():
            return version()
        """,
    "what a decorator wraps": """
        import inspect
        def retry(fn):
            async def wrapper(*args):
                r = fn(*args)
                if inspect.isawaitable(r):
                    r = await r
                return r
            return wrapper
        """,
    "writes go in order": """
        import discord
        async def f(guild: discord.Guild, ids):
            for each in ids:
                await guild.ban(discord.Object(each))
        """,
    "close if awaitable": """
        import inspect
        async def f(it):
            close = getattr(it, "close", None)
            r = close()
            if inspect.isawaitable(r):
                await r
        """,
    "async branch": """
        import inspect
        async def f(call, wait):
            if inspect.iscoroutinefunction(call):
                t = call()
            else:
                t = wait(call)
            return await t
        """,
    "tool in place": """
        import inspect
        class Tool:
            def __init__(self, fn): self.fn = fn
            async def run(self, args):
                if inspect.iscoroutinefunction(self.fn):
                    return await self.fn(**args)
                return self.fn(**args)  # blocking-call
        """,
    "alias of a container": """
        _seen_by_user = {}
        async def f(user_id):
            _seen_by_user[user_id] = 1
        def drop(user_id):
            seen = _seen_by_user
            seen.pop(user_id)
        """,
    "tar in memory": """
        import io, tarfile
        async def f(raw):
            with tarfile.open(fileobj=io.BytesIO(raw)) as t:
                return t.getmembers()
        """,
    "a stub that others write as a generator": """
        from abc import ABC, abstractmethod
        class Crawl(ABC):
            @abstractmethod
            async def stream(self, url): ...
            async def run(self, url):
                return self.stream(url)
        class Deep(Crawl):
            async def stream(self, url):
                yield url
        """,
    "messages that come one by one": """
        import httpx
        async def f(pubsub, client: httpx.AsyncClient):
            async for message in pubsub.listen():
                await client.get(message["url"])
        """,
    "a server before it serves": """
        class Server:
            async def serve(self):
                open("certificate")
                while True:
                    await self.handle()
            async def handle(self):
                open("request")  # blocking-call
        """,
    "functions by the name of a part": """
        from collections import defaultdict
        class App:
            def __init__(self):
                self.before_funcs = defaultdict(list)
            async def before(self, name):
                for each in self.before_funcs[name]:
                    await each()
        """,
    "a queue of threads beside one of tasks": """
        async def f(queue):
            await queue.put(1)
            await queue.put(2)
            await queue.put(3)
        async def g(queue):
            queue.put(4)
        """,
}


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
def test_found_where_it_is_and_nowhere_else(tmp_path: Path, text: str) -> None:
    marked = {
        (number, line.rpartition("# ")[2].strip())
        for number, line in enumerate(text.splitlines(), 1)
        if "  # " in line
    }
    found = {(each.line, each.cause.slug) for each in findings(tmp_path, app__main=text)}
    assert found == marked
