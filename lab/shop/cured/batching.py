"""Micro-batching: calls that come while a batch runs make up the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, Self, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


class MicroBatcher(Generic[In, Out]):
    """Runs `function` on many callers' values at once, in a thread, one batch after another.

    No caller waits for company: an idle batcher runs a batch of one at once, and a busy one
    collects meanwhile.

    Args:
        function: takes values, returns as many results; must free the GIL to be of use.
        max_batch: values in one batch.
    """

    def __init__(
        self, function: Callable[[Sequence[In]], Sequence[Out]], max_batch: int = 32
    ) -> None:
        self._function = function
        self._max_batch = max_batch
        self._waiting: asyncio.Queue[tuple[In, asyncio.Future[Out]]] = asyncio.Queue()
        self._worker: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._worker = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._worker:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)

    async def __call__(self, value: In) -> Out:
        """The result for one value."""
        future: asyncio.Future[Out] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((value, future))
        return await future

    async def _work(self) -> None:
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < self._max_batch and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            await self._run(batch)

    async def _run(self, batch: Sequence[tuple[In, asyncio.Future[Out]]]) -> None:
        try:
            results = await asyncio.to_thread(self._function, [value for value, _ in batch])
        except Exception as exc:
            for _, future in batch:
                if not future.done():
                    future.set_exception(exc)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():  # its caller may have gone
                future.set_result(result)
