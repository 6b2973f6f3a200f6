"""Calls that are written on the way of the loop, and that the loop does not make."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scan.project import findings

EXCUSED = {
    "a thread where it waits, in place where it does not": """
        import asyncio
        from tempfile import SpooledTemporaryFile

        async def store(chunk, rolled):
            file = SpooledTemporaryFile()
            if rolled:
                await asyncio.to_thread(file.write, chunk)
            else:
                file.write(chunk)
        """,
    "a generator whose items are taken in a thread": """
        import asyncio
        from pathlib import Path

        async def walk(folder: Path):
            found = folder.walk()

            def following():
                return next(found)

            return await asyncio.to_thread(following)
        """,
    "a flag that the caller leaves off": """
        import time

        def client(name, sync=False):
            if sync:
                time.sleep(1)
            return name

        async def go():
            return client("a")
        """,
    "a flag that the caller sets to no": """
        import time

        def client(name, sync=True):
            if sync:
                time.sleep(1)
            return name

        async def go():
            return client("a", sync=False)
        """,
    "the branch without a running loop": """
        import asyncio, time

        def drain():
            try:
                asyncio.get_running_loop()
            except RuntimeError:
                time.sleep(1)

        async def go():
            drain()
        """,
    "a decorator that is given the async twin": """
        import time
        from .dispatch import async_dispatch

        async def arelease():
            ...

        @async_dispatch(arelease)
        def release():
            time.sleep(1)

        async def go():
            await release()
            later = release()
            await later
        """,
    "a lock that was just made": """
        import threading

        async def go(locks):
            lock = threading.Lock()
            lock.acquire()
            locks.append(lock)
        """,
}

GUILTY = {
    "a flag that the caller sets": """
        import time

        def client(name, sync=False):
            if sync:
                time.sleep(1)
            return name

        async def go():
            return client("a", True)
        """,
    "a generator that is gone through here": """
        from pathlib import Path

        async def walk(folder: Path):
            found = folder.walk()
            for each in found:
                print(each)
        """,
    "another method than the one handed to a thread": """
        import asyncio
        from tempfile import SpooledTemporaryFile

        async def store(chunk):
            file = SpooledTemporaryFile()
            await asyncio.to_thread(file.read)
            file.write(chunk)
        """,
    "the branch with a running loop": """
        import asyncio, time

        def drain():
            try:
                asyncio.get_running_loop()
                time.sleep(1)
            except RuntimeError:
                pass

        async def go():
            drain()
        """,
}


@pytest.mark.parametrize("text", EXCUSED.values(), ids=EXCUSED.keys())
def test_the_loop_does_not_wait_for(text: str, tmp_path: Path) -> None:
    assert findings(tmp_path, "blocking-call", app__main=text) == []


@pytest.mark.parametrize("text", GUILTY.values(), ids=GUILTY.keys())
def test_no_excuse_is(text: str, tmp_path: Path) -> None:
    assert len(findings(tmp_path, "blocking-call", app__main=text)) == 1


def test_rows_that_another_loop_needs_are_not_too_many(tmp_path: Path) -> None:
    text = """
        from sqlalchemy.ext.asyncio import AsyncSession

        async def go(session: AsyncSession, query):
            rows = (await session.execute(query)).scalars().all()
            for row in rows:
                if row.gone:
                    print(row)
            {more}
        """
    alone = findings(tmp_path / "a", "over-fetch-rows", main=text.format(more=""))
    with_another = text.format(more="return [row.id for row in rows]")
    assert len(alone) == 1
    assert findings(tmp_path / "b", "over-fetch-rows", main=with_another) == []


KEYS = {"type_": 0, "endpoint": 0, "settings.name": 0, "user_id": 1, "request.path": 1}


@pytest.mark.parametrize(("key", "number"), KEYS.items(), ids=KEYS.keys())
def test_a_cache_with_an_entry_for_each_part_of_the_program_is_bounded(
    key: str, number: int, tmp_path: Path
) -> None:
    text = f"""
        CACHE = {{}}

        async def go({key.partition(".")[0]}):
            CACHE[{key}] = 1
        """
    assert len(findings(tmp_path, "unbounded-cache", main=text)) == number
