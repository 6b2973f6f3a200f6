"""Work handed to threads: a line of its own, and what the asking line waited for."""

import asyncio
import concurrent.futures
import contextlib
import contextvars
import functools
import inspect
import operator
import threading
import time
from importlib import import_module

import anyio
import anyio.to_thread
import pytest

from slowpath.probe.hook import Importer
from slowpath.probe.hooks import anyio as anyio_hook
from slowpath.probe.hooks import threads
from slowpath.probe.hooks.anyio import AnyioThreadsHook
from slowpath.probe.hooks.threads import (
    ProcessPoolHook,
    RunInExecutorHook,
    ThreadPoolHook,
    UvloopRunInExecutorHook,
)
from slowpath.probe.wire import LineFlag
from tests.probe.recorder import Place, Seen, recording

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


async def warm_up() -> None:
    """Have anyio import its backend, which its hook patches."""
    await anyio.to_thread.run_sync(int)


asyncio.run(warm_up())


def here(offset: int = 0) -> int:
    """Return the line number of the caller."""
    import sys

    return sys._getframe(1).f_lineno + offset


def spin(wall_s: float) -> str:
    end = time.perf_counter() + wall_s
    while time.perf_counter() < end:
        pass
    return threading.current_thread().name


def definition_of(function) -> Place:
    code = function.__code__
    return Place(code.co_filename, code.co_firstlineno, function.__qualname__)


def job_of(seen: Seen):
    """Return the only job's LINE and SLICE and the spans of the line that asked."""
    [line] = [record for record in seen.spans("LINE") if record.flags & LineFlag.THREAD]
    [piece] = [record for record in seen.spans("SLICE") if record.line == line.line]
    [wait] = seen.spans("thread_wait")
    [run] = seen.spans("thread")
    return line, piece, wait, run


def check_job(seen: Seen, function, resource: str, capacity: int, asked: int) -> None:
    line, piece, wait, run = job_of(seen)
    assert line.site == definition_of(function)
    assert line.a == wait.line == run.line  # its parent is the line that asked
    assert wait.a == run.a == line.line
    assert {wait.resource, run.resource} == {resource}
    assert {wait.b, run.b} == {capacity}
    assert wait.site[:2] == run.site[:2] == (__file__, asked)
    assert line.start == wait.start <= wait.end == run.start == piece.start
    assert piece.end == run.end == line.end
    assert wait.is_async
    assert run.is_async
    assert piece.thread != wait.thread
    assert [span for span in seen.spans("await") if span.line == run.line] == []


def anyio_hooks():
    return (AnyioThreadsHook(),)


def executor_hooks():
    return ThreadPoolHook(), RunInExecutorHook(), UvloopRunInExecutorHook()


def test_anyio_job_is_a_line_and_its_time_is_told():
    async def main():
        nonlocal asked
        asked = here(1)
        return await anyio.to_thread.run_sync(spin, 0.005)

    asked = 0
    with recording(*anyio_hooks()) as seen:
        assert seen.run(main()) == "AnyIO worker thread"
    check_job(seen, spin, "anyio default limiter", 40, asked)


def test_own_limiter_is_named_by_its_size():
    async def main():
        await anyio.to_thread.run_sync(spin, 0.002, limiter=anyio.CapacityLimiter(3))

    with recording(*anyio_hooks()) as seen:
        seen.run(main())
    assert {(s.resource, s.b) for s in seen.spans("thread")} == {("anyio limiter of 3", 3)}


def test_waiting_for_one_of_few_tokens_is_thread_wait():
    async def main():
        limiter = anyio.CapacityLimiter(1)
        async with anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(functools.partial(run, limiter))

    async def run(limiter):
        await anyio.to_thread.run_sync(spin, 0.02, limiter=limiter)

    with recording(*anyio_hooks()) as seen:
        seen.run(main())
    first, second = sorted(seen.spans("thread"), key=lambda span: span.start)
    [waited] = [span for span in seen.spans("thread_wait") if span.a == second.a]
    assert waited.start < first.end <= waited.end == second.start


def test_computing_and_sleeping_jobs_differ_in_cpu_time():
    async def main():
        await anyio.to_thread.run_sync(spin, 0.02)
        await anyio.to_thread.run_sync(time.sleep, 0.02)
        await anyio.to_thread.run_sync(int)

    with recording(*anyio_hooks()) as seen:
        seen.run(main())
    jobs = [record.line for record in seen.spans("LINE") if record.flags & LineFlag.THREAD]
    busy, idle, short = (next(s for s in seen.spans("SLICE") if s.line == job) for job in jobs)
    assert busy.a == busy.b > 0.1 * (busy.end - busy.start)
    assert 0 <= idle.a < 0.1 * (idle.end - idle.start)
    assert (short.a, short.b) == (-1, -1)


