"""Queues and caches that grow with what comes, and such that do not."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.scan.project import findings, lines

GUILTY = {
    "a queue between a stream and its reader": """
        import asyncio
        async def relay(stream):
            queue = asyncio.Queue()  # grows
            async def read():
                async for part in stream:
                    await queue.put(part)
            task = asyncio.create_task(read())
            try:
                while True:
                    yield await queue.get()
            finally:
                task.cancel()
        """,
    "a cache that forgets only what is deleted": """
        class SessionManager:
            def __init__(self):
                self._cache = {}
            async def session(self, session_key):
                if session_key not in self._cache:
                    self._cache[session_key] = await self.read(session_key)  # grows
                return self._cache[session_key]
            def invalidate(self, session_key):
                self._cache.pop(session_key, None)
        """,
    "a cache that is emptied at the end of its owner": """
        class BrowserManager:
            def __init__(self):
                self.pages_by_config = {}
            async def page(self, config_signature):
                self.pages_by_config[config_signature] = await self.open()  # grows
            async def close(self):
                self.pages_by_config.clear()
        """,
}


@pytest.mark.parametrize("source", GUILTY.values(), ids=GUILTY.keys())
def test_what_grows_is_told(tmp_path: Path, source: str) -> None:
    text = textwrap.dedent(source)
    marked = [n for n, line in enumerate(text.splitlines(), 1) if line.endswith("# grows")]
    assert lines(findings(tmp_path, "unbounded-cache", app=text)) == marked


CLEAN = {
    "a queue with a bound": """
        import asyncio
        async def relay(stream):
            queue = asyncio.Queue(maxsize=1)
            async def read():
                async for part in stream:
                    await queue.put(part)
            task = asyncio.create_task(read())
            while True:
                yield await queue.get()
        """,
    "a queue for one answer": """
        import asyncio
        async def relay(ask):
            queue = asyncio.Queue()
            async def answer():
                await queue.put(await ask())
            task = asyncio.create_task(answer())
            yield await queue.get()
        """,
    "a cache that lets the oldest go": """
        class SessionManager:
            def __init__(self):
                self._cache = {}
            async def session(self, session_key):
                if session_key not in self._cache:
                    self._cache[session_key] = await self.read(session_key)
                return self._cache[session_key]
            def trim(self):
                self._cache.pop(next(iter(self._cache)))
        """,
    "what is there for as long as its owner": """
        class SessionManager:
            def __init__(self):
                self._sessions = {}
            async def open(self, session_id):
                self._sessions[session_id] = object()
            def remove(self, session_id):
                self._sessions.pop(session_id, None)
        """,
}


@pytest.mark.parametrize("source", CLEAN.values(), ids=CLEAN.keys())
def test_what_has_an_end_is_left_alone(tmp_path: Path, source: str) -> None:
    assert findings(tmp_path, "unbounded-cache", app=textwrap.dedent(source)) == []
