"""Calls that nobody wrote as one, and functions that the loop runs without `async`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scan.project import findings, lines

GUILTY = {
    "a property": (6, """
        import requests
        class A:
            @property
            def token(self):
                return requests.get("x", timeout=3).text
            async def f(self):
                return {"a": self.token}
        """),
    "a property that has a setter too": (6, """
        import requests
        class A:
            @property
            def token(self):
                return requests.get("x", timeout=3).text
            @token.setter
            def token(self, value):
                self._parts = [value, value, value, value]
            async def f(self):
                return self.token.upper()
        """),
    "a cached property of something else": (6, """
        import functools
        class Config:
            @functools.cached_property
            def data(self):
                with open("x") as file:
                    return file.read()
        class A:
            def __init__(self, config: Config):
                self.config = config
            async def f(self):
                return 1 if self.config.data else 2
        """),
    "entering a context manager": (5, """
        import time
        class Guard:
            def __enter__(self):
                time.sleep(1)
            def __exit__(self, *args): ...
        async def f():
            with Guard():
                pass
        """),
    "entering one that has a name": (5, """
        from filelock import FileLock
        async def f(path):
            lock = FileLock(path)
            with lock:
                return 1
        """),
    "what the loop is told to call": (4, """
        import asyncio, time
        def tick():
            time.sleep(1)
        async def f():
            asyncio.get_running_loop().call_later(5, tick)
        """),
    "a task's callback": (4, """
        import asyncio, time
        def done(task):
            time.sleep(1)
        async def g(): ...
        async def f():
            task = asyncio.create_task(g())
            task.add_done_callback(done)
            await task
        """),
    "a protocol": (5, """
        import asyncio, time
        class Echo(asyncio.Protocol):
            def data_received(self, data):
                time.sleep(1)
        """),
    "a plain handler of tornado": (5, """
        import time, tornado.web
        class Page(tornado.web.RequestHandler):
            def get(self):
                time.sleep(1)
        """),
    "a plain handler of litestar": (6, """
        import time
        from litestar import get
        @get("/")
        def page() -> str:
            time.sleep(1)
        """),
    "a lock of threads that is held over an await": (7, """
        import asyncio, threading
        class A:
            def __init__(self):
                self._lock = threading.Lock()
            async def f(self):
                with self._lock:
                    await asyncio.sleep(1)
        """),
}  # fmt: skip

CLEAN = {
    "a property read in a thread": """
        import asyncio, requests
        class A:
            @property
            def token(self):
                return requests.get("x", timeout=3).text
            async def f(self):
                return await asyncio.to_thread(lambda: self.token)
        """,
    "an attribute that hides a property of another class": """
        import requests
        class A:
            @property
            def token(self):
                return requests.get("x", timeout=3).text
        class B:
            def __init__(self):
                self.token = "x"
            async def f(self):
                return self.token
        """,
    "a plain handler that litestar runs in a thread": """
        import time
        from litestar import get
        @get("/", sync_to_thread=True)
        def page() -> str:
            time.sleep(1)
        """,
    "a thread's future calls back in the thread": """
        import time
        def done(future):
            time.sleep(1)
        async def f(pool, work):
            pool.submit(work).add_done_callback(done)
        """,
    "a lock of threads that is let go at once": """
        import threading
        lock = threading.Lock()
        async def f(x):
            with lock:
                x += 1
            return x
        """,
}


@pytest.mark.parametrize(("line", "text"), GUILTY.values(), ids=GUILTY.keys())
def test_the_loop_waits_for(line: int, text: str, tmp_path: Path) -> None:
    assert lines(findings(tmp_path, "blocking-call", app__main=text)) == [line]


@pytest.mark.parametrize("text", CLEAN.values(), ids=CLEAN.keys())
def test_the_loop_does_not_wait_for(text: str, tmp_path: Path) -> None:
    assert findings(tmp_path, "blocking-call", app__main=text) == []


def test_the_way_leads_through_the_property(tmp_path: Path) -> None:
    [found] = findings(tmp_path, "blocking-call", app__main=GUILTY["a property"][1])
    assert [(hop.function, hop.line) for hop in found.chain] == [("A.f", 8), ("A.token", 6)]
