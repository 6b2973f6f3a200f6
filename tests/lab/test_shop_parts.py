"""The parts that make the cured edition fast keep their promises."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from redis import asyncio as redis_client

import lab
from lab.services import redis
from lab.shop.common.passwords import hash_password, token_for, verify_password
from lab.shop.common.scoring import Scorer
from lab.shop.cured.background import BackgroundQueue
from lab.shop.cured.batching import MicroBatcher
from lab.shop.cured.cache import Cache
from lab.shop.cured.metrics import registry

JOBS = "shop_background_jobs_total"
REPOSITORY = Path(lab.__file__).resolve().parent.parent


class Doubler:
    """Doubles numbers, batch by batch, and holds its first batch until told to go on."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go_on = threading.Event()

    def __call__(self, numbers):
        self.batches.append(list(numbers))
        assert self.go_on.wait(10)
        return [2 * number for number in numbers]


async def until(holds) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - a thread changes it, and has no event to set
            await asyncio.sleep(0.005)


class TestMicroBatcher:
    def test_calls_during_a_batch_make_up_the_next(self):
        async def scenario():
            double = Doubler()
            async with MicroBatcher(double, max_batch=3) as batcher:
                calls = [asyncio.create_task(batcher(0))]
                await until(lambda: double.batches)
                calls += [asyncio.create_task(batcher(n)) for n in range(1, 6)]
                await asyncio.sleep(0)
                double.go_on.set()
                return await asyncio.gather(*calls), double.batches

        results, batches = asyncio.run(scenario())
        assert results == [0, 2, 4, 6, 8, 10]
        assert batches == [[0], [1, 2, 3], [4, 5]]

    def test_a_failure_reaches_every_caller_and_the_next_batch_runs(self):
        def halve(numbers):
            if 1 in numbers:
                raise ValueError("odd")
            return [number // 2 for number in numbers]

        async def scenario():
            async with MicroBatcher(halve) as batcher:
                failed = await asyncio.gather(batcher(1), batcher(2), return_exceptions=True)
                return failed, await batcher(4)

        failed, result = asyncio.run(scenario())
        assert [str(exc) for exc in failed] == ["odd", "odd"]
        assert result == 2

    def test_a_caller_that_goes_away_takes_nobody_with_it(self):
        async def scenario():
            double = Doubler()
            async with MicroBatcher(double) as batcher:
                first, second = asyncio.create_task(batcher(1)), asyncio.create_task(batcher(2))
                await until(lambda: double.batches)
                first.cancel()
                double.go_on.set()
                return await second

        assert asyncio.run(scenario()) == 4


class TestBackgroundQueue:
    def outcomes(self) -> dict[str, float]:
        return {
            outcome: registry.get_sample_value(JOBS, {"outcome": outcome}) or 0
            for outcome in ("done", "failed", "dropped")
        }

    def run(self, scenario) -> dict[str, float]:
        """What the scenario added to each count."""
        before = self.outcomes()
        asyncio.run(scenario())
        return {outcome: count - before[outcome] for outcome, count in self.outcomes().items()}

    def test_closing_finishes_what_waits(self):
        ran = []

        async def job() -> None:
            ran.append(1)

        async def scenario():
            async with BackgroundQueue(workers=1) as queue:
                for _ in range(5):
                    queue.submit(job)
                assert ran == []

        assert self.run(scenario) == {"done": 5, "failed": 0, "dropped": 0}
        assert len(ran) == 5

    def test_a_job_that_fails_stops_no_other(self):
        async def fail() -> None:
            raise RuntimeError("no")

        async def scenario():
            async with BackgroundQueue(workers=1) as queue:
                queue.submit(fail)
                queue.submit(lambda: asyncio.sleep(0))

        assert self.run(scenario) == {"done": 1, "failed": 1, "dropped": 0}

    def test_what_does_not_fit_is_dropped_and_counted(self):
        async def scenario():
            async with BackgroundQueue(size=2, workers=1) as queue:
                for _ in range(5):
                    queue.submit(lambda: asyncio.sleep(0))

        assert self.run(scenario) == {"done": 2, "failed": 0, "dropped": 3}

    def test_a_job_that_hangs_does_not_hang_the_process(self):
        async def scenario():
            async with BackgroundQueue(workers=1, drain_s=0.05) as queue:
                queue.submit(asyncio.Event().wait)

        assert self.run(scenario)["done"] == 0


class Source:
    """Counts how often it is asked, and answers when told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.ready = asyncio.Event()

    async def __call__(self) -> bytes:
        self.asked += 1
        await self.ready.wait()
        return b"value"


class TestCache:
    @pytest.fixture(scope="class")
    @classmethod
    def url(cls):
        with redis() as server:
            yield server.url

    def run(self, url, scenario):
        async def with_cache():
            client = redis_client.from_url(url)
            try:
                await client.flushall()
                return await scenario(Cache(client, prefix="t:"), client)
            finally:
                await client.aclose()

        return asyncio.run(with_cache())

    def test_many_at_once_fetch_once(self, url):
        async def scenario(cache, client):
            source = Source()
            calls = [asyncio.create_task(cache.get("k", 60, source)) for _ in range(20)]
            await until(lambda: source.asked)
            source.ready.set()
            return await asyncio.gather(*calls), source.asked

        assert self.run(url, scenario) == ([b"value"] * 20, 1)

    def test_later_ones_do_not_fetch_until_it_is_too_old(self, url):
        async def scenario(cache, client):
            source = Source()
            source.ready.set()
            await cache.get("k", 60, source)
            await cache.get("k", 60, source)
            assert source.asked == 1
            assert 0 < await client.ttl("t:k") <= 60
            await client.delete("t:k")
            await cache.get("k", 60, source)
            return source.asked

        assert self.run(url, scenario) == 2

    def test_a_caller_that_goes_away_leaves_the_others_their_answer(self, url):
        async def scenario(cache, client):
            source = Source()
            first = asyncio.create_task(cache.get("k", 60, source))
            second = asyncio.create_task(cache.get("k", 60, source))
            await until(lambda: source.asked)
            first.cancel()
            source.ready.set()
            return await second, source.asked

        assert self.run(url, scenario) == (b"value", 1)

    def test_a_failure_is_not_kept(self, url):
        async def fail() -> bytes:
            raise ValueError("no")

        async def scenario(cache, client):
            with pytest.raises(ValueError, match="no"):
                await cache.get("k", 60, fail)
            source = Source()
            source.ready.set()
            return await cache.get("k", 60, source)

        assert self.run(url, scenario) == b"value"

    def test_without_redis_it_fetches(self):
        async def scenario():
            client = redis_client.from_url("redis://127.0.0.1:1/0", socket_connect_timeout=1)
            source = Source()
            source.ready.set()
            try:
                return await Cache(client, prefix="t:").get("k", 60, source)
            finally:
                await client.aclose()

        assert asyncio.run(scenario()) == b"value"


class TestPasswords:
    def test_a_password_matches_its_own_hash_only(self):
        stored = hash_password("open sesame", salt=b"salt")
        assert verify_password("open sesame", stored)
        assert not verify_password("open barley", stored)
        assert hash_password("open sesame", salt=b"pepper") != stored

    def test_a_token_names_its_user(self):
        assert token_for(7).startswith("7.")
        assert token_for(7) == token_for(7) != token_for(8)

    def test_workers_leave_when_the_server_is_killed(self):
        script = (
            "import asyncio, os, multiprocessing\n"
            "from lab.shop.cured.hashing import PasswordHasher\n"
            "async def main():\n"
            "    async with PasswordHasher() as hasher:\n"
            "        assert not await hasher.matches('guess', None)\n"
            "        print(*[p.pid for p in multiprocessing.active_children()], flush=True)\n"
            "        await asyncio.Event().wait()\n"
            "if __name__ == '__main__':\n"
            "    asyncio.run(main())\n"
        )
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        server = subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, env=environment
        )
        assert server.stdout is not None
        with server.stdout as stdout:
            workers = [psutil.Process(int(pid)) for pid in stdout.readline().split()]
        assert workers
        server.send_signal(signal.SIGKILL)
        server.wait()
        _, alive = psutil.wait_procs(workers, timeout=10)
        assert alive == []


class TestScorer:
    def test_a_batch_scores_as_its_members_do(self):
        scorer = Scorer()
        pairs = [(user, 11 * user) for user in range(1, 9)]
        together = scorer.scores(pairs)
        assert together == pytest.approx([scorer.scores([pair])[0] for pair in pairs], abs=2e-4)
        assert len(set(together)) > 1
        assert all(0 <= score <= 1 for score in together)
