"""Cures of calls: before and after, to the letter; and what is left alone, with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from slowpath.causes import Safety
from tests.cure.cured import applied, cured, dedented, found, offered

BLOCKING, CPU = "blocking-call", "cpu-on-loop"
HEAD = """
from fastapi import FastAPI

app = FastAPI()
"""

CURES = {
    "a sleep has a twin": (
        BLOCKING,
        Safety.SAFE,
        """
        import time


        async def poll(delay):
            time.sleep(delay)  # a moment
            return delay
        """,
        """
        import asyncio
        import time


        async def poll(delay):
            await asyncio.sleep(delay)  # a moment
            return delay
        """,
    ),
    "a sleep between two writes to what others see": (
        BLOCKING,
        Safety.UNSAFE,
        """
        from time import sleep as nap

        state = {}


        async def poll():
            state["busy"] = True
            nap(1)
            state["busy"] = False
        """,
        """
        import asyncio
        from time import sleep as nap

        state = {}


        async def poll():
            state["busy"] = True
            await asyncio.sleep(1)
            state["busy"] = False
        """,
    ),
    "a file of anyio's sleeps by it": (
        BLOCKING,
        Safety.SAFE,
        """
        import time

        import anyio


        async def poll():
            await anyio.sleep(0)
            time.sleep(1)
        """,
        """
        import time

        import anyio


        async def poll():
            await anyio.sleep(0)
            await anyio.sleep(1)
        """,
    ),
    "a route that awaits nothing": (
        BLOCKING,
        Safety.SAFE,
        """
        import requests
        from fastapi import FastAPI

        app = FastAPI()


        @app.get("/stock/{sku}")
        async def stock(sku: str):
            answer = requests.get(f"http://warehouse/{sku}", timeout=5)
            return answer.json()
        """,
        """
        import requests
        from fastapi import FastAPI

        app = FastAPI()


        @app.get("/stock/{sku}")
        def stock(sku: str):
            answer = requests.get(f"http://warehouse/{sku}", timeout=5)
            return answer.json()
        """,
    ),
    "a route that shares something": (
        BLOCKING,
        Safety.UNSAFE,
        """
        import requests
        from fastapi import FastAPI

        app = FastAPI()
        session = requests.Session()


        @app.get("/stock/{sku}")
        async def stock(sku: str):
            return session.get(f"http://warehouse/{sku}", timeout=5).json()
        """,
        """
        import requests
        from fastapi import FastAPI

        app = FastAPI()
        session = requests.Session()


        @app.get("/stock/{sku}")
        def stock(sku: str):
            return session.get(f"http://warehouse/{sku}", timeout=5).json()
        """,
    ),
    "a call whose value is read goes into parentheses": (
        BLOCKING,
        Safety.UNSAFE,
        """
        import requests


        async def stock(sku):
            return requests.get(sku, timeout=5).json()["units"]
        """,
        """
        import asyncio

        import requests


        async def stock(sku):
            return (await asyncio.to_thread(requests.get, sku, timeout=5)).json()["units"]
        """,
    ),
    "layout and comments stay": (
        BLOCKING,
        Safety.UNSAFE,
        """
        import asyncio as aio

        import requests


        class Stock:
            async def of(self, sku):
                await aio.sleep(0)
                answer = requests.post(
                    self.url,  # of the warehouse
                    json={"sku": sku},
                    timeout=5,
                )
                return answer.json()
        """,
        """
        import asyncio as aio

        import requests


        class Stock:
            async def of(self, sku):
                await aio.sleep(0)
                answer = await aio.to_thread(
                    requests.post,
                    self.url,  # of the warehouse
                    json={"sku": sku},
                    timeout=5,
                )
                return answer.json()
        """,
    ),
    "a line that gets too long is broken": (
        BLOCKING,
        Safety.UNSAFE,
        """
        import requests


        async def stock(warehouse, sku, seconds):
            answer = requests.get(warehouse.url + "/stock/" + sku, timeout=seconds)
            return answer
        """,
        """
        import asyncio

        import requests


        async def stock(warehouse, sku, seconds):
            answer = await asyncio.to_thread(
                requests.get, warehouse.url + "/stock/" + sku, timeout=seconds
            )
            return answer
        """,
    ),
    "an f-string stays on its line": (
        BLOCKING,
        Safety.UNSAFE,
        """
        import requests


        async def told(house, sku):
            return f"{requests.get(house.url + sku, timeout=house.wait)}"
        """,
        """
        import asyncio

        import requests


        async def told(house, sku):
            return f"{await asyncio.to_thread(requests.get, house.url + sku, timeout=house.wait)}"
        """,
    ),
    "the file's own thread pool": (
        BLOCKING,
        Safety.UNSAFE,
        """
        import requests
        from fastapi.concurrency import run_in_threadpool


        async def stock(sku):
            await run_in_threadpool(print, sku)
            return requests.get(sku, timeout=5)
        """,
        """
        import requests
        from fastapi.concurrency import run_in_threadpool


        async def stock(sku):
            await run_in_threadpool(print, sku)
            return await run_in_threadpool(requests.get, sku, timeout=5)
        """,
    ),
    "anyio's threads take no keywords": (
        BLOCKING,
        Safety.UNSAFE,
        """
        import anyio
        import requests


        async def stock(sku):
            await anyio.sleep(0)
            return requests.get(sku, timeout=5)
        """,
        """
        import functools

        import anyio
        import requests


        async def stock(sku):
            await anyio.sleep(0)
            return await anyio.to_thread.run_sync(
                functools.partial(requests.get, sku, timeout=5)
            )
        """,
    ),
    "every call of a plain helper, where the loop calls it": (
        BLOCKING,
        Safety.UNSAFE,
        """
        import requests


        def fetch(path):
            return requests.get(path, timeout=5).json()


        async def page(user):
            profile = fetch(f"/profile/{user}")
            rates = fetch("/rates")["rates"]
            return profile, rates
        """,
        """
        import asyncio

        import requests


        def fetch(path):
            return requests.get(path, timeout=5).json()


        async def page(user):
            profile = await asyncio.to_thread(fetch, f"/profile/{user}")
            rates = (await asyncio.to_thread(fetch, "/rates"))["rates"]
            return profile, rates
        """,
    ),
    "a block that reads a file": (
        BLOCKING,
        Safety.UNSAFE,
        """
        import json


        class Store:
            async def load(self, key):
                name = self.name(key)
                # As it was written.
                with open(name) as file:
                    rows = json.load(file)  # all of them
                return rows
        """,
        """
        import asyncio
        import json


        class Store:
            async def load(self, key):
                name = self.name(key)
                # As it was written.
                def read_rows():
                    with open(name) as file:
                        return json.load(file)  # all of them

                rows = await asyncio.to_thread(read_rows)
                return rows
        """,
    ),
    "a block that gives back what it reads": (
        BLOCKING,
        Safety.UNSAFE,
        """
        async def load(path, other):
            with open(path) as one, open(other) as two:
                return one.read() + two.read()
        """,
        """
        import asyncio


        async def load(path, other):
            def read_it():
                with open(path) as one, open(other) as two:
                    return one.read() + two.read()

            return await asyncio.to_thread(read_it)
        """,
    ),
    "a block that writes": (
        BLOCKING,
        Safety.UNSAFE,
        """
        import asyncio


        async def save(path, text):
            with open(path, "w") as file:
                file.write(text)
            await asyncio.sleep(0)
        """,
        """
        import asyncio


        async def save(path, text):
            def write_it():
                with open(path, "w") as file:
                    file.write(text)

            await asyncio.to_thread(write_it)
            await asyncio.sleep(0)
        """,
    ),
    "the async twin of the method": (
        BLOCKING,
        Safety.UNSAFE,
        """
        import httpx
        import requests


        class Partner:
            def load(self, key):
                return requests.get(key, timeout=5)

            async def aload(self, key):
                async with httpx.AsyncClient() as client:
                    return await client.get(key)


        partner = Partner()


        async def page(key):
            return partner.load(key)
        """,
        """
        import httpx
        import requests


        class Partner:
            def load(self, key):
                return requests.get(key, timeout=5)

            async def aload(self, key):
                async with httpx.AsyncClient() as client:
                    return await client.get(key)


        partner = Partner()


        async def page(key):
            return await partner.aload(key)
        """,
    ),
    "what computes in a library": (
        CPU,
        Safety.UNSAFE,
        """
        import hashlib


        async def digest(word, salt, cache):
            await cache.ready()
            return hashlib.scrypt(word, salt=salt, n=16384, r=8, p=1)
        """,
        """
        import asyncio
        import hashlib


        async def digest(word, salt, cache):
            await cache.ready()
            return await asyncio.to_thread(hashlib.scrypt, word, salt=salt, n=16384, r=8, p=1)
        """,
    ),
    "an await that is missing": (
        "forgotten-await",
        Safety.UNSAFE,
        """
        async def save(order):
            await order.write()


        async def checkout(order):
            save(order)
            return order.id
        """,
        """
        async def save(order):
            await order.write()


        async def checkout(order):
            await save(order)
            return order.id
        """,
    ),
    "a call without a timeout": (
        "missing-timeout",
        Safety.UNSAFE,
        """
        import requests


        def stock(sku):
            return requests.get(
                f"http://warehouse/{sku}",
                headers={"accept": "json"},  # not XML
            )
        """,
        """
        import requests


        def stock(sku):
            return requests.get(
                f"http://warehouse/{sku}",
                headers={"accept": "json"},  # not XML
                timeout=10,
            )
        """,
    ),
    "a timeout that is none": (
        "missing-timeout",
        Safety.UNSAFE,
        "import httpx\n\nclient = httpx.AsyncClient(timeout=httpx.Timeout(None))\n",
        "import httpx\n\nclient = httpx.AsyncClient(timeout=httpx.Timeout(10))\n",
    ),
    "aiohttp's timeouts are objects": (
        "missing-timeout",
        Safety.UNSAFE,
        """
        import aiohttp


        async def main():
            return aiohttp.ClientSession(timeout=None)
        """,
        """
        import aiohttp


        async def main():
            return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))
        """,
    ),
    "echo": (
        "debug-left-on",
        Safety.UNSAFE,
        "from sqlalchemy import create_engine\n\ndb = create_engine('x', echo=True, pool_size=5)",
        "from sqlalchemy import create_engine\n\ndb = create_engine('x', echo=False, pool_size=5)",
    ),
    "a result handed to a thread": (
        "false-offload",
        Safety.UNSAFE,
        """
        import asyncio


        def render(page, size):
            return page.upper() * size


        async def export(page):
            return await asyncio.to_thread(render(page, size=9))
        """,
        """
        import asyncio


        def render(page, size):
            return page.upper() * size


        async def export(page):
            return await asyncio.to_thread(render, page, size=9)
        """,
    ),
    "an executor takes no keywords": (
        "false-offload",
        Safety.UNSAFE,
        """
        import asyncio


        def render(page, size):
            return page.upper() * size


        async def export(page):
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(None, render(page, size=9))
        """,
        """
        import asyncio
        import functools


        def render(page, size):
            return page.upper() * size


        async def export(page):
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(None, functools.partial(render, page, size=9))
        """,
    ),
    "a coroutine function handed to a thread": (
        "false-offload",
        Safety.UNSAFE,
        """
        import asyncio


        async def render(page):
            return page.upper() * 1000


        async def export(page):
            return await asyncio.to_thread(render, page)
        """,
        """
        import asyncio


        async def render(page):
            return page.upper() * 1000


        async def export(page):
            return await render(page)
        """,
    ),
}


@pytest.mark.parametrize(("cause", "safety", "before", "after"), CURES.values(), ids=CURES.keys())
def test_a_cure(cause: str, safety: Safety, before: str, after: str, tmp_path: Path) -> None:
    text, made = cured(tmp_path, cause, dedented(before))
    assert text == dedented(after)
    assert made.safety is safety
    assert made.change is not None
    assert bool(made.change.look) == (safety is Safety.UNSAFE)


LEFT = {
    "a file is opened for a block that does several things": (
        BLOCKING,
        """
        async def load(path):
            with open(path) as file:
                head = file.readline()
                return head, file.read()
        """,
        "move the whole block",
    ),
    "a file is opened for a block that awaits": (
        BLOCKING,
        """
        async def load(path, ask):
            with open(path) as file:
                return await ask(file.read())
        """,
        "only its own function can",
    ),
    "a file that is used behind its block": (
        BLOCKING,
        """
        async def load(path):
            with open(path) as file:
                text = file.read()
            return text, file.closed
        """,
        "outside of its block",
    ),
    "a file is opened for later": (
        BLOCKING,
        """
        async def load(path):
            file = open(path)
            return file
        """,
        "only begins the work",
    ),
    "a connection of SQLite's": (
        BLOCKING,
        """
        import sqlite3

        connection = sqlite3.connect("shop.db")


        async def names():
            return connection.execute("select name from item limit 5").fetchall()
        """,
        "belongs to the thread that made it",
    ),
    "a generator expression is something else with an await": (
        BLOCKING,
        """
        import requests


        async def up(pages):
            return any(requests.get(each, timeout=5).ok for each in pages)
        """,
        "generator expression",
    ),
    "nobody awaits on the way": (
        "forgotten-await",
        """
        async def save(order):
            await order.write()


        def checkout(order):
            save(order)
            return order.id
        """,
        "is no coroutine function",
    ),
    "a helper that has to do with the loop": (
        BLOCKING,
        """
        import asyncio
        import requests


        def fetch(key, later):
            answer = requests.get(key, timeout=5)
            asyncio.ensure_future(later(answer))
            return answer


        async def page(key, later):
            return fetch(key, later)
        """,
        "event loop itself",
    ),
    "a generator works where it is gone through": (
        BLOCKING,
        """
        import requests


        def pages(key):
            for number in range(3):
                yield requests.get(f"{key}{number}", timeout=5)


        async def page(key):
            return [each.text for each in pages(key)]
        """,
        "generator",
    ),
    "a name that means something else": (
        BLOCKING,
        """
        import requests

        asyncio = "a word"


        async def page(key):
            return requests.get(key, timeout=5)
        """,
        "asyncio is taken",
    ),
    "arguments that are unpacked": (
        "false-offload",
        """
        import asyncio


        def render(page):
            return page.upper() * 1000


        async def export(page, more):
            return await asyncio.to_thread(render(page), *more)
        """,
        "More is handed",
    ),
}


@pytest.mark.parametrize(("cause", "before", "why"), LEFT.values(), ids=LEFT.keys())
def test_a_line_is_left_alone(cause: str, before: str, why: str, tmp_path: Path) -> None:
    made = offered(tmp_path, cause, app=dedented(before))
    assert made.safety is Safety.NONE
    assert made.change is None
    assert why in made.why
    assert made.why.endswith(".")


def test_a_route_that_others_import_may_be_awaited_by_them(tmp_path: Path) -> None:
    sick = HEAD + (
        "import requests\n\n\n@app.get('/stock')\nasync def stock_of():\n"
        "    return requests.get('http://warehouse', timeout=5).json()\n"
    )
    other = "from main import stock_of\n\n\nasync def page():\n    return await stock_of()\n"
    made = offered(tmp_path, BLOCKING, main=sick, other=other)
    assert made.safety is Safety.UNSAFE
    assert made.change is not None
    assert "Another file names stock_of" in made.change.look


def test_the_cure_stands_where_the_loop_calls_not_where_it_blocks(tmp_path: Path) -> None:
    made = offered(
        tmp_path,
        BLOCKING,
        partner="import requests\n\n\ndef rates():\n    return requests.get('x', timeout=5)\n",
        app="import partner\n\n\nasync def page():\n    return partner.rates()\n",
    )
    assert made.path == "partner.py"
    text = applied(tmp_path, made)
    assert text == (
        "import asyncio\n\nimport partner\n\n\nasync def page():\n"
        "    return await asyncio.to_thread(partner.rates)\n"
    )
    assert not found(tmp_path, BLOCKING)
