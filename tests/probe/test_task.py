"""A stepped coroutine is, for asyncio and for the app, the coroutine itself.

Each scenario runs without the probe and with it; what it logs, returns, raises, warns of and
leaves to the loop's exception handler must be equal.
"""

# Tasks that nobody keeps are part of what is tested.
# ruff: noqa: RUF006

from __future__ import annotations

import asyncio
import collections.abc
import contextlib
import contextvars
import gc
import inspect
import io
import pprint
import re
import sys
import threading
import traceback
import types
import warnings
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.probe.recorder import recording

Log = list[Any]
Scenario = Callable[[Log], Coroutine[Any, Any, Any]]
SCENARIOS: dict[str, Scenario] = {}


def scenario(function: Scenario) -> Scenario:
    SCENARIOS[function.__name__] = function
    return function


def since(*version: int) -> Callable[[Scenario], Scenario]:
    return scenario if sys.version_info >= version else lambda function: function


class Mistake(Exception):
    pass


async def turns(count: int) -> int:
    for _ in range(count):
        await asyncio.sleep(0)
    return count


async def for_ever() -> None:
    await asyncio.get_running_loop().create_future()


async def logged(log: Log, name: Any, awaitable: Awaitable[Any]) -> Any:
    try:
        result = await awaitable
    except BaseException as exc:
        # anyio says by what it was cancelled, and that is a race where the clock takes part.
        args = () if "cancel scope" in str(exc) else exc.args
        log.append((name, "raised", type(exc), args))
        raise
    log.append((name, "returned", result))
    return result


async def settled(awaitable: Awaitable[Any]) -> Any:
    try:
        return await awaitable
    except BaseException as exc:
        return type(exc), exc.args


# Results and exceptions


@scenario
async def a_result_is_the_very_object(log: Log) -> Any:
    thing = object()

    async def give() -> object:
        await turns(2)
        return thing

    return await asyncio.create_task(give()) is thing


@scenario
async def an_exception_is_the_very_object_with_its_cause_and_context(log: Log) -> Any:
    mistake = Mistake("x")

    async def fail() -> None:
        try:
            raise KeyError("context")
        except KeyError as cause:
            raise mistake from cause

    try:
        await asyncio.create_task(fail())
    except Mistake as exc:
        return exc is mistake, repr(exc.__cause__), repr(exc.__context__), functions_of(exc)


def functions_of(exc: BaseException) -> list[str]:
    """The functions of a traceback, without those of the probe."""
    return [
        frame.name
        for frame in traceback.extract_tb(exc.__traceback__)
        if "slowpath/probe" not in frame.filename
    ]


@scenario
async def stop_iteration_is_no_result(log: Log) -> Any:
    async def fail() -> None:
        raise StopIteration(3)

    return await settled(asyncio.create_task(fail()))


@scenario
async def a_base_exception_ends_the_loop(log: Log) -> Any:
    async def fail() -> None:
        raise SystemExit(3)

    asyncio.create_task(fail()).add_done_callback(lambda task: log.append(repr(task.exception())))
    await for_ever()


@scenario
async def an_exception_that_nobody_fetches_is_reported(log: Log) -> Any:
    async def fail() -> None:
        raise Mistake("unseen")

    asyncio.create_task(fail())
    await turns(3)
    gc.collect()


@scenario
async def what_is_no_future_is_refused(log: Log) -> Any:
    @types.coroutine
    def odd() -> Any:
        yield "no future"

    async def main() -> None:
        await odd()

    try:
        await asyncio.create_task(main(), name="odd")
    except RuntimeError as exc:
        return str(exc)


@scenario
async def a_coroutine_that_runs_already_is_refused(log: Log) -> Any:
    async def wait() -> None:
        await turns(5)

    coro = wait()
    asyncio.create_task(coro)
    await turns(1)
    return await settled(asyncio.create_task(coro))


# Cancellation


@scenario
async def cancelled_before_its_first_step(log: Log) -> Any:
    task = asyncio.create_task(logged(log, "inner", turns(1)))
    task.cancel("early")
    return await settled(task), task.cancelled()