@pytest.mark.parametrize("uvloop", [False, True], ids=["asyncio", "uvloop"])
def test_to_thread_names_the_function_behind_context_and_partial(uvloop):
    async def main():
        nonlocal asked
        asked = here(1)
        return await asyncio.to_thread(functools.partial(spin), 0.005)

    asked = 0
    factory = pytest.importorskip("uvloop").new_event_loop if uvloop else None
    with recording(*executor_hooks()) as seen:
        seen.run(main(), factory)
    capacity = concurrent.futures.ThreadPoolExecutor()._max_workers
    check_job(seen, spin, "asyncio default executor", capacity, asked)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda future: future,
        lambda future: asyncio.wait_for(future, 5),
        lambda future: asyncio.gather(future),
        lambda future: asyncio.wait([future]),
    ],
    ids=["await", "wait_for", "gather", "wait"],
)
def test_run_in_executor_explains_its_wait_however_it_is_awaited(wrap):
    async def main():
        nonlocal asked
        loop = asyncio.get_running_loop()
        with concurrent.futures.ThreadPoolExecutor(2, "reports") as pool:
            asked = here(1)
            future = loop.run_in_executor(pool, spin, 0.01)
            await wrap(future)

    asked = 0
    with recording(*executor_hooks()) as seen:
        seen.run(main())
    check_job(seen, spin, "reports", 2, asked)


def test_a_gap_after_the_job_is_still_looked_into():
    async def main():
        await asyncio.to_thread(int)
        await asyncio.Event().wait()

    async def briefly():
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(main(), 0.02)

    with recording(*executor_hooks()) as seen:
        seen.run(briefly())
        seen.run(asyncio.wait_for(asyncio.sleep(0), 1))
    assert [span.resource for span in seen.spans("thread")] == ["asyncio default executor"]

    async def then_sleep():
        await asyncio.to_thread(int)
        await asyncio.sleep(0.01)

    with recording(*executor_hooks()) as seen:
        seen.run(then_sleep())
    assert len(seen.spans("sleep")) == 1


def test_submit_and_map_without_asyncio():
    with (
        recording(ThreadPoolHook()) as seen,
        concurrent.futures.ThreadPoolExecutor(1) as pool,
        seen.line(),
    ):
        assert list(pool.map(operator.neg, [1, 2])) == [-1, -2]
        assert pool.submit(int, "12", base=3).result() == 5
        pool.shutdown()
    assert len(seen.spans("thread")) == len(seen.spans("thread_wait")) == 3
    assert {span.site.path for span in seen.spans("thread")} == {__file__}


def test_yield_dependency_and_generator_are_told_by_their_own_code():
    @contextlib.contextmanager
    def session():
        yield "session"

    def rows():
        yield 1

    async def main():
        with_session = session()
        assert await anyio.to_thread.run_sync(with_session.__enter__) == "session"
        assert await anyio.to_thread.run_sync(next, rows()) == 1

    with recording(*anyio_hooks()) as seen:
        seen.run(main())
    lines = [record for record in seen.spans("LINE") if record.flags & LineFlag.THREAD]
    assert [line.site.function.rpartition(".")[2] for line in lines] == ["session", "rows"]


def test_a_framework_s_helper_is_told_by_what_it_is_given():
    source = "def helper(*, function, arguments):\n    return function(**arguments)\n"
    namespace: dict[str, object] = {}
    exec(compile(source, "<framework>", "exec"), namespace)

    async def main():
        call = functools.partial(namespace["helper"], function=spin, arguments={"wall_s": 0.001})
        await anyio.to_thread.run_sync(call)

    with recording(*anyio_hooks()) as seen:
        seen.run(main())
    assert job_of(seen)[0].site == definition_of(spin)


def test_a_framework_asks_without_a_line_of_the_app():
    async def application(scope, receive, send):  # a framework would call it like this
        await dispatch()

    async def middleware(scope, receive, send):
        await application(scope, receive, send)

    async def main():
        await middleware({}, None, None)

    # The dispatcher is library code: compiled with a name that is not the app's own.
    namespace = {"anyio": anyio, "spin": spin}
    source = (
        "async def endpoint(scope, receive, send):\n"
        "    await anyio.to_thread.run_sync(spin, 0.001)\n"
        "async def dispatch():\n"
        "    await endpoint(1, 2, 3)\n"
    )
    exec(compile(source, "<framework>", "exec"), namespace)
    dispatch = namespace["dispatch"]
    with recording(*anyio_hooks()) as seen:
        seen.run(main())
    [run] = seen.spans("thread")
    assert run.site == Place("", 0, "")


