"""Side effects that nobody has to wait for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Self

from lab.shop.cured.metrics import background_jobs

log = logging.getLogger(__name__)

Job = Callable[[], Awaitable[object]]


class BackgroundQueue:
    """A bounded queue with a few workers; jobs that do not fit are dropped and counted.

    Args:
        size: jobs that may wait.
        workers: jobs that run at once.
        drain_s: seconds that waiting jobs have to finish when the process ends.
    """

    def __init__(self, size: int = 1_000, workers: int = 4, drain_s: float = 5.0) -> None:
        self._jobs: asyncio.Queue[Job] = asyncio.Queue(size)
        self._worker_count = workers
        self._drain_s = drain_s
        self._workers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._workers = [asyncio.create_task(self._work()) for _ in range(self._worker_count)]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        try:
            await asyncio.wait_for(self._jobs.join(), self._drain_s)
        except TimeoutError:
            log.warning("%d background jobs were not done in time", self._jobs.qsize())
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    def submit(self, job: Job) -> None:
        """Have `job` run soon; returns at once."""
        try:
            self._jobs.put_nowait(job)
        except asyncio.QueueFull:
            background_jobs.labels("dropped").inc()

    async def _work(self) -> None:
        while True:
            job = await self._jobs.get()
            try:
                await job()
                background_jobs.labels("done").inc()
            except Exception:
                background_jobs.labels("failed").inc()
                log.exception("a background job failed")
            finally:
                self._jobs.task_done()