@scenario
async def cancelled_while_it_waits(log: Log) -> Any:
    task = asyncio.create_task(logged(log, "inner", for_ever()))
    await turns(2)
    task.cancel("why")
    return await settled(task), task.cancelled()


@scenario
async def a_cancellation_that_is_swallowed(log: Log) -> Any:
    async def stubborn() -> str:
        try:
            await for_ever()
        except asyncio.CancelledError as exc:
            log.append(exc.args)
        log.append(repr(sys.exc_info()))
        await turns(2)
        return "done"

    task = asyncio.create_task(stubborn())
    await turns(1)
    task.cancel("no")
    return await settled(task), task.cancelled()


@scenario
async def cancelled_while_it_cleans_up(log: Log) -> Any:
    async def tidy() -> None:
        try:
            await for_ever()
        finally:
            await logged(log, "cleaning", turns(3))

    task = asyncio.create_task(tidy())
    await turns(1)
    task.cancel("first")
    await turns(1)
    task.cancel("second")
    return await settled(task)


@scenario
async def an_exception_in_place_of_the_cancellation(log: Log) -> Any:
    async def change() -> None:
        try:
            await for_ever()
        except asyncio.CancelledError:
            raise Mistake("instead")  # noqa: B904

    task = asyncio.create_task(change())
    await turns(1)
    task.cancel()
    try:
        await task
    except Mistake as exc:
        return functions_of(exc), type(exc.__context__), task.cancelled()


@scenario
async def waiting_with_a_limit(log: Log) -> Any:
    inner = asyncio.create_task(logged(log, "inner", for_ever()))
    return (
        await settled(asyncio.wait_for(inner, 0.05)),
        await settled(asyncio.wait_for(turns(2), 5)),
        inner.cancelled(),
    )


@scenario
async def shielded(log: Log) -> Any:
    inner = asyncio.create_task(logged(log, "inner", turns(4)))
    outer = asyncio.create_task(logged(log, "outer", asyncio.shield(inner)))
    await turns(2)
    outer.cancel()
    return await settled(outer), await inner


@scenario
async def gathered(log: Log) -> Any:
    async def fail() -> None:
        await turns(1)
        raise Mistake("one")

    everything = await asyncio.gather(turns(1), fail(), turns(2), return_exceptions=True)
    first = await settled(asyncio.gather(turns(1), fail(), logged(log, "late", turns(5))))
    cancelled = asyncio.gather(logged(log, "a", for_ever()), logged(log, "b", for_ever()))
    await turns(1)
    cancelled.cancel()
    return repr(everything), first, await settled(cancelled), await turns(6)


@since(3, 11)
async def a_timeout_of_a_block(log: Log) -> Any:
    async def slow() -> None:
        async with asyncio.timeout(0.05):
            await logged(log, "inner", for_ever())

    task = asyncio.create_task(slow())
    return await settled(task), task.cancelling()


@since(3, 11)
async def a_group_whose_child_fails(log: Log) -> Any:
    async def fail() -> None:
        await turns(2)
        raise Mistake("child")

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(logged(log, "sibling", for_ever()))
            group.create_task(fail())
            await logged(log, "body", for_ever())

    try:
        await asyncio.create_task(main())
    except BaseExceptionGroup as exc:
        return repr(exc.exceptions), functions_of(exc.exceptions[0])


@since(3, 11)
async def a_cancellation_is_counted(log: Log) -> Any:
    async def count() -> int:
        task = asyncio.current_task()
        assert task is not None
        try:
            await for_ever()
        except asyncio.CancelledError:
            log.append(task.cancelling())
            log.append(task.uncancel())
        await turns(1)
        return task.cancelling()

    task = asyncio.create_task(count())
    await turns(1)
    task.cancel()
    task.cancel()
    return await settled(task)


# What a task tells of itself


