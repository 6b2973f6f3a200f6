"""Tasks that go round for ever after whoever started them has ended, or seem to."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from tests.scan.project import findings, lines

_BEAT = """
import asyncio
async def beat():
    while True:
        await asyncio.sleep(1)
async def work(): ...
"""

GUILTY = {
    "cancelled only where nothing fails": """
        async def f():
            task = asyncio.create_task(beat())  # unended
            result = await work()
            task.cancel()
            return result
        """,
    "passed by at the end of its object": """
        class Client:
            def __init__(self):
                self._queue = []
            async def start(self):
                self._task = asyncio.create_task(self._poll())  # unended
            async def _poll(self):
                while True:
                    await asyncio.sleep(5)
            async def close(self):
                self._queue.clear()
        """,
}


@pytest.mark.parametrize("source", GUILTY.values(), ids=GUILTY.keys())
def test_what_goes_on_is_told(tmp_path: Path, source: str) -> None:
    text = _BEAT + textwrap.dedent(source)
    marked = [n for n, line in enumerate(text.splitlines(), 1) if line.endswith("# unended")]
    assert lines(findings(tmp_path, "lost-task", app=text)) == marked


CLEAN = {
    "cancelled in the end": """
        async def f():
            task = asyncio.create_task(beat())
            try:
                return await work()
            finally:
                task.cancel()
        """,
    "cancelled at once": """
        async def f():
            task = asyncio.create_task(beat())
            task.cancel()
        """,
    "it ends by itself": """
        async def once():
            await asyncio.sleep(1)
        async def f():
            task = asyncio.create_task(once())
            await work()
            task.cancel()
        """,
    "it ends when it is told": """
        class Client:
            async def start(self):
                self._task = asyncio.create_task(self._poll())
            async def _poll(self):
                while True:
                    if self._closed:
                        return
                    await asyncio.sleep(5)
            async def close(self):
                self._closed = True
        """,
    "cancelled by the end of its object": """
        class Client:
            async def start(self):
                self._task = asyncio.create_task(self._poll())
            async def _poll(self):
                while True:
                    await asyncio.sleep(5)
            async def close(self):
                if self._task is not None:
                    self._task.cancel()
        """,
    "cancelled by somebody else": """
        class Client:
            async def start(self):
                self._task = asyncio.create_task(self._poll())
            async def _poll(self):
                while True:
                    await asyncio.sleep(5)
            async def close(self):
                self._closed = True
        def end(client):
            client._task.cancel()
        """,
}


@pytest.mark.parametrize("source", CLEAN.values(), ids=CLEAN.keys())
def test_what_ends_is_left_alone(tmp_path: Path, source: str) -> None:
    assert findings(tmp_path, "lost-task", app=_BEAT + textwrap.dedent(source)) == []
