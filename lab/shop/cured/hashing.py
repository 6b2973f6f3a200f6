"""Password hashing in processes of its own, so that a login slows nobody else down."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor
from typing import Self

from lab.shop.common.passwords import hash_password, verify_password

PROCESSES = 2
# Somebody without an account waits as long as somebody who mistyped, and so learns nothing.
UNKNOWN_USER = hash_password("nobody has this password", salt=bytes(16))


def set_up_worker() -> None:
    """Let the server go first on a busy machine, and leave when it is killed."""
    os.nice(10)
    threading.Thread(target=end_with_parent, daemon=True).start()


def end_with_parent() -> None:
    # Or a worker of a pool would wait for its next job for ever.
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(0)


class PasswordHasher:
    """Checks passwords in a pool of processes."""

    async def __aenter__(self) -> Self:
        # A fork would copy the event loop's threads and sockets in whatever state they are.
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(PROCESSES, context, initializer=set_up_worker)
        await self.matches("", None)  # the first login shall not wait for a process to start
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)

    async def matches(self, password: str, stored: str | None) -> bool:
        """Whether `stored` is the password's hash; None, for an unknown user, never is."""
        loop = asyncio.get_running_loop()
        matches = await loop.run_in_executor(
            self._pool, verify_password, password, stored or UNKNOWN_USER
        )
        return matches and stored is not None
