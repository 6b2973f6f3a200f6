"""Files, connections, clients and generators that are opened and not closed, or only seem so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scan.project import findings, lines

# Each is left open in the line that says so; something runs on the loop beside it.
GUILTY = {
    "a file that nobody closes": """
        def parse(path):
            f = open(path)  # left open
            return rows(f)
        def rows(file):
            lines = file
            return [line.strip() for line in lines]
        """,
    "a file within what is uploaded": """
        async def send(client, path):
            return await client.create(file=("a.wav", open(path, "rb")))  # left open
        """,
    "one of two files by one name": """
        import httpx
        def send(path, other):
            if other:
                f = open(other, "rb")  # left open
                return httpx.post("x", content=f)
            f = open(path, "rb")  # left open
            return httpx.post("y", content=f)
        """,
    "a connection closed only where nothing fails": """
        import sqlite3
        def load():
            db = sqlite3.connect("x")  # left open
            rows = db.execute("select 1").fetchall()
            db.close()
            return rows
        """,
    "a dependency taken by hand": """
        def get_db():
            db = make()
            try:
                yield db
            finally:
                db.close()
        async def f():
            db = next(get_db())  # left open
            return db.query()
        """,
    "an async dependency taken by hand": """
        async def session():
            async with maker() as s:
                yield s
        async def f():
            gen = session()
            db = await anext(gen)  # left open
            return await db.get(1)
        """,
    "a client from a helper": """
        import httpx
        class Proxy:
            def _client(self):
                return httpx.AsyncClient(base_url="x")
            async def refresh(self):
                c = self._client()  # left open
                return await c.post("/token")
        """,
    "a stream read through a generator of one's own": """
        from openai import AsyncStream
        async def parts(stream):
            async for part in stream:
                yield part
        async def answer(fetch):
            stream: AsyncStream[str] = await fetch()
            async for part in parts(stream):  # left open
                yield part
        """,
    "a client that the end of its owner passes by": """
        import httpx
        class Service:
            def __init__(self):
                self._http = httpx.AsyncClient()  # left open
                self._queue = Queue()
            async def ask(self):
                return await self._http.get("x")
            async def close(self):
                await self._queue.join()
        """,
}


@pytest.mark.parametrize("source", GUILTY.values(), ids=GUILTY.keys())
def test_what_is_left_open_is_told(tmp_path: Path, source: str) -> None:
    source += "\n        async def on_loop(): ...\n"
    marked = [n for n, line in enumerate(source.splitlines(), 1) if line.endswith("# left open")]
    assert lines(findings(tmp_path, "session-leak", app=source)) == marked


CLEAN = {
    "closed in the end": """
        def load(path):
            f = open(path)
            try:
                return f.read()
            finally:
                f.close()
        """,
    "entered later": """
        def load(path):
            f = open(path)
            with f:
                return f.read()
        """,
    "given to a stack": """
        def load(stack, path):
            f = stack.enter_context(open(path))
            return f.read()
        """,
    "kept by an object": """
        class Log:
            def __init__(self, path):
                f = open(path, "a")
                self._files = {"main": f}
        """,
    "closed by whom it is given to": """
        def load(path):
            f = open(path)
            return drain(f)
        def drain(file):
            with file:
                return file.read()
        """,
    "returned within something": """
        import csv
        def rows(path):
            f = open(path)
            return csv.reader(f)
        """,
    "read in one breath, which ends it": """
        import json
        def load(path):
            return json.load(open(path))
        """,
    "a process's output": """
        import subprocess
        def start(path):
            f = open(path, "w")
            return subprocess.Popen(["x"], stdout=f)
        """,
    "a dependency that is let end": """
        def get_db():
            db = make()
            try:
                yield db
            finally:
                db.close()
        async def f():
            gen = get_db()
            db = next(gen)
            try:
                return db.query()
            finally:
                gen.close()
        """,
    "the first of many rows": """
        def rows(path):
            with open(path) as f:
                for line in f:
                    yield line
        async def head(path):
            first = next(rows(path))
            return first
        """,
    "a generator that owes nothing": """
        def numbers():
            yield 1
        async def f():
            n = next(numbers())
            return n
        """,
    "a helper's client that is entered": """
        import httpx
        def make():
            return httpx.AsyncClient()
        async def f():
            c = make()
            async with c:
                return await c.get("x")
        """,
    "a helper that keeps its client": """
        import functools, httpx
        @functools.cache
        def make():
            return httpx.AsyncClient()
        async def f():
            c = make()
            return await c.get("x")
        """,
    "a client that another object ends": """
        import httpx
        class Service:
            def __init__(self):
                self._http = httpx.AsyncClient()
                self._api = Api(self._http)
            async def close(self):
                await self._api.close()
        """,
    "a stream that is closed in the end": """
        from openai import AsyncStream
        async def parts(stream):
            async for part in stream:
                yield part
        async def answer(fetch, end):
            stream: AsyncStream[str] = await fetch()
            try:
                async for part in parts(stream):
                    yield part
            finally:
                await end(stream)
        """,
    "a socket given to a server": """
        import socket
        async def serve(loop, handler):
            sock = socket.socket()
            sock.bind(("", 0))
            return await loop.create_server(handler, sock=sock)
        """,
    "a socket that listens for good": """
        import socket
        def serve():
            server = socket.socket()
            server.listen()
            while True:
                handle(server.accept())
        """,
    "a client that a helper shares": """
        import functools, httpx
        @functools.cache
        def shared() -> httpx.AsyncClient:
            return httpx.AsyncClient()
        class Service:
            def __init__(self):
                self._http = shared()
            async def close(self):
                await self.flush()
        """,
    "an object that has no end": """
        import httpx
        class Service:
            def __init__(self):
                self._http = httpx.AsyncClient()
            async def ask(self):
                return await self._http.get("x")
        """,
}


@pytest.mark.parametrize("source", CLEAN.values(), ids=CLEAN.keys())
def test_what_is_closed_or_handed_on_is_left_alone(tmp_path: Path, source: str) -> None:
    source += "\n        async def on_loop(): ...\n"
    assert findings(tmp_path, "session-leak", app=source) == []