def told_by(coro: Any) -> dict[str, Any]:
    return {
        "asyncio": asyncio.iscoroutine(coro),
        "inspect": inspect.iscoroutine(coro),
        "awaitable": inspect.isawaitable(coro),
        "abstract": isinstance(coro, collections.abc.Coroutine),
        "state": inspect.getcoroutinestate(coro),
        "names": (coro.__name__, coro.__qualname__),
        "code": coro.cr_code.co_name,
        "running": coro.cr_running,
        "frame": coro.cr_frame and coro.cr_frame.f_code.co_name,
        "awaited": getattr(coro.cr_await, "__name__", None),
        "unknown": hasattr(coro, "cr_unknown"),
        "repr": repr(coro),
    }


@scenario
async def its_coroutine_can_be_looked_at(log: Log) -> Any:
    async def inner() -> None:
        task = asyncio.current_task()
        assert task is not None
        log.append(told_by(task.get_coro()))
        await turns(2)

    task = asyncio.create_task(inner())
    log.append(told_by(task.get_coro()))
    await turns(1)
    log.append(told_by(task.get_coro()))
    await task
    return told_by(task.get_coro())


@scenario
async def its_stack_can_be_printed(log: Log) -> Any:
    async def inner() -> None:
        await turns(3)

    async def fail() -> None:
        raise Mistake("printed")

    def printed(task: asyncio.Task[Any]) -> tuple[list[str], list[str], str]:
        text = io.StringIO()
        task.print_stack(file=text)
        lines = [line for line in text.getvalue().splitlines() if "line" in line or "Mis" in line]
        names = [frame.f_code.co_name for frame in task.get_stack()]
        # A failed task's stack is its traceback, which holds the stepping itself.
        return (
            [name for name in names if name not in ("stepping", "send")],
            [line for line in lines if "slowpath/probe" not in line],
            repr(task),
        )

    waiting = asyncio.create_task(inner(), name="waiting")
    await turns(1)
    log.append(printed(waiting))
    failing = asyncio.create_task(fail(), name="failing")
    await settled(failing)
    log.append(printed(failing))
    await waiting
    return printed(waiting)


@scenario
async def its_names_and_neighbours(log: Log) -> Any:
    async def inner() -> Any:
        task = asyncio.current_task()
        assert task is not None
        return task.get_name(), task in asyncio.all_tasks()

    task = asyncio.create_task(inner(), name="given")
    task.add_done_callback(lambda done: log.append(done is task))
    return await task, len(asyncio.all_tasks())


# Around tasks


@scenario
async def tasks_take_turns_in_the_same_order(log: Log) -> Any:
    async def count(name: str) -> None:
        for i in range(3):
            log.append((name, i))
            await asyncio.sleep(0)

    asyncio.get_running_loop().call_soon(log.append, "called")
    await asyncio.gather(count("a"), count("b"), count("c"))


@scenario
async def context_variables(log: Log) -> Any:
    variable = contextvars.ContextVar("variable", default="unset")

    async def inner() -> str:
        seen = variable.get()
        variable.set("inner")
        await turns(1)
        return seen + variable.get()

    variable.set("outer")
    return await asyncio.create_task(inner()), variable.get()


@since(3, 11)
async def a_context_of_its_own(log: Log) -> Any:
    variable = contextvars.ContextVar("variable", default="unset")

    async def inner() -> str:
        variable.set("inner")
        await turns(1)
        return variable.get()

    context = contextvars.copy_context()
    result = await asyncio.create_task(inner(), context=context)
    return result, variable.get(), context[variable]


@scenario
async def generators_are_closed(log: Log) -> Any:
    async def numbers(name: str) -> Any:
        try:
            for i in range(10):
                yield i
                await asyncio.sleep(0)
        except BaseException as exc:
            log.append((name, type(exc)))
            raise
        finally:
            await asyncio.sleep(0)
            log.append((name, "closed"))

    async def first(name: str) -> int:
        async for number in numbers(name):
            return int(number)
        return -1

    async def proper() -> int:
        async with contextlib.aclosing(numbers("proper")) as found:
            return int(await found.__anext__())

    async def cut() -> None:
        async for _ in numbers("cut"):
            await for_ever()

    results = [await asyncio.create_task(first("left")), await asyncio.create_task(proper())]
    task = asyncio.create_task(cut())
    await turns(2)
    task.cancel()
    results.append(await settled(task))
    gc.collect()
    await turns(3)
    return results


