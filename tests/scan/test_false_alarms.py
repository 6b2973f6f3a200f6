"""What looks slow and is not, each beside its guilty twin, which must still be found."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scan.project import findings

PAIRS = {
    "a future that was asked whether it is done": (
        "blocking-call",
        """
        from concurrent.futures import Future

        class Load:
            encoding: Future

            async def get(self):
                if self.encoding.done():
                    return self.encoding.result()
                return None
        """,
        """
        from concurrent.futures import Future

        class Load:
            encoding: Future

            async def get(self):
                return self.encoding.result()
        """,
    ),
    "a future that calls back and was waited for": (
        "blocking-call",
        """
        import asyncio
        from concurrent.futures import ThreadPoolExecutor

        pool = ThreadPoolExecutor()

        async def call(func):
            event = asyncio.Event()
            future = pool.submit(func)
            future.add_done_callback(lambda _: event.set())
            await event.wait()
            return future.result()
        """,
        """
        import asyncio
        from concurrent.futures import ThreadPoolExecutor

        pool = ThreadPoolExecutor()

        async def call(func):
            await asyncio.sleep(0)
            future = pool.submit(func)
            return future.result()
        """,
    ),
    "a lock on a file that is tried": (
        "blocking-call",
        """
        import fcntl

        async def take(descriptor):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        """,
        """
        import fcntl

        async def take(descriptor):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        """,
    ),
    "a file that the kernel makes up": (
        "blocking-call",
        """
        from pathlib import Path

        async def boot():
            return Path("/proc/sys/kernel/random/boot_id").read_text()
        """,
        """
        from pathlib import Path

        async def boot():
            return Path("/var/lib/app/boot_id").read_text()
        """,
    ),
    "a URL that holds its data": (
        "blocking-call",
        """
        from urllib.request import urlopen

        async def decode(uri):
            if not uri.startswith("data:"):
                raise ValueError(uri)
            return urlopen(uri, timeout=3).read()
        """,
        """
        from urllib.request import urlopen

        async def decode(uri):
            if not uri.startswith("https:"):
                raise ValueError(uri)
            return urlopen(uri, timeout=3).read()
        """,
    ),
    "a flag that is passed on, and whose other branch waits": (
        "blocking-call",
        """
        import time

        def write(is_async):
            if is_async:
                return None
            else:
                time.sleep(1)

        def log(is_async):
            write(is_async=is_async)

        async def step():
            log(is_async=True)
        """,
        """
        import time

        def write(is_async):
            if is_async:
                return None
            else:
                time.sleep(1)

        def log(is_async):
            write(is_async=is_async)

        async def step():
            log(is_async=False)
        """,
    ),
    "another system": (
        "blocking-call",
        """
        import sys, time

        def clear():
            if sys.platform != "win32":
                return
            time.sleep(1)

        async def pull():
            clear()
            if sys.platform == "win32":
                time.sleep(2)
        """,
        """
        import sys, time

        def clear():
            if sys.platform == "win32":
                return
            time.sleep(1)

        async def pull():
            clear()
        """,
    ),
    "a twin that is awaited as well": (
        "blocking-call",
        """
        class Log:
            def fail(self, error):
                self.remote.grab(error)

            async def afail(self, error):
                await self.remote.agrab(error)

        class Stream:
            def __init__(self, log: Log):
                self.log = log

            async def failed(self, error):
                self.log.fail(error)
                await self.log.afail(error)
        """,
        """
        class Log:
            def fail(self, error):
                self.remote.grab(error)

            async def afail(self, error):
                await self.remote.agrab(error)

        class Stream:
            def __init__(self, log: Log):
                self.log = log

            async def failed(self, error):
                self.log.fail(error)
        """,
    ),
    "a cache that is told to look at what is at hand": (
        "blocking-call",
        """
        class Cache:
            def read(self, key, local_only=False):
                return self.remote.grab(key)

            async def async_read(self, key):
                return await self.remote.agrab(key)

        async def spent(cache: Cache):
            return cache.read("a", local_only=True)
        """,
        """
        class Cache:
            def read(self, key, local_only=False):
                return self.remote.grab(key)

            async def async_read(self, key):
                return await self.remote.agrab(key)

        async def spent(cache: Cache):
            return cache.read("a")
        """,
    ),
    "what a thread's future calls": (
        "blocking-call",
        """
        import time
        from work import start

        def submit(job):
            def done(future):
                time.sleep(1)

            start(job).add_done_callback(done)
        """,
        """
        import asyncio, time
        from work import start

        def submit(job):
            def done(future):
                time.sleep(1)

            asyncio.ensure_future(start(job)).add_done_callback(done)
        """,
    ),
    "a coroutine that the command line of the file runs": (
        "blocking-call",
        """
        import asyncio, time

        async def upgrade(path):
            time.sleep(1)

        def main():
            asyncio.run(upgrade("a"))
        """,
        """
        import asyncio, time

        async def upgrade(path):
            time.sleep(1)

        def job():
            asyncio.run(upgrade("a"))
        """,
    ),
    "a coroutine that is called plain in one branch, and handed on in another": (
        "forgotten-await",
        """
        from typing import Protocol
        from greenlets import wait_for

        class Cursor(Protocol):
            async def close(self): ...

        class Adapter:
            cursor: Cursor
            awaitable: bool

            async def close(self):
                if not self.awaitable:
                    self.cursor.close()
                else:
                    wait_for(self.cursor.close())
        """,
        """
        from typing import Protocol

        class Cursor(Protocol):
            async def close(self): ...

        class Adapter:
            cursor: Cursor
            awaitable: bool

            async def close(self):
                if not self.awaitable:
                    self.cursor.close()
        """,
    ),
    "a method that goes to a thread when it may wait": (
        "forgotten-await",
        """
        from anyio.to_thread import run_sync

        async def one(file):
            await file.skip(1)

        async def two(file):
            await file.skip(2)

        async def three(file):
            await file.skip(3)

        class Upload:
            def __init__(self, file, small):
                self.file = file
                self.small = small

            async def skip(self, count):
                file = self.file
                if self.small:
                    file.skip(count)
                else:
                    await run_sync(file.skip, count)
        """,
        """
        async def one(file):
            await file.skip(1)

        async def two(file):
            await file.skip(2)

        async def three(file):
            await file.skip(3)

        async def four(file):
            file.skip(4)
        """,
    ),
    "a task that a variable of the module keeps": (
        "lost-task",
        """
        import asyncio

        cleaner = None

        async def start(f):
            global cleaner
            cleaner = asyncio.create_task(f())
        """,
        """
        import asyncio

        cleaner = None

        async def start(f):
            cleaner = asyncio.create_task(f())
        """,
    ),
    "a value that is turned to text for whoever runs the job": (
        "false-offload",
        """
        async def enqueue(executor, job_id, run):
            await executor.submit(str(job_id), run)
        """,
        """
        import asyncio
        from work import load

        async def enqueue(job_id):
            await asyncio.to_thread(load(job_id))
        """,
    ),
    "debugging for whoever asks for it": (
        "debug-left-on",
        """
        def run(loop, asyncio_debug=False):
            if asyncio_debug:
                loop.set_debug(True)
        """,
        """
        def run(loop, asyncio_debug=False):
            loop.set_debug(True)
        """,
    ),
    "rows that an insert gives back": (
        "over-fetch-rows",
        """
        from sqlalchemy import insert
        from sqlalchemy.ext.asyncio import AsyncSession
        from models import Event

        async def append(session: AsyncSession, rows):
            statement = insert(Event).values(rows).returning(Event.id)
            return len((await session.execute(statement)).scalars().all())
        """,
        """
        from sqlalchemy import select
        from sqlalchemy.ext.asyncio import AsyncSession
        from models import Event

        async def count(session: AsyncSession):
            statement = select(Event.id)
            return len((await session.execute(statement)).scalars().all())
        """,
    ),
    "columns that are there, as a rule": (
        "over-fetch-rows",
        """
        from sqlalchemy import select
        from sqlalchemy.ext.asyncio import AsyncSession
        from models import Variable

        async def names(session: AsyncSession, found):
            rows = (await session.scalars(select(Variable))).all()
            for row in rows:
                if row.name and row.value:
                    found.append(row.name)
        """,
        """
        from sqlalchemy import select
        from sqlalchemy.ext.asyncio import AsyncSession
        from models import Variable

        async def names(session: AsyncSession, found):
            rows = (await session.scalars(select(Variable))).all()
            for row in rows:
                if row.is_public:
                    found.append(row.name)
        """,
    ),
    "a cache with an entry for each kind of thing": (
        "unbounded-cache",
        """
        class SessionManager:
            def __init__(self):
                self._session_cache = {}

            async def get(self, auth_method, resource_type):
                key = (auth_method, resource_type)
                self._session_cache[key] = object()
        """,
        """
        class SessionManager:
            def __init__(self):
                self._session_cache = {}

            async def get(self, auth_method, user_id):
                key = (auth_method, user_id)
                self._session_cache[key] = object()
        """,
    ),
    "a cache with an entry for each folder": (
        "unbounded-cache",
        """
        repository_cache = {}

        async def repository_of(folder):
            repository_cache[folder] = object()
        """,
        """
        repository_cache = {}

        async def repository_of(user_id):
            repository_cache[user_id] = object()
        """,
    ),
    "topics that a program has": (
        "unbounded-cache",
        """
        from collections import defaultdict

        class Broker:
            def __init__(self):
                self.topics = defaultdict(list)

            async def send(self, topic):
                for each in self.topics[topic]:
                    await each.send()
        """,
        """
        from collections import defaultdict

        class Broker:
            def __init__(self):
                self.topics = defaultdict(list)

            async def send(self, user_id):
                for each in self.topics[user_id]:
                    await each.send()
        """,
    ),
    "what lies in memory is no memo": (
        "unbounded-cache",
        """
        _in_memory_loggers = []

        async def build(make):
            _in_memory_loggers.append(make())
        """,
        """
        _memo_loggers = []

        async def build(make):
            _memo_loggers.append(make())
        """,
    ),
    "an object of an SDK that is only made": (
        "blocking-call",
        """
        from langchain_community.document_loaders import TextLoader

        async def loader(path):
            return TextLoader(path)
        """,
        """
        from langchain_community.document_loaders import TextLoader

        async def texts(path):
            return TextLoader(path).load()
        """,
    ),
    "the async side of a call": (
        "blocking-call",
        """
        import asyncio, modal

        async def run(sandbox: modal.Client):
            await asyncio.gather(sandbox.hello.aio())
        """,
        """
        import modal

        async def run(sandbox: modal.Client):
            sandbox.hello()
        """,
    ),
    "a middleware that takes requests itself": (
        "middleware-overhead",
        """
        from starlette.middleware.base import BaseHTTPMiddleware

        class Gate(BaseHTTPMiddleware):
            async def __call__(self, scope, receive, send):
                await self.app(scope, receive, send)
        """,
        """
        from starlette.middleware.base import BaseHTTPMiddleware

        class Gate(BaseHTTPMiddleware):
            async def dispatch(self, request, call_next):
                return await call_next(request)
        """,
    ),
    "an archive in memory, and what goes into it": (
        "blocking-call",
        """
        import io, tarfile

        async def pack(name, data):
            buffer = io.BytesIO()
            with tarfile.open(fileobj=buffer, mode="w") as archive:
                info = tarfile.TarInfo(name=name)
                archive.addfile(info, io.BytesIO(data))
            return buffer
        """,
        """
        import io, tarfile

        async def pack(name, data):
            with tarfile.open(name, mode="w") as archive:
                info = tarfile.TarInfo(name=name)
                archive.addfile(info, io.BytesIO(data))
        """,
    ),
    "a statement that becomes part of another": (
        "blocking-call",
        """
        from sqlalchemy.orm import Session
        from models import Order

        def restrict(session: Session, query):
            mine = session.query(Order.id).join(Order.owners)
            return query.filter(Order.id.in_(mine))

        async def page(session: Session, query):
            restrict(session, query)
        """,
        """
        from sqlalchemy.orm import Session
        from models import Order

        def restrict(session: Session, query):
            mine = session.query(Order.id).join(Order.owners)
            return query.filter(Order.id.in_(mine.all()))

        async def page(session: Session, query):
            restrict(session, query)
        """,
    ),
    "a file of the kernel that the module names": (
        "blocking-call",
        """
        LIMIT = "/sys/fs/cgroup/memory.max"

        async def usage():
            with open(LIMIT) as file:
                return file.read()
        """,
        """
        LIMIT = "/var/lib/app/memory.max"

        async def usage():
            with open(LIMIT) as file:
                return file.read()
        """,
    ),
    "a process that is looked at": (
        "blocking-call",
        """
        import os

        async def reap():
            return os.waitpid(-1, os.WNOHANG)
        """,
        """
        import os

        async def reap():
            return os.waitpid(-1, 0)
        """,
    ),
    "figures that are sent off and not waited for": (
        "blocking-call",
        """
        import statsd

        async def count(client: statsd.StatsClient):
            client.incr("requests")
        """,
        """
        import redis

        async def count(client: redis.Redis):
            client.incr("requests")
        """,
    ),
    "a pause of nothing": (
        "blocking-call",
        """
        import time

        async def spin():
            time.sleep(0)
        """,
        """
        import time

        async def spin():
            time.sleep(1)
        """,
    ),
    "a list that is filled while it is empty": (
        "unbounded-cache",
        """
        class_cache = []

        async def listener(make):
            if not class_cache:
                class_cache.append(make())
            return class_cache[0]
        """,
        """
        class_cache = []

        async def listener(make):
            class_cache.append(make())
            return class_cache[0]
        """,
    ),
    "a client that a session is set up with": (
        "client-per-request",
        """
        import httpx

        async def _init_transport():
            client = httpx.AsyncClient()
            await client.get("https://a.test")
        """,
        """
        import httpx

        async def ask_transport():
            client = httpx.AsyncClient()
            await client.get("https://a.test")
        """,
    ),
    "a queue that was seen to hold something": (
        "blocking-call",
        """
        from queue import Queue

        class Buffer:
            def __init__(self):
                self.queue = Queue()

            async def take_all(self):
                found = []
                while not self.queue.empty():
                    found.append(self.queue.get())
                return found
        """,
        """
        from queue import Queue

        class Buffer:
            def __init__(self):
                self.queue = Queue()

            async def take_all(self):
                return [self.queue.get()]
        """,
    ),
    "an address that is a number": (
        "blocking-call",
        """
        import socket

        async def resolve(host):
            return socket.getaddrinfo(host, 80, flags=socket.AI_NUMERICHOST)
        """,
        """
        import socket

        async def resolve(host):
            return socket.getaddrinfo(host, 80, flags=socket.AI_PASSIVE)
        """,
    ),
    "a helper that goes to a thread where there is much": (
        "blocking-call",
        """
        import asyncio, time

        async def store(data):
            def write(data):
                time.sleep(1)

            if len(data) < 1000:
                write(data)
            else:
                await asyncio.to_thread(write, data)
        """,
        """
        import asyncio, time

        async def store(data):
            def write(data):
                time.sleep(1)

            write(data)
        """,
    ),
    "the unlocking of a file": (
        "blocking-call",
        """
        import fcntl

        async def leave(descriptor):
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        """,
        """
        import fcntl

        async def leave(descriptor):
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        """,
    ),
    "rows that are streamed by a plain generator": (
        "blocking-call",
        """
        import time
        from fastapi import FastAPI
        from fastapi.responses import StreamingResponse

        app = FastAPI()

        @app.get("/")
        async def rows():
            def items():
                time.sleep(1)
                yield b""

            return StreamingResponse(items())
        """,
        """
        import time
        from fastapi import FastAPI
        from fastapi.responses import Response

        app = FastAPI()

        @app.get("/")
        async def rows():
            def items():
                time.sleep(1)
                yield b""

            return Response(b"".join(items()))
        """,
    ),
    "an SDK's error": (
        "blocking-call",
        """
        from composio.exceptions import NotConnected

        async def act():
            raise NotConnected("no account")
        """,
        """
        from composio import Composio

        async def act():
            return Composio().execute("a")
        """,
    ),
    "a branch for callers that do not give what others do": (
        "blocking-call",
        """
        import time

        def read(key, rows=None):
            if rows is None:
                time.sleep(1)
            return rows if rows is not None else time.sleep(2)

        async def go():
            return read("a", rows=["b"])
        """,
        """
        import time

        def read(key, rows=None):
            if rows is None:
                time.sleep(1)
            return rows

        async def go():
            return read("a")
        """,
    ),
    "rows of many that are passed on": (
        "n-plus-one",
        """
        async def grants_of(db, item):
            return await db.fetch_all("select * from grants where item = :id", item)

        async def to_model(db, item, grants=None):
            return item, grants if grants is not None else await grants_of(db, item)

        async def models(db, items, grants):
            return [await to_model(db, item, grants=grants.get(item, [])) for item in items]
        """,
        """
        async def grants_of(db, item):
            return await db.fetch_all("select * from grants where item = :id", item)

        async def to_model(db, item, grants=None):
            return item, grants if grants is not None else await grants_of(db, item)

        async def models(db, items, grants):
            return [await to_model(db, item) for item in items]
        """,
    ),
    "a transaction for each item": (
        "n-plus-one",
        """
        from app.db import sessions

        async def refresh(session, item):
            await session.execute("update items set seen = now() where id = :id", {"id": item})

        async def refresh_all(items):
            for item in items:
                async with sessions.begin() as session:
                    await refresh(session, item)
        """,
        """
        from app.db import sessions

        async def fetch_item(session, item):
            return await session.execute("select * from items where id = :id", {"id": item})

        async def check_all(items):
            for item in items:
                async with sessions.begin() as session:
                    await fetch_item(session, item)
        """,
    ),
    "a session that has let go of its connection": (
        "long-transaction",
        """
        import httpx
        from sqlalchemy.ext.asyncio import async_sessionmaker
        from models import Order

        Session = async_sessionmaker()

        async def pay(http: httpx.AsyncClient, key):
            async with Session() as session:
                order = await session.get(Order, key)
                await session.commit()
                await http.post("https://a.test/pay")
        """,
        """
        import httpx
        from sqlalchemy.ext.asyncio import async_sessionmaker
        from models import Order

        Session = async_sessionmaker()

        async def pay(http: httpx.AsyncClient, key):
            async with Session() as session:
                await session.commit()
                order = await session.get(Order, key)
                await http.post("https://a.test/pay")
        """,
    ),
    "a queue that its own task empties": (
        "unbounded-cache",
        """
        import asyncio

        class Listener:
            def __init__(self):
                self.queue = asyncio.Queue()
                self.worker = asyncio.create_task(self.work())

            async def work(self):
                while True:
                    print(await self.queue.get())

            def changed(self, what):
                self.queue.put_nowait(what)
        """,
        """
        import asyncio

        class Listener:
            def __init__(self):
                self.queue = asyncio.Queue()

            async def following(self):
                return await self.queue.get()

            def changed(self, what):
                self.queue.put_nowait(what)
        """,
    ),
    "the start of a worker process": (
        "blocking-call",
        """
        import ssl
        from gunicorn.workers.base import Worker

        class AsyncWorker(Worker):
            async def _run(self):
                ssl.create_default_context()
        """,
        """
        import ssl
        from jobs import Worker

        class AsyncWorker(Worker):
            async def _run(self):
                ssl.create_default_context()
        """,
    ),
    "a URL that holds its data, without a limit": (
        "missing-timeout",
        """
        from urllib.request import urlopen

        def decode(uri):
            if uri.startswith("data:"):
                return urlopen(uri).read()
        """,
        """
        from urllib.request import urlopen

        def decode(uri):
            return urlopen(uri).read()
        """,
    ),
    "a client for a look at what is newest": (
        "client-per-request",
        """
        import httpx

        async def check_for_updates():
            async with httpx.AsyncClient() as client:
                return await client.get("https://a.test/version")
        """,
        """
        import httpx

        async def price_of(item):
            async with httpx.AsyncClient() as client:
                return await client.get("https://a.test/version")
        """,
    ),
    "a count that follows a change": (
        "sequential-awaits",
        """
        import httpx

        async def like(http: httpx.AsyncClient, item):
            await http.post(f"https://a.test/{item}/likes")

        async def get_likes_count(http: httpx.AsyncClient, item):
            return (await http.get(f"https://a.test/{item}/likes")).json()

        async def liked(http: httpx.AsyncClient, item):
            result = await like(http, item)
            number = await get_likes_count(http, item)
            return result, number
        """,
        """
        import httpx

        async def list_likes(http: httpx.AsyncClient, item):
            return (await http.get(f"https://a.test/{item}/likes")).json()

        async def get_likes_count(http: httpx.AsyncClient, item):
            return (await http.get(f"https://a.test/{item}/likes/count")).json()

        async def liked(http: httpx.AsyncClient, item):
            result = await list_likes(http, item)
            number = await get_likes_count(http, item)
            return result, number
        """,
    ),
    "a look at what was changed in the same turn": (
        "sequential-awaits",
        """
        import httpx

        async def load(http: httpx.AsyncClient, names):
            sizes = {}
            for name in names:
                await http.put(f"https://a.test/{name}")
                sizes[name] = await http.get(f"https://a.test/{name}/size")
            return sizes
        """,
        """
        import httpx

        async def load(http: httpx.AsyncClient, names):
            sizes = {}
            for name in names:
                sizes[name] = await http.get(f"https://a.test/{name}/size")
            return sizes
        """,
    ),
    "a loop that is over with the query": (
        "n-plus-one",
        """
        async def secret(session, found, name):
            for each in found:
                if each.name == name:
                    return await session.fetch_one("select 1 where id = :id", each.id)
            return None
        """,
        """
        async def secret(session, found, name):
            kept = []
            for each in found:
                if each.name == name:
                    kept.append(await session.fetch_one("select 1 where id = :id", each.id))
            return kept
        """,
    ),
    "many ids of each kind at once": (
        "n-plus-one",
        """
        from sqlalchemy import select
        from sqlalchemy.ext.asyncio import AsyncSession

        async def resources(session: AsyncSession, ids_by_model):
            found = []
            for model, ids in ids_by_model.items():
                query = select(model).where(model.id.in_(ids))
                found += (await session.execute(query)).all()
            return found
        """,
        """
        from sqlalchemy import select
        from sqlalchemy.ext.asyncio import AsyncSession

        async def resources(session: AsyncSession, ids_by_model):
            found = []
            for model, one in ids_by_model.items():
                query = select(model).where(model.id == one)
                found += (await session.execute(query)).all()
            return found
        """,
    ),
    "objects that were made of rows": (
        "n-plus-one",
        """
        from sqlalchemy import select
        from sqlalchemy.orm import relationship

        class Order:
            items = relationship("Item")

        class OrderOut:
            items: list

        def orders(session) -> list[OrderOut]:
            return as_models(session.scalars(select(Order)).all())

        async def page(session):
            return [order.items for order in orders(session)]

        QUERY = select
        """,
        """
        from sqlalchemy import select
        from sqlalchemy.orm import relationship

        class Order:
            items = relationship("Item")

        def orders(session) -> list[Order]:
            return list(session.scalars(select(Order)).all())

        async def page(session):
            return [order.items for order in orders(session)]

        QUERY = select
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