def test_context_results_and_exceptions_are_the_same_with_and_without():
    def body(value):
        assert value == 3
        return variable.get()

    def broken():
        raise LookupError("the app's own")

    async def main():
        variable.set("set")
        loop = asyncio.get_running_loop()
        outcome = [
            await anyio.to_thread.run_sync(body, 3),
            await asyncio.to_thread(body, 3),
            await loop.run_in_executor(None, body, 3),
        ]
        for run in (
            anyio.to_thread.run_sync(broken),
            asyncio.to_thread(broken),
            loop.run_in_executor(None, broken),
            loop.run_in_executor(None, None),
        ):
            try:
                await run
            except Exception as exc:
                outcome.append(repr(exc))
        return outcome

    plain = asyncio.run(main())
    with recording(*anyio_hooks(), *executor_hooks()) as seen:
        assert seen.run(main()) == plain
    assert plain[:3] == ["set", "set", "unset"]
    assert [span.failed for span in seen.spans("thread") if "anyio" in span.resource] == [
        False,
        True,
    ]


def test_a_job_that_never_ran_is_told_as_a_wait():
    async def main():
        loop = asyncio.get_running_loop()
        release = threading.Event()
        with concurrent.futures.ThreadPoolExecutor(1, "one") as pool:
            busy = loop.run_in_executor(pool, release.wait)
            behind = loop.run_in_executor(pool, int)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(behind, 0.01)
            release.set()
            await busy

    with recording(*executor_hooks()) as seen:
        seen.run(main())
    [given_up] = [span for span in seen.spans("thread_wait") if span.cancelled]
    assert given_up.a not in {span.a for span in seen.spans("thread")}


def test_abandoned_anyio_job_ends_for_its_asker_when_cancelled():
    async def main():
        with anyio.move_on_after(0.01):
            await anyio.to_thread.run_sync(release.wait, **{abandon: True})
        release.set()

    release = threading.Event()
    options = inspect.signature(anyio.to_thread.run_sync).parameters
    abandon = "abandon_on_cancel" if "abandon_on_cancel" in options else "cancellable"
    with recording(*anyio_hooks()) as seen:
        seen.run(main())
    [run] = seen.spans("thread")
    assert run.cancelled


def test_process_pool_is_seen_from_outside():
    async def main():
        nonlocal asked
        loop = asyncio.get_running_loop()
        with concurrent.futures.ProcessPoolExecutor(1) as pool:
            asked = here(1)
            return await loop.run_in_executor(pool, operator.neg, 4)

    asked = 0
    with recording(ProcessPoolHook(), *executor_hooks()) as seen:
        assert seen.run(main()) == -4
    [run] = seen.spans("thread")
    assert (run.resource, run.a, run.b) == ("process pool", -1, 1)
    assert run.site[:2] == (__file__, asked)
    assert [span for span in seen.spans("await") if span.line == run.line] == []


def test_outside_a_line_nothing_is_recorded():
    with recording(ThreadPoolHook()) as seen:
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            assert pool.submit(operator.neg, 1).result() == -1
        seen.decode()
    assert seen.records == []


@pytest.mark.parametrize("hook", [AnyioThreadsHook, ThreadPoolHook])
def test_a_broken_hook_never_reaches_the_app(hook):
    async def main():
        if hook is AnyioThreadsHook:
            return [await anyio.to_thread.run_sync(operator.neg, n) for n in (1, 2)]
        return [await asyncio.to_thread(operator.neg, n) for n in (1, 2)]

    with recording(hook(), broken=True) as seen:
        assert seen.run(main()) == [-1, -2]
    assert seen.spans("thread") == []


def test_a_hook_that_cannot_make_its_job_lets_the_call_through(monkeypatch):
    monkeypatch.setattr(threads, "asked_by", lambda frame: 1 / 0)

    async def main():
        return await anyio.to_thread.run_sync(operator.neg, 1), await asyncio.to_thread(int, "2")

    with recording(*anyio_hooks(), ThreadPoolHook(), broken=True) as seen:
        assert seen.run(main()) == (-1, 2)


def test_importer_installs_them_all():
    hooks = [hook() for hook in (*threads.HOOKS, *anyio_hook.HOOKS)]
    for hook in hooks:
        import_module(hook.module)
    importer = Importer(hooks)
    importer.install()
    importer.uninstall()
    try:
        assert [hook.state for hook in hooks] == ["on"] * len(hooks)
    finally:
        for hook in hooks:
            hook.uninstall()
