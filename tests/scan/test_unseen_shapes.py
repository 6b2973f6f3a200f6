"""Shapes that bugs of other projects had, which were not seen; and their innocent twins."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scan.project import findings, lines

REPO = """
        from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
        make = async_sessionmaker()
        engine = create_async_engine("x")
        class Repo:
            async def get_table(self, name):
                async with engine.begin() as connection:
                    return await connection.execute(name)
            async def table_exists(self, name):
                async with make() as session:
                    return await session.scalar(name)
            async def get_with(self, session, name):
                return await session.scalar(name)
"""

# A guilty line ends in the slug of its cause; nothing else is found.
SHAPES = {
    "answers taken up at once": REPO
    + """
        async def f(repo: Repo, name):
            table = list(await repo.get_table(name))
            there = bool(await repo.table_exists(name))  # sequential-awaits
            return table, there
        """,
    "the second needs the first": REPO
    + """
        async def f(repo: Repo, name):
            table = str(await repo.get_table(name))
            there = bool(await repo.table_exists(table))
            return table, there
        """,
    "on one session": REPO
    + """
        async def f(repo: Repo, session, name):
            one = bool(await repo.get_with(session, name))
            two = bool(await repo.get_with(session, name + "x"))
            return one, two
        """,
    "a second connection by another road": REPO
    + """
            async def delete(self, name):
                async with make() as session:
                    table = await self.get_table(name)  # long-transaction
                    await session.execute(table)
        """,
    "asked for before": REPO
    + """
            async def delete(self, name):
                table = await self.get_table(name)
                async with make() as session:
                    await session.execute(table)
        """,
    "given the session": REPO
    + """
            async def delete(self, name):
                async with make() as session:
                    table = await self.get_with(session, name)
                    await session.execute(table)
        """,
    "a connection of another library without a timeout": """
        import paramiko, telnetlib, requests_cache
        session = requests_cache.CachedSession()
        def f(host):
            client = paramiko.SSHClient()
            client.connect(host, username="x")  # missing-timeout
            telnetlib.Telnet(host, 23)  # missing-timeout
            return session.get(host)  # missing-timeout
        """,
    "with a timeout": """
        import paramiko, telnetlib, requests_cache
        session = requests_cache.CachedSession()
        def f(host):
            client = paramiko.SSHClient()
            client.connect(host, username="x", timeout=5)
            telnetlib.Telnet(host, 23, 5)
            return session.get(host, timeout=5)
        """,
    "all queries at once": REPO
    + """
        async def f(repo: Repo, names):
            import asyncio
            return await asyncio.gather(*[repo.table_exists(n) for n in names])  # n-plus-one
        """,
    "all of a list at once": REPO
    + """
        async def f(repo: Repo, names):
            import asyncio
            found = [repo.table_exists(n) for n in names]  # n-plus-one
            return await asyncio.gather(*found)
        """,
    "two different ones at once": REPO
    + """
        async def f(repo: Repo, name):
            import asyncio
            return await asyncio.gather(repo.table_exists(name), repo.get_table(name))
        """,
    "requests at once": """
        import asyncio, httpx
        client = httpx.AsyncClient()
        async def get_page(url):
            return await client.get(url)
        async def f(urls):
            return await asyncio.gather(*[get_page(u) for u in urls])
        """,
    "rows read again one by one": """
        from sqlalchemy.ext.asyncio import AsyncSession
        async def f(session: AsyncSession, users):
            for user in users:
                await session.refresh(user, ["orders"])  # n-plus-one
        """,
    "a row made anew and read back": """
        from sqlalchemy.ext.asyncio import AsyncSession
        async def f(session: AsyncSession, names):
            for name in names:
                row = dict(name=name)
                session.add(row)
                await session.commit()
                await session.refresh(row)
        """,
    "a row read again": """
        from sqlalchemy.ext.asyncio import AsyncSession
        async def f(session: AsyncSession, user):
            await session.refresh(user, ["orders"])
        """,
    "a coroutine function in the project's wrapper": """
        import functools, asyncio
        def retried(times):
            def decorate(function):
                @functools.wraps(function)
                async def again(*args):
                    return await function(*args)
                return again
            return decorate
        class Cache:
            @retried(3)
            async def delete(self, key):
                await asyncio.sleep(0)
            async def use(self, key):
                self.delete(key)  # forgotten-await
        """,
    "a coroutine returned among others": """
        import asyncio
        async def update(key):
            await asyncio.sleep(0)
        async def f(messages):
            first = update(1)  # forgotten-await
            return [first] + messages
        """,
    "awaited where it is returned": """
        import asyncio
        async def update(key):
            await asyncio.sleep(0)
        async def f(messages):
            first = update(1)
            return [await first] + messages
        async def g():
            first = update(1)
            return await asyncio.wait_for(first, 5)
        """,
    "returned by a plain function": """
        import asyncio
        async def update(key):
            await asyncio.sleep(0)
        def f(messages):
            first = update(1)
            return first
        """,
    "a wrapper that only looks at what is given": """
        import functools, asyncio
        def checked(function):
            @functools.wraps(function)
            def check(*args):
                for each in args:
                    assert each
                return function(*args)
            return check
        @checked
        async def update(key):
            await asyncio.sleep(0)
        async def f():
            update(1)  # forgotten-await
        """,
    "a wrapper that runs it": """
        import functools, asyncio
        def blocking(function):
            @functools.wraps(function)
            def run(*args):
                async def inner():
                    return await function(*args)
                return asyncio.run_coroutine_threadsafe(inner(), None)
            return run
        class Cache:
            @blocking
            async def delete(self, key):
                await asyncio.sleep(0)
            async def use(self, key):
                self.delete(key)
        """,
}


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES.keys())
def test_found_where_it_is_and_nowhere_else(tmp_path: Path, text: str) -> None:
    marked = [
        (number, line.rpartition("# ")[2])
        for number, line in enumerate(text.splitlines(), 1)
        if "  # " in line
    ]
    found = findings(tmp_path, app__main=text)
    assert sorted((each.line, each.cause.slug) for each in found) == marked


def test_small_ones_from_near_do_not_crowd_out_a_heavy_one_from_far(tmp_path: Path) -> None:
    checks = "\n".join(f"    os.path.exists('{n}')" for n in range(12))
    found = findings(
        tmp_path,
        "blocking-call",
        main=f"import os, requests\ndef near():\n{checks}\ndef far():\n    requests.get('x')\n"
        "def between():\n    far()\ndef load():\n    near()\n    between()\n"
        "async def handle():\n    load()\n",
    )
    assert {each.culprit for each in found} == {"requests.get"}


def test_a_dispatcher_reaches_what_all_its_handlers_do(tmp_path: Path) -> None:
    handlers = "".join(f"def h{n}():\n    requests.get('{n}')\n" for n in range(20))
    calls = "".join(f"    if path == '{n}': return h{n}()\n" for n in range(20))
    text = f"import requests\n{handlers}async def dispatch(path):\n{calls}"
    assert len(lines(findings(tmp_path, "blocking-call", main=text))) == 20


def test_what_a_service_calls_of_its_command_line_counts(tmp_path: Path) -> None:
    files = {
        "app__cli__tools": "import requests\ndef fetch():\n    requests.get('x')\n",
        "app__web": "from app.cli.tools import fetch\nasync def route():\n    fetch()\n",
    }
    [found] = findings(tmp_path, "blocking-call", **files)
    assert (found.path, found.line) == ("app/cli/tools.py", 3)


@pytest.mark.parametrize("name", ["app__cli__main", "app__tests__tools"])
def test_what_only_command_lines_or_tests_call_does_not(tmp_path: Path, name: str) -> None:
    text = "import requests\ndef fetch():\n    requests.get('x')\nasync def run():\n    fetch()\n"
    assert findings(tmp_path, "blocking-call", **{name: text}) == []


def test_the_way_to_what_grows_ends_where_it_is_made(tmp_path: Path) -> None:
    [found] = findings(
        tmp_path,
        "unbounded-cache",
        main="""
            import asyncio

            class LockManager:
                def __init__(self):
                    self._locks: dict[str, asyncio.Lock] = {}

                async def lock(self, session_id):
                    return self._locks.setdefault(session_id, asyncio.Lock())
        """,
    )
    assert (found.line, found.chain[-1].line, found.chain[-1].function) == (
        9, 6, "LockManager.__init__")  # fmt: skip


MODELS = """
from sqlalchemy.orm import DeclarativeBase, relationship
class Base(DeclarativeBase): ...
class Gateway(Base):
    tools = relationship("Tool", lazy="selectin")
class Tool(Base):
    gateway = relationship("Gateway")
    @property
    def name(self):
        return self.gateway.slug
    @property
    def title(self):
        return "tool"
"""
LISTED = """
from sqlalchemy import select
from .models import Tool
class Tools:
    def read(self, tool):
        return {{"name": tool.{attr}}}
    def list(self, db):
        tools = db.execute(select(Tool)).scalars().all()
        return [self.read(tool) for tool in tools]
"""


@pytest.mark.parametrize(("attr", "expected"), [("name", [9]), ("title", [])])
def test_a_property_that_a_helper_reads_may_load_more(
    attr: str, expected: list[int], tmp_path: Path
) -> None:
    found = findings(
        tmp_path, "n-plus-one", app__models=MODELS, app__tools=LISTED.format(attr=attr)
    )
    assert lines(found) == expected