_SERVICE = """
    from pathlib import Path

    class TelemetryWriter:
        async def start(self):
            Path("owner").write_text("me")
    """


def test_what_the_start_in_another_file_does(tmp_path: Path) -> None:
    once = """
        from contextlib import asynccontextmanager
        from fastapi import FastAPI
        from app.writer import TelemetryWriter

        @asynccontextmanager
        async def lifespan(app):
            writer = TelemetryWriter()
            await writer.start()
            yield

        app = FastAPI(lifespan=lifespan)
        """
    again = """
        from fastapi import FastAPI
        from app.writer import TelemetryWriter

        app = FastAPI()

        @app.get("/")
        async def restart():
            await TelemetryWriter().start()
        """
    files = {"app__writer": _SERVICE}
    assert findings(tmp_path / "once", "blocking-call", app__main=once, **files) == []
    assert findings(tmp_path / "again", "blocking-call", app__main=again, **files)


def test_a_default_that_is_a_call_of_the_file_around(tmp_path: Path) -> None:
    text = """
        import time

        one, two, three = list(), dict(), set()

        def read(key, rows=frozenset(one)):
            if rows is None:
                return None
            time.sleep(1)

        async def go():
            read("a")
        """
    assert findings(tmp_path, "blocking-call", app=text)


@pytest.mark.parametrize("phase", ["startup", "shutdown"])
def test_what_asgi_does_before_and_after_it_serves(tmp_path: Path, phase: str) -> None:
    text = """
        import time

        class Warmed:
            def __init__(self, app):
                self.app = app

            async def __call__(self, scope, receive, send):
                async def received():
                    message = await receive()
                    if message["type"] == "{}":
                        time.sleep(1)
                    return message

                await self.app(scope, received, send)
        """
    assert findings(tmp_path / "once", "blocking-call", app=text.format(f"lifespan.{phase}")) == []
    assert findings(tmp_path / "each", "blocking-call", app=text.format("http.request"))