class Foreign(collections.abc.Coroutine):  # type: ignore[type-arg]
    """A coroutine of another making, as Cython's are."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.left = 3

    def send(self, value: Any) -> None:
        self.log.append(("send", value))
        self.left -= 1
        if not self.left:
            raise StopIteration("foreign")

    def throw(self, *exc: Any) -> None:
        self.log.append(("throw", type(exc[0]) if isinstance(exc[0], BaseException) else exc[0]))
        raise exc[0]

    def close(self) -> None:
        self.log.append("close")

    def __await__(self) -> Any:
        return self


@scenario
async def a_coroutine_of_another_making(log: Log) -> Any:
    result = await asyncio.create_task(Foreign(log))
    for count in (0, 1):
        task = asyncio.create_task(Foreign(log))
        await turns(count)
        task.cancel()
        log.append(await settled(task))
    return result


@scenario
async def what_is_no_coroutine_is_refused(log: Log) -> Any:
    loop = asyncio.get_running_loop()
    for odd in (3, None, turns, loop.create_future(), (i for i in ())):
        try:
            loop.create_task(odd)  # type: ignore[arg-type]
        except TypeError as exc:
            log.append(str(exc))


@scenario
async def a_task_factory_of_the_app(log: Log) -> Any:
    def factory(loop: Any, coro: Any, **kwargs: Any) -> Any:
        async def around() -> Any:
            log.append(("around", coro.__qualname__, inspect.iscoroutine(coro)))
            try:
                return await coro
            finally:
                log.append("after")

        return asyncio.Task(around(), loop=loop, **kwargs)

    async def fail() -> None:
        await turns(1)
        raise Mistake("inner")

    loop = asyncio.get_running_loop()
    loop.set_task_factory(factory)
    try:
        result = await asyncio.create_task(turns(2))
        failed = await settled(asyncio.create_task(fail()))
        task = asyncio.create_task(logged(log, "inner", for_ever()))
        await turns(2)
        task.cancel("why")
        return result, failed, await settled(task)
    finally:
        loop.set_task_factory(None)


@since(3, 12)
async def eager_tasks(log: Log) -> Any:
    loop = asyncio.get_running_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    try:

        async def at_once() -> str:
            log.append(("running", asyncio.current_task() is not None))
            return "at once"

        async def fail() -> None:
            raise Mistake("eager")

        done = asyncio.create_task(at_once())
        log.append(done.done())
        waiting = asyncio.create_task(logged(log, "waiting", for_ever()))
        log.append("made")
        await turns(1)
        waiting.cancel()
        return (
            await done,
            await settled(asyncio.create_task(fail())),
            await settled(waiting),
            await asyncio.gather(turns(2), at_once()),
        )
    finally:
        loop.set_task_factory(None)


# Threads


@scenario
async def asked_for_from_a_thread(log: Log) -> Any:
    loop = asyncio.get_running_loop()
    begun, ended = threading.Event(), asyncio.Event()

    async def waits() -> None:
        begun.set()
        try:
            await logged(log, "inner", for_ever())
        finally:
            ended.set()

    def ask() -> Any:
        done = asyncio.run_coroutine_threadsafe(turns(2), loop).result(10)
        waiting = asyncio.run_coroutine_threadsafe(waits(), loop)
        begun.wait(10)
        return done, waiting.cancel()

    result = await loop.run_in_executor(None, ask)
    await asyncio.wait_for(ended.wait(), 10)
    return result


@scenario
async def a_loop_within_a_thread(log: Log) -> Any:
    def inner() -> Any:
        return asyncio.run(turns(3)), asyncio.run(settled(asyncio.wait_for(for_ever(), 0.05)))

    return await asyncio.gather(asyncio.get_running_loop().run_in_executor(None, inner), turns(5))


# anyio


@scenario
async def scopes_of_anyio(log: Log) -> Any:
    async def limited() -> bool:
        with anyio.move_on_after(0.05) as scope:
            await logged(log, "limited", anyio.sleep(30))
        with anyio.CancelScope(shield=True):
            await logged(log, "shielded", turns(2))
        return scope.cancelled_caught if hasattr(scope, "cancelled_caught") else True

    async def failing() -> None:
        with anyio.fail_after(0.05):
            await anyio.sleep(30)

    return await asyncio.create_task(limited()), await settled(asyncio.create_task(failing()))


@scenario
async def groups_of_anyio(log: Log) -> Any:
    async def service(*, task_status: Any) -> None:
        task_status.started("ready")
        await logged(log, "service", anyio.sleep(30))

    async def main() -> Any:
        async with anyio.create_task_group() as group:
            value = await group.start(service)
            group.start_soon(logged, log, "never begun", turns(1), name="child")
            group.cancel_scope.cancel()
        return value

    async def fail() -> None:
        await turns(1)
        raise Mistake("child")

    async def failing() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(fail)
            await logged(log, "body", anyio.sleep(30))

    value = await asyncio.create_task(main())
    try:
        await asyncio.create_task(failing())
    except BaseException as exc:
        return value, type(exc).__name__, repr(getattr(exc, "exceptions", None))


@scenario
async def threads_of_anyio(log: Log) -> Any:
    def worker() -> Any:
        return anyio.from_thread.run(turns, 2), anyio.from_thread.run_sync(len, "abc")

    return await anyio.to_thread.run_sync(worker)


# The comparison


@dataclass
class Outcome:
    ended: tuple[Any, ...]
    log: Log
    warned: list[str]
    reported: list[str]

    def text(self) -> str:
        """All of it, without what differs from one run to the next."""
        return re.sub(r"0x\w+|(?<=Task-)\d+", "...", pprint.pformat(self))


def run(main: Scenario, make_loop: Callable[[], Any]) -> Outcome:
    """Run a scenario on a loop of its own, and all that comes after it, until nothing is left."""
    log: Log = []
    reported: list[str] = []

    def report(loop: Any, context: dict[str, Any]) -> None:
        reported.append(f"{context['message']}: {context.get('exception')!r}")

    def unraisable(context: Any) -> None:
        reported.append(f"unraisable: {context.exc_value!r}")

    hook, sys.unraisablehook = sys.unraisablehook, unraisable
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            loop = make_loop()
            loop.set_exception_handler(report)
            try:
                ended: tuple[Any, ...] = "returned", loop.run_until_complete(main(log))
            except BaseException as exc:
                ended = "raised", type(exc), exc.args, functions_of(exc)
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()
            del loop
            gc.collect()
    finally:
        sys.unraisablehook = hook
    # In debug mode a warning goes on with where the coroutine was made, down to the test runner.
    texts = sorted(str(one.message).partition("\n")[0] for one in warned)
    return Outcome(ended, log, texts, reported)


def plain_loop() -> Any:
    return asyncio.new_event_loop()


def debug_loop() -> Any:
    loop = asyncio.new_event_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 60
    return loop


def uvloop_loop() -> Any:
    return pytest.importorskip("uvloop").new_event_loop()


LOOPS = [plain_loop, debug_loop, uvloop_loop]


@pytest.fixture(scope="module", autouse=True)
def _collections_are_quick() -> Iterator[None]:
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize("make_loop", LOOPS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_equal_with_the_probe(name: str, make_loop: Callable[[], Any]) -> None:
    if make_loop is uvloop_loop and name == "eager_tasks":
        pytest.skip("uvloop makes no eager tasks")
    bare = run(SCENARIOS[name], make_loop)
    with recording() as seen:
        probed = run(SCENARIOS[name], make_loop)
        seen.decode()
    assert probed.text() == bare.text()
    assert seen.spans("SLICE"), "nothing was stepped"


def test_a_loop_may_run_in_another_thread_than_the_one_that_made_its_task() -> None:
    async def which() -> int:
        await turns(2)
        return threading.get_ident()

    results: list[int] = []
    with recording() as seen:
        loop = asyncio.new_event_loop()
        task = loop.create_task(which())
        thread = threading.Thread(target=lambda: results.append(loop.run_until_complete(task)))
        thread.start()
        thread.join()
        loop.close()
        seen.decode()
        here = {span.thread for span in seen.spans("SLICE")}
        asyncio.run(turns(1))
        seen.decode()
    assert results == [thread.ident]
    assert len(here) == 1
    assert here != {span.thread for span in seen.spans("SLICE")[3:]}


def test_a_runner_that_is_interrupted_cancels_its_main_task() -> None:
    async def main(log: Log) -> None:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().call_soon(task.cancel)
        await logged(log, "main", for_ever())

    logs: list[Log] = [[], []]
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main(logs[0]))
    with recording(), pytest.raises(asyncio.CancelledError):
        asyncio.run(main(logs[1]))
    assert logs[0] == logs[1] != []


# Programs that nobody thought of

PROGRAMS = st.recursive(
    st.lists(
        st.one_of(
            st.tuples(st.just("turns"), st.integers(0, 2)),
            st.tuples(st.just("future"), st.just(0)),
            st.tuples(st.sampled_from(["cancel", "join", "shield", "gather"]), st.integers(0, 3)),
            st.tuples(st.just("fail"), st.just(0)),
        ),
        max_size=4,
    ),
    lambda programs: st.lists(
        st.one_of(
            st.tuples(st.sampled_from(["spawn", "catch", "stubborn", "tidy"]), programs),
            st.tuples(st.just("turns"), st.integers(0, 2)),
            st.tuples(st.sampled_from(["cancel", "join"]), st.integers(0, 3)),
        ),
        max_size=4,
    ),
    max_leaves=12,
)


def closes_a_ring(chosen: Any, waits: dict[Any, Any]) -> bool:
    """Whether the current task would wait for itself; asyncio never ends cancelling a ring."""
    while chosen is not None and chosen is not asyncio.current_task():
        chosen = waits.get(chosen)
    return chosen is not None


async def obey(program: Any, name: str, log: Log, tasks: list[Any], waits: dict[Any, Any]) -> None:
    """Carry out a program: what it does to tasks depends on the order of their steps alone.

    `waits` says which task waits for which.
    """
    loop = asyncio.get_running_loop()
    current = asyncio.current_task()
    for i, (order, value) in enumerate(program):
        log.append((name, i, order))
        chosen = tasks[value % len(tasks)] if isinstance(value, int) and tasks else None
        if order == "turns":
            await turns(value)
        elif order == "future":
            future = loop.create_future()
            loop.call_soon(lambda future=future: future.done() or future.set_result(name))
            log.append(await future)
        elif order == "fail":
            raise Mistake(name)
        elif order == "spawn":
            child = f"{name}.{i}"
            tasks.append(asyncio.create_task(obey(value, child, log, tasks, waits), name=child))
        elif order == "catch":
            try:
                await obey(value, f"{name}.{i}", log, tasks, waits)
            except Exception as exc:
                log.append((name, i, repr(exc)))
        elif order == "stubborn":
            try:
                await obey(value, f"{name}.{i}", log, tasks, waits)
            except asyncio.CancelledError as exc:
                log.append((name, i, repr(exc)))
        elif order == "tidy":
            try:
                await turns(1)
            finally:
                await obey(value, f"{name}.{i}", log, tasks, waits)
        elif chosen is None or chosen is current:
            continue
        elif order == "cancel":
            log.append(chosen.cancel(name))
        elif not closes_a_ring(chosen, waits):
            waits[current] = chosen
            try:
                if order == "gather":
                    log.append(repr(await asyncio.gather(chosen, turns(1), return_exceptions=True)))
                else:
                    shielded = asyncio.shield(chosen) if order == "shield" else chosen
                    await asyncio.wait_for(shielded, 30)
            finally:
                waits.pop(current, None)


def carried_out(program: Any, make_loop: Callable[[], Any]) -> Log:
    log: Log = []
    loop = make_loop()
    loop.set_exception_handler(lambda loop, context: log.append(context["message"]))
    tasks: list[Any] = []
    waits: dict[Any, Any] = {}

    async def main() -> None:
        first = obey(program, "main", log, tasks, waits)
        tasks.append(asyncio.create_task(first, name="main"))
        await turns(40)
        for task in tasks:
            task.cancel()
        await turns(10)
        log.extend((task.get_name(), task.done(), task.cancelled()) for task in tasks)

    try:
        loop.run_until_complete(main())
        loop.run_until_complete(loop.shutdown_asyncgens())
        for task in tasks:
            if task.done() and not task.cancelled():
                log.append(repr(task.exception()))
    finally:
        tasks.clear()
        loop.close()
    return log


@pytest.mark.parametrize("make_loop", [plain_loop, uvloop_loop])
@settings(max_examples=150, deadline=None)
@given(program=PROGRAMS)
def test_any_program_of_tasks_goes_the_same_way(make_loop: Callable[[], Any], program: Any) -> None:
    bare = carried_out(program, make_loop)
    with recording() as seen:
        probed = carried_out(program, make_loop)
        seen.decode()
    assert probed == bare
    assert seen.spans("SLICE")


class Thing:
    """Something whose end can be watched."""


def ends(log: Log, name: str) -> Thing:
    thing = Thing()
    weakref.finalize(thing, log.append, name)
    return thing


async def things_end(log: Log) -> Any:
    """Nothing outlives its last use by more than it would on a bare loop; no collector runs."""
    loop = asyncio.get_running_loop()

    async def returns() -> None:
        thing = ends(log, "returned")
        await turns(1)
        del thing
        log.append("after returned")

    async def fails() -> None:
        thing = ends(log, "failed")
        await turns(1)
        raise Mistake(thing)

    async def is_cancelled() -> None:
        thing = ends(log, "cancelled")
        await for_ever()
        del thing

    async def awaits_a_result() -> None:
        future = loop.create_future()
        loop.call_soon(future.set_result, ends(log, "result"))
        await future
        del future
        log.append("after result")

    async def drops(work: Callable[[], Coroutine[Any, Any, Any]], steps: int) -> None:
        task = asyncio.create_task(work())
        await turns(steps)
        task.cancel()
        try:
            await task
        except BaseException as exc:
            log.append(type(exc))

    for work in (returns, fails, is_cancelled, awaits_a_result):
        for steps in (0, 1, 4):
            await drops(work, steps)
            await turns(1)
            log.append((work.__name__, steps))


@pytest.mark.parametrize("make_loop", [plain_loop, uvloop_loop])
def test_objects_end_as_early_as_without_the_probe(make_loop: Callable[[], Any]) -> None:
    gc.collect()
    gc.disable()
    try:
        bare = run(things_end, make_loop).log
        with recording():
            probed = run(things_end, make_loop).log
    finally:
        gc.enable()
    assert probed == bare


def test_a_task_of_a_closed_loop_warns_of_the_same_coroutine() -> None:
    def attempt() -> list[str]:
        loop = asyncio.new_event_loop()
        loop.close()
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            with pytest.raises(RuntimeError, match="closed"):
                loop.create_task(turns(1))
            gc.collect()
        return [str(one.message) for one in warned]

    bare = attempt()
    with recording():
        assert attempt() == bare
    assert bare == ["coroutine 'turns' was never awaited"]


def test_a_loop_closed_with_a_task_that_never_began_warns_alike() -> None:
    def attempt(steps: int) -> tuple[list[str], list[str]]:
        reported: list[str] = []
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            loop = asyncio.new_event_loop()
            loop.set_exception_handler(lambda loop, context: reported.append(context["message"]))
            task = loop.create_task(for_ever())
            if steps:
                loop.run_until_complete(turns(steps))
            loop.close()
            del task, loop
            gc.collect()
        return [str(one.message) for one in warned], reported

    for steps in (0, 2):
        bare = attempt(steps)
        with recording():
            assert attempt(steps) == bare
        assert bare[1] == ["Task was destroyed but it is pending!"]
