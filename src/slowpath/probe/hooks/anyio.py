"""anyio on asyncio: its worker threads, and its locks, semaphores and capacity limiters."""

import functools
import inspect
import sys
from typing import Any, Callable, Tuple

from slowpath.probe import wire
from slowpath.probe.core import local, now
from slowpath.probe.hook import Hook, Unknown
from slowpath.probe.hooks.locks import LockHook
from slowpath.probe.hooks.threads import Job

_FAILED = wire.SpanFlag.FAILED
_CANCELLED = wire.SpanFlag.CANCELLED


class AnyioThreadsHook(Hook):
    """`anyio.to_thread.run_sync`, which Starlette and FastAPI run everything sync with."""

    name = "anyio.to_thread"
    module = "anyio._backends._asyncio"
    distribution = "anyio"
    known = ((3, 7), (5,))

    def install(self, module: Any) -> None:
        backend = getattr(module, "AsyncIOBackend", None)
        if backend is not None:
            self._default = backend.current_default_thread_limiter
            self.patch(backend, "run_sync_in_worker_thread", self.running)
        else:  # anyio 3
            self._default = module.current_default_thread_limiter
            self.patch(module, "run_sync_in_worker_thread", self.running)

    def running(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap `run_sync_in_worker_thread`, so that it is given a job."""
        parameters = list(inspect.signature(original).parameters)
        if "func" not in parameters[:2]:
            raise Unknown("run_sync_in_worker_thread takes no func")
        position = parameters.index("func")

        @functools.wraps(original)
        async def run_sync_in_worker_thread(*args: Any, **kwargs: Any) -> Any:
            line = local.here.line
            if line is None or not self.enabled:
                return await original(*args, **kwargs)
            try:
                job = Job(self, line, args[position], sys._getframe(1))
                job.resource, job.capacity = self.describe(kwargs.get("limiter"))
                handed = (*args[:position], job, *args[position + 1 :])
            except Exception as exc:
                self.failed(exc)
                return await original(*args, **kwargs)
            flags = _CANCELLED
            line.waits += 1
            try:
                result = await original(*handed, **kwargs)
                flags = 0
                return result
            except Exception:
                flags = _FAILED
                raise
            finally:
                line.waits -= 1
                job.tell(now(), flags)

        return run_sync_in_worker_thread

    def describe(self, limiter: Any) -> Tuple[str, int]:
        """Return name and capacity of a limiter; the same name for those of one size."""
        default = self._default()
        tokens = (default if limiter is None else limiter).total_tokens
        capacity = tokens if isinstance(tokens, int) else -1
        if limiter is None or limiter is default:
            return "anyio default limiter", capacity
        return f"anyio limiter of {tokens}", capacity


class AnyioLocksHook(LockHook):
    """Lock, Semaphore and CapacityLimiter; they suspend also when they are free."""

    name = "anyio.locks"
    module = "anyio._backends._asyncio"
    distribution = "anyio"
    known = ((3, 7), (5,))

    def install(self, module: Any) -> None:
        for name in ("Lock", "Semaphore"):
            lock = getattr(module, name, None)
            if lock is None or "acquire" not in vars(lock):  # before 4.5 not in the backend
                lock = getattr(sys.modules["anyio._core._synchronization"], name)
            self.watch(lock, counted=name == "Semaphore")
        limiter = module.CapacityLimiter
        if not hasattr(limiter, "total_tokens"):
            raise Unknown("CapacityLimiter has no total_tokens")
        self._counted += (limiter,)
        self.patch(limiter, "acquire_on_behalf_of", self.acquiring)
        self.patch(limiter, "release_on_behalf_of", self.releasing)

    def is_free(self, lock: Any) -> bool:
        """Tell whether acquiring would only let others run for a turn."""
        if self.waiters(lock):
            return False
        if hasattr(lock, "locked"):
            return not lock.locked()
        tokens = lock.available_tokens if hasattr(lock, "available_tokens") else lock.value
        return bool(tokens > 0)

    def waiters(self, lock: Any) -> Any:
        """Return who waits for the lock."""
        return lock._wait_queue if hasattr(lock, "_wait_queue") else lock._waiters

    def places(self, lock: Any) -> int:
        """Return how many may hold it at once; -1 if unknown or unbounded."""
        tokens = getattr(lock, "total_tokens", None)
        if tokens is None:
            return super().places(lock)
        return tokens if isinstance(tokens, int) else -1


HOOKS = (AnyioThreadsHook, AnyioLocksHook)
