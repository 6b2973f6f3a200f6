"""How far the scan sees: from what the framework runs to the call that blocks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scan.project import findings, lines

ROUTE = """
from fastapi import Depends, FastAPI
{imports}
app = FastAPI()


@app.get("/")
async def route({params}):
    {body}
"""


def route(body: str, imports: str = "", params: str = "") -> str:
    return ROUTE.format(body=body, imports=imports, params=params)


GUILTY = {
    "an alias": ("s(1)", "from time import sleep as s", ""),
    "a module under another name": ("t.sleep(1)", "import time as t", ""),
    "a partial": (
        "p()", "import time\nfrom functools import partial\np = partial(time.sleep, 1)", ""),
    "a module-level singleton": (
        "http.get('/')", "import requests\nhttp = requests.Session()", ""),
    "a parameter's annotation": (
        "db.execute('x')", "from sqlalchemy.orm import Session", "db: Session"),
    "a dependency that yields": (
        "db.execute('x')",
        "from sqlalchemy.orm import sessionmaker\nmake = sessionmaker()\n"
        "def get_db():\n    db = make()\n    yield db\n",
        "db=Depends(get_db)"),
    "an annotated alias": (
        "db.execute('x')",
        "from typing import Annotated\nfrom sqlalchemy.orm import Session\n"
        "def get_db(): ...\nDb = Annotated[Session, Depends(get_db)]",
        "db: Db"),
    "a with block": (
        "\n    with open('x') as f:\n        pass", "", ""),
    "a function passed to be called": (
        "run(time.sleep)", "import time\ndef run(f):\n    f(1)", ""),
    "a key function": (
        "sorted([1], key=slow)", "import time\ndef slow(x):\n    time.sleep(x)", ""),
    "a decorated helper": (
        "helper()",
        "import functools, time\ndef log(f):\n    @functools.wraps(f)\n    def w(*a):\n"
        "        return f(*a)\n    return w\n@log\ndef helper():\n    time.sleep(1)", ""),
    "an inherited method": (
        "B().work()",
        "import time\nclass A:\n    def work(self):\n        time.sleep(1)\nclass B(A): ...", ""),
    "an override of an abstract method": (
        "use(x)",
        "import time\nclass A:\n    def work(self):\n        raise NotImplementedError\n"
        "class B(A):\n    def work(self):\n        time.sleep(1)\nx: A = B()\n"
        "def use(a: A):\n    a.work()", ""),
    "a constructor": (
        "Thing()", "import time\nclass Thing:\n    def __init__(self):\n        time.sleep(1)", ""),
    "a factory's inferred result": (
        "make().get('/')", "import requests\ndef make():\n    return requests.Session()", ""),
}  # fmt: skip


@pytest.mark.parametrize(("body", "imports", "params"), GUILTY.values(), ids=GUILTY.keys())
def test_the_loop_is_seen_to_block_through(
    body: str, imports: str, params: str, tmp_path: Path
) -> None:
    found = findings(tmp_path, "blocking-call", main=route(body, imports, params))
    assert found
    assert {each.entry.function for each in found if each.entry} == {"route"}


CLEAN = {
    "asyncio.to_thread": ("await asyncio.to_thread(time.sleep, 1)", "import asyncio, time"),
    "an executor": (
        "await asyncio.get_running_loop().run_in_executor(None, time.sleep, 1)",
        "import asyncio, time"),
    "a lambda for a thread": (
        "await asyncio.to_thread(lambda: time.sleep(1))", "import asyncio, time"),
    "a partial for a thread": (
        "await asyncio.to_thread(partial(time.sleep, 1))",
        "import asyncio, time\nfrom functools import partial"),
    "a thread's target": (
        "threading.Thread(target=time.sleep, args=(1,)).start()", "import threading, time"),
    "a name that only looks alike": ("sleep(1)", "def sleep(n): ..."),
    "the async twin": ("await asyncio.sleep(1)", "import asyncio"),
    "a dict's get": ("return {}.get('a')", "import requests"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "imports"), CLEAN.values(), ids=CLEAN.keys())
def test_the_loop_is_left_free_by(body: str, imports: str, tmp_path: Path) -> None:
    assert findings(tmp_path, "blocking-call", main=route(body, imports)) == []


def test_a_plain_route_runs_in_a_thread(tmp_path: Path) -> None:
    text = route("time.sleep(1)", "import time").replace("async def", "def")
    assert findings(tmp_path, "blocking-call", main=text) == []


def test_the_chain_names_every_hop_across_files(tmp_path: Path) -> None:
    [found] = findings(
        tmp_path,
        "blocking-call",
        app__main="""
            from fastapi import Depends, FastAPI
            from .svc import Billing

            app = FastAPI()

            def billing() -> Billing:
                return Billing()

            @app.get("/order")
            async def order(b: Billing = Depends(billing)):
                return b.price(3)
            """,
        app__svc="""
            import requests

            class Billing:
                def __init__(self):
                    self.http = requests.Session()

                def price(self, n):
                    return self._get(n)

                def _get(self, n):
                    return self.http.get(str(n), timeout=3)
            """,
    )
    assert (found.path, found.line, found.function) == ("app/svc.py", 12, "Billing._get")
    assert (found.culprit, found.confidence) == ("requests.Session.get", "certain")
    assert found.entry is not None
    assert (found.entry.kind, found.entry.function) == ("route", "order")
    assert [(hop.path, hop.line, hop.function) for hop in found.chain] == [
        ("app/main.py", 12, "order"),
        ("app/svc.py", 9, "Billing.price"),
        ("app/svc.py", 12, "Billing._get"),
    ]


def test_a_re_export_and_a_star_import_are_followed(tmp_path: Path) -> None:
    found = findings(
        tmp_path,
        "blocking-call",
        pkg__inner="import time\n\ndef work():\n    time.sleep(1)\n",
        pkg__api="from pkg.inner import *\n",
        main="from pkg.api import work\n\nasync def go():\n    work()\n",
    )
    assert [(each.path, each.line) for each in found] == [("pkg/inner.py", 4)]


def test_a_callable_that_may_be_plain_runs_on_the_loop(tmp_path: Path) -> None:
    text = """
        import inspect

        class Tool:
            def __init__(self, fn):
                self.fn = fn

            async def run(self):
                result = self.fn()
                if inspect.isawaitable(result):
                    result = await result
                return result
        """
    assert lines(findings(tmp_path, "blocking-call", main=text)) == [9]


def test_a_sync_twin_is_told_by_the_async_one_beside_it(tmp_path: Path) -> None:
    text = """
        class Embedder:
            def embed(self, text):
                raise NotImplementedError

            async def async_embed(self, text):
                raise NotImplementedError

        async def search(embedder: Embedder):
            return embedder.embed("x")
        """
    assert lines(findings(tmp_path, "blocking-call", main=text)) == [10]


def test_what_the_project_hands_to_threads_elsewhere_is_known_to_block(tmp_path: Path) -> None:
    text = """
        import asyncio
        from vendor import fetch_report

        async def right():
            return await asyncio.to_thread(fetch_report, 1)

        async def wrong():
            return fetch_report(1)
        """
    assert lines(findings(tmp_path, "blocking-call", main=text)) == [9]
