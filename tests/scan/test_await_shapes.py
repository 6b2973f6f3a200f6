"""Coroutines, tasks and threads: shapes that people report, and shapes that only look so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scan.project import findings, lines

# The guilty line ends in the slug of its cause.
GUILTY = {
    "a coroutine that is yielded": """
        async def load(x): ...
        async def rows(xs):
            for x in xs:
                yield load(x)  # forgotten-await
        """,
    "a coroutine taken for its result": """
        class Repo:
            async def get(self, x): ...
        async def f(repo: Repo):
            u = repo.get(1)  # forgotten-await
            return u.name
        """,
    "a test of a coroutine": """
        class A:
            async def is_ok(self): ...
            async def f(self):
                if not self.is_ok():  # forgotten-await
                    return 1
        """,
    "a coroutine dropped by a plain function": """
        import asyncio
        async def notify(): ...
        def on_change():
            notify()  # forgotten-await
        """,
    "a text made of a coroutine": """
        async def name(x): ...
        async def f(x):
            return f"hi {name(x)}"  # forgotten-await
        """,
    "a loop over a coroutine": """
        async def rows(x): ...
        async def f(x):
            for r in rows(x):  # forgotten-await
                print(r)
        """,
    "a query's coroutine taken for its rows": """
        from sqlalchemy.ext.asyncio import AsyncSession
        async def f(s: AsyncSession, q):
            r = s.execute(q)  # forgotten-await
            return r.scalars().all()
        """,
    "an event that nobody waits for": """
        import asyncio
        ev = asyncio.Event()
        async def f():
            ev.wait()  # forgotten-await
        """,
    "a client that is not closed after all": """
        import httpx
        class A:
            def __init__(self):
                self.c = httpx.AsyncClient()
            async def stop(self):
                self.c.aclose()  # forgotten-await
        """,
    "a task with a callback alone": """
        import asyncio
        async def g(): ...
        def log(t): ...
        async def f():
            t = asyncio.create_task(g())  # lost-task
            t.add_done_callback(log)
        """,
    "a callback put on at once": """
        import asyncio
        async def g(): ...
        def log(t): ...
        async def f():
            asyncio.create_task(g()).add_done_callback(log)  # lost-task
        """,
    "tasks in a list that is dropped": """
        import asyncio
        async def g(x): ...
        async def f(xs):
            [asyncio.create_task(g(x)) for x in xs]  # lost-task
        """,
    "a cached function that gives a coroutine": """
        from functools import lru_cache
        async def load(x): ...
        @lru_cache
        def cached_load(x):  # async-lru-cache
            return load(x)
        """,
    "a cache put around by a call": """
        from functools import lru_cache
        async def load(x): ...
        cached = lru_cache(maxsize=5)(load)  # async-lru-cache
        """,
    "cached methods": """
        from functools import lru_cache, cache
        class A:
            @lru_cache(maxsize=None)
            async def f(self, x):  # async-lru-cache
                return x
            @cache
            async def g(self):  # async-lru-cache
                return 1
        """,
    "a model asked for one text after another": """
        from openai import AsyncOpenAI
        client = AsyncOpenAI()
        async def f(texts):
            out = []
            for t in texts:
                r = await client.embeddings.create(model="x", input=t)  # sequential-awaits
                out.append(r.data[0].embedding)
            return out
        """,
    "servers asked one after another": """
        class Mgr:
            async def list_tools(self):
                tools = []
                for s in self.servers:
                    tools.extend(await s.list_tools())  # sequential-awaits
                return tools
        """,
    "threads waited for one after another": """
        import asyncio, requests
        async def f(us):
            out = []
            for u in us:
                out.append(await asyncio.to_thread(requests.get, u, timeout=1))  # sequential-awaits
            return out
        """,
    "a coroutine function for a thread": """
        import asyncio
        async def work(x): ...
        async def f(x):
            return await asyncio.to_thread(work, x)  # false-offload
        """,
    "a lambda that gives a coroutine": """
        import asyncio
        async def work(x): ...
        async def f(x):
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(None, lambda: work(x))  # false-offload
        """,
    "a result for a thread": """
        import asyncio
        def work(x):
            return sum(range(x))
        async def f(x):
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(None, work(x))  # false-offload
        """,
}

CLEAN = {
    "coroutines that are handed on or kept": (
        "forgotten-await",
        """
        async def g(): ...
        def f():
            return g()
        async def h():
            c = g()
            return await c
        async def i():
            import asyncio
            t = asyncio.create_task(g())
            await t
        """,
    ),
    "coroutines in a list": (
        "forgotten-await",
        """
        async def g(): ...
        async def f(tasks):
            tasks.append(g())
            x = g()
            tasks.append(x)
        """,
    ),
    "a context manager that has a name": (
        "forgotten-await",
        """
        from contextlib import asynccontextmanager
        @asynccontextmanager
        async def cm():
            yield 1
        async def f():
            x = cm()
            async with x as y:
                return y
        """,
    ),
    "a coroutine that is closed": (
        "forgotten-await",
        """
        async def g(): ...
        async def f():
            c = g()
            c.close()
        """,
    ),
    "a coroutine that is asked for": (
        "forgotten-await",
        """
        import inspect
        async def g(): ...
        async def f(fn=g):
            r = fn()
            if inspect.isawaitable(r):
                r = await r
            return r
        """,
    ),
    "tasks that somebody can end": (
        "lost-task",
        """
        import asyncio
        class A:
            async def g(self): ...
            def start(self):
                self.task = asyncio.create_task(self.g())
            async def go(self):
                t = asyncio.create_task(self.g())
                try:
                    await asyncio.sleep(1)
                finally:
                    t.cancel()
        """,
    ),
    "a task in a set": (
        "lost-task",
        """
        import asyncio
        tasks = set()
        async def g(): ...
        def f():
            t = asyncio.create_task(g())
            tasks.add(t)
            t.add_done_callback(tasks.discard)
        """,
    ),
    "tasks that are gathered": (
        "lost-task",
        """
        import asyncio
        async def g(): ...
        async def f(xs):
            ts = [asyncio.create_task(g()) for x in xs]
            await asyncio.gather(*ts)
            a = {asyncio.create_task(g())}
            done, pending = await asyncio.wait(a)
        """,
    ),
    "caches that suit": (
        "async-lru-cache",
        """
        from async_lru import alru_cache
        from functools import lru_cache
        @alru_cache
        async def f(x):
            return x
        @lru_cache
        def g(x):
            return x
        """,
    ),
    "messages in order": (
        "sequential-awaits",
        """
        import httpx
        async def f(c: httpx.AsyncClient, msgs):
            for m in msgs:
                await c.post("/send", json=m)
        """,
    ),
    "a function for a thread": (
        "false-offload",
        """
        import asyncio, requests
        async def f(u):
            return await asyncio.to_thread(requests.get, u, timeout=2)
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


def test_a_forgotten_await_is_wrong_in_a_command_line_as_well(tmp_path: Path) -> None:
    text = "async def draw(x): ...\nasync def show(x):\n    draw(x)\n"
    assert lines(findings(tmp_path, "forgotten-await", app__cli__graph=text)) == [3]
    assert findings(tmp_path / "other", "forgotten-await", tests__graph=text) == []
