"""Causes that depend on shape: what they find, and as many that they leave alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scan.project import findings

GUILTY = {
    "n-plus-one": "async def f(session, ids):\n    for i in ids:\n"
    "        row = await session.execute(select(i))\n",
    "sequential-awaits": "import httpx\nclient = httpx.AsyncClient()\nasync def f(urls):\n"
    "    found = []\n    for url in urls:\n        found.append(await client.get(url))\n",
    "lost-task": "import asyncio\nasync def g(): ...\n"
    "async def f():\n    asyncio.create_task(g())\n",
    "forgotten-await": "async def g(): ...\nasync def f():\n    g()\n",
    "missing-timeout": "import requests\ndef f():\n    requests.post('http://x', data=1)\n",
    "client-per-request": "import httpx\nasync def f():\n"
    "    async with httpx.AsyncClient() as c:\n        await c.get('/x')\n",
    "session-leak": "async def f(client):\n    from openai import AsyncStream\n"
    "    stream: AsyncStream = await client.start()\n    async for part in stream:\n"
    "        print(part)\n",
    "unbounded-cache": "results = {}\nasync def f(key):\n    results[key] = 1\n",
    "long-transaction": "import httpx\nclient = httpx.AsyncClient()\nasync def f(make_session):\n"
    "    async with make_session() as session:\n        await client.get('/x')\n",
}


@pytest.mark.parametrize(("cause", "text"), GUILTY.items())
def test_found(cause: str, text: str, tmp_path: Path) -> None:
    assert findings(tmp_path, cause, main=text)


CLEAN = {
    "retries are not rows": (
        "n-plus-one",
        "async def f(session):\n    for attempt in range(3):\n"
        "        await session.execute(select(attempt))\n"),
    "an answer kept for the next turn": (
        "n-plus-one",
        "async def f(session, ids):\n    seen = {}\n    for i in ids:\n        if i not in seen:\n"
        "            seen[i] = await session.execute(select(i))\n"),
    "one session cannot run two": (
        "sequential-awaits",
        "async def f(session):\n    a = await session.get(A, 1)\n"
        "    b = await session.get(B, 2)\n"),
    "the second reads the first": (
        "sequential-awaits",
        "import httpx\nclient = httpx.AsyncClient()\nasync def f():\n"
        "    a = await client.get('/a')\n    b = await client.get('/' + a.text)\n"),
    "a loop that stops at the first answer": (
        "sequential-awaits",
        "import httpx\nclient = httpx.AsyncClient()\nasync def f(urls):\n    for url in urls:\n"
        "        a = await client.get(url)\n        if a:\n            return a\n"),
    "a kept task": (
        "lost-task",
        "import asyncio\ntasks = set()\nasync def g(): ...\nasync def f():\n"
        "    t = asyncio.create_task(g())\n    tasks.add(t)\n"),
    "a task group keeps its tasks": (
        "lost-task",
        "import asyncio\nasync def g(): ...\nasync def f():\n"
        "    async with asyncio.TaskGroup() as tg:\n        tg.create_task(g())\n"),
    "a coroutine handed on": (
        "forgotten-await",
        "import asyncio\nasync def g(): ...\nasync def f():\n    await asyncio.gather(g(), g())\n"),
    "a timeout is given": (
        "missing-timeout", "import requests\ndef f():\n    requests.get('http://x', timeout=3)\n"),
    "a client made once": (
        "client-per-request",
        "import httpx\nclass A:\n    def __init__(self):\n        self.c = httpx.AsyncClient()\n"
        "async def f():\n    A()\n"),
    "a client that is kept by key": (
        "client-per-request",
        "import httpx\nclients = {}\nasync def f(key):\n    c = httpx.AsyncClient()\n"
        "    clients[key] = c\n    return c\n"),
    "a cache that forgets": (
        "unbounded-cache",
        "cache = {}\nasync def f(key):\n    cache[key] = 1\nasync def g(key):\n"
        "    cache.pop(key, None)\n"),
    "a stream that is closed": (
        "session-leak",
        "async def f(client):\n    from openai import AsyncStream\n"
        "    stream: AsyncStream = await client.start()\n    async with stream:\n"
        "        async for part in stream:\n            print(part)\n"),
    "the call after the session": (
        "long-transaction",
        "import httpx\nclient = httpx.AsyncClient()\nasync def f(make_session):\n"
        "    async with make_session() as session:\n        await session.get(A, 1)\n"
        "    await client.get('/x')\n"),
}  # fmt: skip


@pytest.mark.parametrize(("cause", "text"), CLEAN.values(), ids=CLEAN.keys())
def test_left_alone(cause: str, text: str, tmp_path: Path) -> None:
    assert findings(tmp_path, cause, main=text) == []
