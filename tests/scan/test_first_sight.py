"""What packages that nobody had looked at were wrongly blamed for, each beside its guilty twin."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scan.project import findings


def _below(calls: int) -> str:
    """A route that many calls above an open file."""
    steps = "".join(f"def step{n}():\n    return step{n + 1}()\n\n" for n in range(1, calls))
    return (
        "from fastapi import FastAPI\n\napp = FastAPI()\n\n"
        '@app.get("/")\nasync def page():\n    return step1()\n\n'
        f"{steps}def step{calls}():\n    with open('a') as file:\n        return file.read()\n"
    )


PAIRS = {
    "a file so far below that some test on the way keeps the loop out": (
        "blocking-call",
        _below(6),
        _below(5),
    ),
    "the same, nearer, of a coroutine that nobody is seen to call": (
        "blocking-call",
        _below(5).replace('@app.get("/")', ""),
        _below(4).replace('@app.get("/")', ""),
    ),
    "what sets up an object that a function makes": (
        "blocking-call",
        """
        import psycopg2

        class Store:
            async def initialize(self):
                self.connection = psycopg2.connect("")

        async def get_store():
            store = Store()
            await store.initialize()
            return store
        """,
        """
        import psycopg2
        from fastapi import FastAPI

        app = FastAPI()

        class Store:
            async def initialize(self):
                self.connection = psycopg2.connect("")

        @app.get("/")
        async def get_store():
            store = Store()
            await store.initialize()
        """,
    ),
    "a coroutine inside, which plain code runs on a loop of its own": (
        "connection-per-request",
        """
        import asyncio
        from sqlalchemy.ext.asyncio import create_async_engine

        def upgrade(uri):
            async def do():
                engine = create_async_engine(uri)
                async with engine.begin() as connection:
                    await connection.exec_driver_sql("select 1")

            asyncio.run(do())
        """,
        """
        import asyncio
        from sqlalchemy.ext.asyncio import create_async_engine

        def upgrade(uri):
            async def do():
                engine = create_async_engine(uri)
                async with engine.begin() as connection:
                    await connection.exec_driver_sql("select 1")

            return do
        """,
    ),
    "a coroutine that a thread runs on a loop of its own": (
        "blocking-call",
        """
        import asyncio, os, threading

        class Rails:
            def __init__(self):
                work = threading.Thread(target=asyncio.run, args=(self.load(),))
                work.start()

            async def load(self):
                os.makedirs("a")
        """,
        """
        import asyncio, os, threading

        class Rails:
            def __init__(self):
                self.work = asyncio.create_task(self.load())

            async def load(self):
                os.makedirs("a")
        """,
    ),
    "a query that is put together and given back": (
        "blocking-call",
        """
        from sqlalchemy.orm import Session
        from models import Order, Owner, restricted

        def orders(session: Session, name, user):
            query = session.query(Order).join(Order.owner)
            if name:
                query = query.filter(Owner.name == name)
            query = restricted(query, user)
            return query

        async def page(session: Session, name, user):
            return orders(session, name, user)
        """,
        """
        from sqlalchemy.orm import Session
        from models import Order, Owner

        def orders(session: Session, name):
            query = session.query(Order).join(Order.owner)
            if name:
                query = query.filter(Owner.name == name)
            return query.all()

        async def page(session: Session, name):
            return orders(session, name)
        """,
    ),
    "a file in memory that is passed on": (
        "blocking-call",
        """
        import io

        class File:
            def __init__(self, fp):
                if isinstance(fp, io.IOBase):
                    self.fp = fp
                else:
                    self.fp = open(fp, "rb")

        async def to_file(read):
            return File(io.BytesIO(await read()))
        """,
        """
        import io

        class File:
            def __init__(self, fp):
                if isinstance(fp, io.IOBase):
                    self.fp = fp
                else:
                    self.fp = open(fp, "rb")

        async def to_file(path):
            return File(path)
        """,
    ),
    "something else of the same type of callable": (
        "blocking-call",
        """
        import asyncio
        import param

        class Feed(param.Parameterized):
            callback = param.Callable()
            key = param.Callable()

            async def answer(self, message):
                return await asyncio.to_thread(self.callback, message)

            async def find(self, message):
                return self.key(message)
        """,
        """
        import asyncio
        import param

        class Feed(param.Parameterized):
            callback = param.Callable()
            task = param.Callable()

            async def find(self, message):
                if asyncio.iscoroutinefunction(self.task):
                    return await self.task(message)
                return self.task(message)
        """,
    ),
    "a thread that is waited for at the end": (
        "blocking-call",
        """
        import threading

        class Sender:
            def __init__(self, run):
                self.thread = threading.Thread(target=run)

            def stop(self):
                self.thread.join(5)

            async def exit_gracefully(self):
                self.stop()
        """,
        """
        import threading

        class Sender:
            def __init__(self, run):
                self.thread = threading.Thread(target=run)

            def result(self):
                self.thread.join(5)

            async def send(self):
                self.result()
        """,
    ),
    "a walk in which each step needs the one before": (
        "n-plus-one",
        """
        from sqlalchemy import select
        from sqlalchemy.ext.asyncio import AsyncSession
        from models import Node

        async def find(session: AsyncSession, segments):
            parent = 0
            for segment in segments:
                query = select(Node.id).where(Node.parent == parent, Node.key == segment)
                found = (await session.execute(query)).scalar()
                if found is None:
                    return None
                parent = found
            return parent
        """,
        """
        from sqlalchemy import select
        from sqlalchemy.ext.asyncio import AsyncSession
        from models import Node

        async def find(session: AsyncSession, segments, parent):
            total = 0
            for segment in segments:
                query = select(Node.size).where(Node.parent == parent, Node.key == segment)
                found = (await session.execute(query)).scalar()
                total = total + found
            return total
        """,
    ),
    "a database for each item": (
        "n-plus-one",
        """
        from models import Hook

        async def hooks(contexts, hook_id):
            found = []
            for context in contexts:
                async with context.session() as session:
                    found.append(await session.get(Hook, hook_id))
            return found
        """,
        """
        from models import Hook

        async def hooks(context, ids):
            found = []
            async with context.session() as session:
                for hook_id in ids:
                    found.append(await session.get(Hook, hook_id))
            return found
        """,
    ),
    "a factory that keeps the engine it makes": (
        "connection-per-request",
        """
        from sqlalchemy import create_engine
        from sqlalchemy.orm import sessionmaker

        def new_sessions(url):
            engine = create_engine(url)
            sessions = sessionmaker(bind=engine)
            return sessions

        class Store:
            @property
            def sessions(self):
                if not hasattr(self, "_sessions"):
                    self._sessions = new_sessions("sqlite://")
                return self._sessions

        async def page(store: Store):
            return store.sessions
        """,
        """
        from sqlalchemy import create_engine, text

        def count(url):
            engine = create_engine(url)
            with engine.connect() as connection:
                return connection.execute(text("select 1")).scalar()

        async def page(url):
            return count(url)
        """,
    ),
    "a task that is cancelled if it is pending": (
        "lost-task",
        """
        import asyncio

        async def batch(full):
            done, pending = await asyncio.wait(
                [asyncio.create_task(asyncio.sleep(1)), asyncio.create_task(full.wait())],
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in pending:
                task.cancel()
        """,
        """
        import asyncio

        async def batch(full):
            done, pending = await asyncio.wait(
                [asyncio.create_task(asyncio.sleep(1)), asyncio.create_task(full.wait())],
                return_when=asyncio.FIRST_COMPLETED,
            )
            return done
        """,
    ),
    "the attributes of one object": (
        "blocking-serializer",
        """
        import json
        from fastapi import FastAPI, Response

        app = FastAPI()

        @app.get("/")
        async def shape(array):
            spec = {"shape": list(array.shape), "format": array.format}
            return Response(json.dumps(spec))
        """,
        """
        import json
        from fastapi import FastAPI, Response

        app = FastAPI()

        @app.get("/")
        async def shape(array):
            return Response(json.dumps([each.name for each in array.rows]))
        """,
    ),
    "the names of columns": (
        "blocking-serializer",
        """
        import json
        from fastapi import FastAPI, Response

        app = FastAPI()

        @app.get("/")
        async def columns(url, table):
            return Response(json.dumps([url + key for key in table.columns]))
        """,
        """
        import json
        from fastapi import FastAPI, Response

        app = FastAPI()

        @app.get("/")
        async def keys(url, table):
            return Response(json.dumps([url + key for key in table.keys]))
        """,
    ),
    "a check that is there to fail first": (
        "sequential-awaits",
        """
        import aiohttp

        async def get_owner(session: aiohttp.ClientSession, uid):
            async with session.get(f"https://a.test/{uid}") as answer:
                return await answer.json()

        async def page(http: aiohttp.ClientSession, uid, other):
            _ = await get_owner(http, uid)
            second = await get_owner(http, other)
            return second
        """,
        """
        import aiohttp

        async def get_owner(session: aiohttp.ClientSession, uid):
            async with session.get(f"https://a.test/{uid}") as answer:
                return await answer.json()

        async def page(http: aiohttp.ClientSession, uid, other):
            first = await get_owner(http, uid)
            second = await get_owner(http, other)
            return first, second
        """,
    ),
    "a queue that the object itself empties": (
        "unbounded-cache",
        """
        import asyncio

        class PooledListener:
            def __init__(self):
                self.requests = asyncio.Queue()

            async def ask(self, request):
                await self.requests.put(request)

            async def _outgoing(self):
                while True:
                    yield await self.requests.get()

            async def run(self, stub):
                await stub.listen(self._outgoing())
        """,
        """
        import asyncio

        class PooledListener:
            def __init__(self):
                self.requests = asyncio.Queue()

            async def tell(self, message):
                await self.requests.put(message)

            async def next(self):
                return await self.requests.get()

        async def subscribe():
            return PooledListener()
        """,
    ),
    "a pipe that is wrapped": (
        "blocking-call",
        """
        import os

        async def reader(pipe):
            return os.fdopen(pipe, "rb")
        """,
        """
        import os

        async def reader(path):
            return os.fdopen(os.open(path, os.O_RDONLY), "rb")
        """,
    ),
    "what a plain helper is given of an async client": (
        "blocking-call",
        """
        class Model:
            def __init__(self, client, async_client):
                self._client = client
                self._async_client = async_client

            def _call(self, make, text):
                return make(text)

            async def _acall(self, make, text):
                return await make(text)

            async def stream(self, text):
                return self._call(self._async_client.stream, text)
        """,
        """
        class Model:
            def __init__(self, client, async_client):
                self._client = client
                self._async_client = async_client

            def _call(self, make, text):
                return make(text)

            async def _acall(self, make, text):
                return await make(text)

            async def stream(self, text):
                return self._call(self._client.stream, text)
        """,
    ),
    "a connection that whoever enters it decides about": (
        "connection-per-request",
        """
        from contextlib import asynccontextmanager
        import psycopg

        @asynccontextmanager
        async def connect(dsn):
            async with await psycopg.AsyncConnection.connect(dsn) as connection:
                yield connection
        """,
        """
        import psycopg

        async def count(dsn):
            async with await psycopg.AsyncConnection.connect(dsn) as connection:
                return await connection.execute("select 1")
        """,
    ),
    "a stream that is meant to wait": (
        "missing-timeout",
        """
        import httpx

        class Wallet:
            def __init__(self):
                self.client = httpx.AsyncClient()

            async def paid(self):
                while True:
                    async with self.client.stream("GET", "/paid", timeout=None) as answer:
                        async for line in answer.aiter_lines():
                            yield line
        """,
        """
        import httpx

        class Wallet:
            def __init__(self):
                self.client = httpx.AsyncClient()

            async def pay(self):
                return await self.client.post("/pay", timeout=None)
        """,
    ),
    "the commands of a command line": (
        "client-per-request",
        """
        import click, httpx

        @click.group()
        def cli():
            pass

        @cli.command("uninstall")
        @coro
        async def uninstall(url):
            return await _uninstall(url)

        async def _uninstall(url):
            async with httpx.AsyncClient() as client:
                return await client.delete(url)
        """,
        """
        import httpx

        async def uninstall(url):
            return await _uninstall(url)

        async def _uninstall(url):
            async with httpx.AsyncClient() as client:
                return await client.delete(url)
        """,
    ),
    "what is put off until the server has started": (
        "blocking-call",
        """
        import asyncio, webbrowser

        def on_server_start(url):
            def show():
                webbrowser.open(url)

            asyncio.get_running_loop().call_soon(show)
        """,
        """
        import asyncio, webbrowser

        def on_message(url):
            def show():
                webbrowser.open(url)

            asyncio.get_running_loop().call_soon(show)
        """,
    ),
    "the branch for when no loop runs": (
        "blocking-call",
        """
        import httpx
        from app.loops import get_event_loop

        async def fetch(client: httpx.Client, request):
            loop = get_event_loop()
            if loop is None:
                return client.send(request)
            return await loop.run_in_executor(None, lambda: client.send(request))
        """,
        """
        import httpx
        from app.loops import get_event_loop

        async def fetch(client: httpx.Client, request, proxy):
            loop = get_event_loop()
            if proxy is None:
                return client.send(request)
            return await loop.run_in_executor(None, lambda: client.send(request))
        """,
    ),
    "a cache by the settings": (
        "unbounded-cache",
        """
        class ClientManager:
            def __init__(self, config):
                self.config = config
                self.client_cache = {}

            async def get_client(self, make):
                key = f"{self.config.url}::{self.config.api_key}"
                if key not in self.client_cache:
                    self.client_cache[key] = make(key)
                return self.client_cache[key]
        """,
        """
        class ClientManager:
            def __init__(self, config):
                self.config = config
                self.client_cache = {}

            async def get_client(self, make, user_id):
                key = f"{self.config.url}::{user_id}"
                if key not in self.client_cache:
                    self.client_cache[key] = make(key)
                return self.client_cache[key]
        """,
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_is_not_told(tmp_path: Path, name: str) -> None:
    cause, clean, _ = PAIRS[name]
    assert findings(tmp_path, cause, app=clean) == []


@pytest.mark.parametrize("name", PAIRS)
def test_its_guilty_twin_is(tmp_path: Path, name: str) -> None:
    cause, _, guilty = PAIRS[name]
    assert findings(tmp_path, cause, app=guilty)


@pytest.mark.parametrize("folder", ["commandline", "eval"])
def test_a_command_line_serves_nobody(tmp_path: Path, folder: str) -> None:
    sick = "import time\n\nasync def run():\n    time.sleep(1)\n"
    assert findings(tmp_path / "one", "blocking-call", **{f"{folder}__run": sick}) == []
    assert findings(tmp_path / "two", "blocking-call", app__run=sick)


def test_a_file_for_another_system_is_not_run_here(tmp_path: Path) -> None:
    sick = "import time\n\nasync def run():\n    time.sleep(1)\n"
    assert findings(tmp_path / "one", "blocking-call", app__agent_win32=sick) == []
    assert findings(tmp_path / "two", "blocking-call", app__agent_window=sick)
