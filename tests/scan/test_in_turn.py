"""Awaits one after another that could overlap, and such that only look so."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.scan.project import findings, lines

_API = """
import asyncio, httpx
http = httpx.AsyncClient(timeout=5)
async def get_peer(x):
    return (await http.get(f"/peers/{x}")).json()
async def get_fees():
    return (await http.get("/fees")).json()
async def send_note(x):
    await http.post("/notes", json=x)
"""

GUILTY = {
    "a comprehension": """
        async def f(ids):
            return [await get_peer(x) for x in ids]  # in turn
        """,
    "a list that is filled": """
        async def f(ids):
            out = []
            for x in ids:
                out.append(await get_peer(x))  # in turn
            return out
        """,
    "a list that is filled with pairs": """
        async def f(ids):
            out = []
            for x in ids:
                peer = await get_peer(x)  # in turn
                out.append((x, peer["name"]))
            return out
        """,
    "a dict by item": """
        async def f(ids):
            out = {}
            for x in ids:
                out[x] = await get_peer(x)  # in turn
            return out
        """,
    "an attribute of the item": """
        async def f(items):
            for item in items:
                item.peer = await get_peer(item.id)  # in turn
        """,
    "a mapping around that is filled and not looked into": """
        async def f(ids):
            seen = {}
            async def read(x):
                seen[x] = await get_peer(x)
                return seen[x]
            return [await read(x) for x in ids]  # in turn
        """,
    "two with something between": """
        async def f(x):
            peer = await get_peer(x)
            title = x.upper()
            fees = await get_fees()  # in turn
            return peer, title, fees
        """,
    "the first of three is needed by the second alone": """
        async def f(x):
            peer = await get_peer(x)
            name = peer["name"]
            friend = await get_peer(name)
            fees = await get_fees()  # in turn
            return friend, fees
        """,
    "four in a row, told once": """
        async def f(x):
            a = await get_peer(1)
            b = await get_peer(2)  # in turn
            c = await get_peer(3)
            d = await get_peer(4)
            return a, b, c, d
        """,
    "arguments of one call": """
        async def f(x):
            return dict(peer=await get_peer(x), fees=await get_fees())  # in turn
        """,
}


@pytest.mark.parametrize("source", GUILTY.values(), ids=GUILTY.keys())
def test_what_could_overlap_is_told(tmp_path: Path, source: str) -> None:
    text = _API + textwrap.dedent(source)
    marked = [n for n, line in enumerate(text.splitlines(), 1) if line.endswith("# in turn")]
    assert lines(findings(tmp_path, "sequential-awaits", app=text)) == marked


CLEAN = {
    "each turn builds on what was collected": """
        async def f(ids):
            out = []
            for x in ids:
                out.append(await get_next(x, out))
        async def get_next(x, seen):
            return (await http.get(f"/next/{len(seen)}")).json()
        """,
    "a turn may be the last": """
        async def f(ids):
            out = []
            for x in ids:
                out.append(await get_peer(x))
                if out[-1]:
                    break
            return out
        """,
    "a turn waits for a moment": """
        async def f(ids):
            out = []
            for x in ids:
                out.append(await get_peer(x))
                await asyncio.sleep(1)
            return out
        """,
    "a turn changes the other side": """
        async def f(ids):
            out = []
            for x in ids:
                await send_note(x)
                out.append(await get_peer(x))
            return out
        """,
    "what is collected was sent, in an order": """
        async def f(ids):
            return [await send_note(x) for x in ids]
        """,
    "the first is there to fail": """
        async def f(x):
            _ = await get_peer(x)
            fees = await get_fees()
            return fees
        """,
    "tools that may see what the one before did": """
        async def f(calls):
            return [await call_tool(c) for c in calls]
        async def call_tool(c):
            return (await http.get(f"/tools/{c}")).json()
        """,
    "what one item brings is kept for the others of this walk": """
        async def f(tree):
            known = {}
            async def read(x):
                if x not in known:
                    known[x] = await get_peer(x)
                return known[x]
            async def walk(node):
                if isinstance(node, list):
                    return [await walk(each) for each in node]
                return await read(node)
            return await walk(tree)
        """,
    "it is looked for with get": """
        async def f(tree):
            known = {}
            async def read(x):
                peer = known.get(x)
                if peer is None:
                    peer = known[x] = await get_peer(x)
                return peer
            return {x: await read(x) for x in tree}
        """,
    "a change between two reads": """
        async def f(x):
            before = await get_peer(x)
            await send_note(x)
            after = await get_peer(x + 1)
            return before, after
        """,
    "the second is asked only if the first says so": """
        async def f(x):
            peer = await get_peer(x)
            if not peer:
                return None
            fees = await get_fees()
            return peer, fees
        """,
    "the second hangs on the first by another name": """
        async def f(x):
            peer = await get_peer(x)
            key = peer["next"]
            nxt = await get_peer(key)
            return nxt
        """,
    "two services on one session": """
        from sqlalchemy.ext.asyncio import AsyncSession
        class Teams:
            def __init__(self, db: AsyncSession):
                self.db = db
            async def get_role(self, x):
                return await self.db.scalar(x)
        class Rights:
            def __init__(self, db: AsyncSession):
                self.db = db
            async def get_right(self, x):
                return await self.db.scalar(x)
        async def f(db: AsyncSession, x):
            teams = Teams(db)
            rights = Rights(db)
            role = await teams.get_role(x)
            right = await rights.get_right(x)
            return role, right
        """,
}


@pytest.mark.parametrize("source", CLEAN.values(), ids=CLEAN.keys())
def test_what_cannot_overlap_is_left_alone(tmp_path: Path, source: str) -> None:
    text = _API + textwrap.dedent(source)
    assert findings(tmp_path, "sequential-awaits", app=text) == []
