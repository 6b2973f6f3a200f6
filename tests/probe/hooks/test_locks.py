"""Locks of asyncio and anyio: who waited, who held them meanwhile, and what is left out."""

import asyncio
import functools
import sys
import time

import anyio
import anyio.to_thread
import pytest

from slowpath.probe.hooks.anyio import AnyioLocksHook, AnyioThreadsHook
from slowpath.probe.hooks.locks import HOLD_NS, AsyncioLocksHook
from tests.probe.recorder import recording


async def warm_up() -> None:
    """Have anyio import its backend, which its hook patches."""
    await anyio.to_thread.run_sync(int)


asyncio.run(warm_up())

MAKERS = {
    "asyncio.Lock": (asyncio.Lock, 1),
    "asyncio.Semaphore": (functools.partial(asyncio.Semaphore, 1), 1),
    "asyncio.BoundedSemaphore": (functools.partial(asyncio.BoundedSemaphore, 1), 1),
    "anyio.Lock": (anyio.Lock, 1),
    "anyio.Semaphore": (functools.partial(anyio.Semaphore, 1), 1),
    "anyio.CapacityLimiter": (functools.partial(anyio.CapacityLimiter, 1), 1),
}


def hooks():
    return AsyncioLocksHook(), AnyioLocksHook()


def block() -> None:
    """Hold the loop for longer than a hold must last to be told."""
    time.sleep(0.001)


def here() -> int:
    """Return the line number of the caller."""
    return sys._getframe(1).f_lineno


@pytest.mark.parametrize("name", MAKERS)
def test_the_wait_names_the_lock_that_another_line_held(name):
    make, places = MAKERS[name]
    lines = {}

    async def hold(lock, release):
        lines["hold"] = here() + 1
        async with lock:
            await release.wait()

    async def wait(lock):
        lines["wait"] = here() + 1
        async with lock:
            pass

    async def main():
        lock, release = make(), asyncio.Event()
        first = asyncio.create_task(hold(lock, release))
        await asyncio.sleep(0.001)
        second = asyncio.create_task(wait(lock))
        await asyncio.sleep(0.002)
        release.set()
        await asyncio.gather(first, second)

    with recording(*hooks()) as seen:
        seen.run(main())
    [waited] = seen.spans("lock_wait")
    [held] = [span for span in seen.spans("lock") if span.line != waited.line]
    assert waited.resource == held.resource == name
    assert (waited.a, waited.b) == (held.a, held.b)
    assert waited.b == places
    assert waited.site[:2] == (__file__, lines["wait"])
    assert held.site[:2] == (__file__, lines["hold"])
    assert held.start < waited.start < held.end <= waited.end
    assert [span.line for span in seen.spans("await")].count(waited.line) == 0


@pytest.mark.parametrize("name", MAKERS)
def test_a_free_lock_held_briefly_leaves_nothing(name):
    async def main():
        lock = MAKERS[name][0]()
        for _ in range(3):
            async with lock:
                pass

    with recording(*hooks()) as seen:
        seen.run(main())
    assert seen.spans("lock_wait") == []
    assert all(span.end - span.start >= HOLD_NS for span in seen.spans("lock"))


def test_a_long_hold_is_told_even_if_nobody_waited():
    async def main():
        async with asyncio.Lock():
            block()

    with recording(*hooks()) as seen:
        seen.run(main())
    [held] = seen.spans("lock")
    assert not held.is_async
    assert held.end - held.start >= 1_000_000


def test_three_places_are_held_by_three():
    async def use(semaphore):
        async with semaphore:
            await asyncio.sleep(0.002)

    async def main():
        semaphore = asyncio.Semaphore(3)
        await asyncio.gather(*(use(semaphore) for _ in range(5)))

    with recording(*hooks()) as seen:
        seen.run(main())
    assert len(seen.spans("lock")) == 5
    assert len(seen.spans("lock_wait")) == 2
    assert {span.b for span in seen.records if span.kind.startswith("lock")} == {3}
    for wait in seen.spans("lock_wait"):
        holders = [h for h in seen.spans("lock") if h.start < wait.end and h.end > wait.start]
        assert len({holder.line for holder in holders} - {wait.line}) >= 3


def test_acquired_by_wait_for_it_is_held_by_the_line_that_releases():
    async def main():
        lock = asyncio.Lock()
        await asyncio.wait_for(lock.acquire(), 1)
        await asyncio.sleep(0.001)
        lock.release()

    with recording(*hooks()) as seen:
        seen.run(main())
    [held] = seen.spans("lock")
    assert held.line == seen.spans("sleep")[0].line


def test_giving_up_is_a_cancelled_wait_and_no_hold():
    async def main():
        lock = asyncio.Lock()
        async with lock:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(lock.acquire(), 0.005)

    with recording(*hooks()) as seen:
        seen.run(main())
    [wait] = seen.spans("lock_wait")
    assert wait.cancelled
    assert len(seen.spans("lock")) == 1


def test_waiting_for_a_condition_s_lock_is_seen_and_for_its_notification_is_not_a_lock():
    async def main():
        condition = asyncio.Condition()

        async def notify():
            async with condition:
                block()
                condition.notify()
                await asyncio.sleep(0.002)

        async with condition:
            task = asyncio.create_task(notify())
            await condition.wait()
        await task

    with recording(*hooks()) as seen:
        seen.run(main())
    [wait] = seen.spans("lock_wait")
    assert wait.resource == "asyncio.Lock"


def test_tokens_for_threads_are_the_threads_hook_s_business():
    async def main():
        limiter = anyio.CapacityLimiter(1)
        async with anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(
                    functools.partial(anyio.to_thread.run_sync, time.sleep, 0.002, limiter=limiter)
                )

    with recording(*hooks(), AnyioThreadsHook()) as seen:
        seen.run(main())
    assert len(seen.spans("thread_wait")) == 2
    assert seen.spans("lock_wait") == seen.spans("lock") == []


def test_a_lock_that_is_never_released_keeps_no_task_alive():
    import gc
    import weakref

    class Canary:
        pass

    async def forgetful():
        canary = Canary()
        await asyncio.Lock().acquire()
        return weakref.ref(canary)

    with recording(*hooks()) as seen:
        reference = seen.run(forgetful())
        gc.collect()
        assert reference() is None


@pytest.mark.parametrize("name", MAKERS)
def test_behaviour_is_the_same_with_and_without(name):
    async def main():
        lock = MAKERS[name][0]()
        order = []

        async def use(number):
            async with lock:
                order.append(number)
                await asyncio.sleep(0)

        await asyncio.gather(*(use(number) for number in range(4)))
        result = await lock.acquire()
        released = type(lock.release())  # anyio 3 returns something that may be awaited
        try:
            lock.release()
        except (RuntimeError, ValueError) as exc:
            return order, result, released, repr(exc)
        # A plain semaphore may be released as often as one likes.
        return order, result, released, name in ("asyncio.Semaphore", "anyio.Semaphore")

    plain = asyncio.run(main())
    with recording(*hooks()) as seen:
        assert seen.run(main()) == plain


@pytest.mark.parametrize("hook", [AsyncioLocksHook, AnyioLocksHook])
def test_a_broken_hook_never_reaches_the_app(hook):
    make = asyncio.Lock if hook is AsyncioLocksHook else anyio.Lock

    async def main():
        lock = make()
        for _ in range(2):
            async with lock:
                block()
        return "done"

    with recording(hook(), broken=True) as seen:
        assert seen.run(main()) == "done"
