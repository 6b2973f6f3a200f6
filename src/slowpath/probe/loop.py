"""Exact slices: every task's coroutine is stepped through a small object that stamps.

`create_task` is patched on the loop classes, which every way of making a task leads to
(`asyncio.create_task`, `gather`, task groups, anyio, servers). A `Task` here is the coroutine
that asyncio's own task is given; it hands every `send` and `throw` on to the app's coroutine.
"""

import collections.abc
import functools
from operator import attrgetter
from types import CoroutineType
from typing import Any, Callable, Generator, Optional

from slowpath.probe import core, wire
from slowpath.probe.core import BOUND, Here, Line, buffer, local, next_line, now, record
from slowpath.probe.hook import Hook
from slowpath.probe.sites import awaited, is_own

#: From this length the CPU time of a slice is measured.
MEASURED_NS = 1_000_000
#: From this length a gap that no open span explains is looked into.
LONG_GAP_NS = 1_000_000

pack = wire.RECORD.pack
extend = buffer.extend
_SLICE = wire.SLICE
_AWAIT = wire.SPAN_KINDS["await"]
_SLEEP = wire.SPAN_KINDS["sleep"]


class Task(Line):
    """The app's coroutine, stepped with stamps; equal to it in all that asyncio asks of one.

    `send` is that of a generator (`stepping`), which is what makes a step cheap: its state lives
    in local variables, and asyncio's C code calls into it without a Python function in between.
    What others read of a coroutine is given on by properties: a `__getattr__` would make every
    reading of any attribute slow.
    """

    __slots__ = ("__qualname__", "__weakref__", "_steps", "born", "coro", "send", "single", "told")

    send: Callable[[Any], Any]

    def __init__(self, coro: Any, parent: Optional[Line]) -> None:
        # Line's own, spelled out: this runs once a task, on the app's time.
        self.id = next_line() & 0xFFFFFFFF
        if parent is None:
            self.parent = 0
            self.request = None
        else:
            self.parent = parent.id
            self.request = parent.request
        self.here = None
        self.started = self.waits = 0
        self.told = self.single = False
        self.coro = coro
        self.__qualname__ = getattr(coro, "__qualname__", None)  # its class cannot have one for it
        self._steps: Any = None
        self.born = self.paused = now()

    def throw(self, *exc: Any) -> Any:
        """Throw into the coroutine (cancellation, mostly)."""
        try:
            # Not begun, there is nothing to record.
            return (self._steps or self.coro).throw(*exc)
        finally:
            del exc  # it refers to this frame: leave no cycle

    def close(self) -> None:
        """Close the coroutine."""
        if self._steps is not None:
            self._steps.close()
        self.coro.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return _Steps(self)

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        # Task factories and debuggers ask `inspect.iscoroutine` before they go on.
        return type(self.coro)

    __name__ = property(attrgetter("coro.__name__"))

    def __repr__(self) -> str:
        return repr(self.coro)

    def begin(self) -> Here:
        """Note the thread of the first slice: a task may be made in another one."""
        here = self.here = local.here
        if core.watched.get(here.ident) is not here:  # an earlier thread may have had its identity
            here.watch()
        if not core.awake:
            core.wake()
        return here

    def tell(self) -> None:
        """Record the task itself; a request's main task is told by its request instead."""
        self.told = True
        request = self.request
        if request is None or request.line != self.id:
            main = request.line if request is not None else 0
            site = core.site_of(self.coro)
            record(wire.LINE, 0, 0, self.id, site, main, self.born, 0, self.parent, -1)


class Unbegun(Task):
    """A task before its first slice; it becomes a `Task` then.

    Under load many wait for their first slice, so they are kept to one object each: more of them
    set off more garbage collections in the app.
    """

    __slots__ = ()

    def send(self, value: Any) -> Any:
        """Begin to step the coroutine."""
        _become(self, Task)
        try:
            self._steps = stepping(self, self.coro)
        except Exception as exc:
            LOOP.failed(exc)
            self._steps = self.coro
        begun: Any = self
        begun.send = send = self._steps.send
        return send(value)


#: The setter of an object's real class; a `Task` shows that of its coroutine.
_become = object.__dict__["__class__"].__set__
collections.abc.Coroutine.register(Task)
#: What asyncio, anyio and debuggers read of native coroutines, generators and compiled ones.
for _name in """
    cr_await cr_code cr_frame cr_origin cr_running cr_suspended
    gi_code gi_frame gi_running gi_suspended gi_yieldfrom
    ag_await ag_code ag_frame ag_running
""".split():
    setattr(Task, _name, property(attrgetter(f"coro.{_name}")))


def stepping(task: Task, coro: Any) -> Generator[Any, Any, Any]:
    """Step `coro` to its end, recording a slice for each step."""
    here = task.begin()
    number = here.number
    line = task.id
    send = step = coro.send
    value = None
    started = task.started = now()
    while True:
        outer = here.line
        here.line = task
        try:
            awaited = step(value)
        except StopIteration as stop:
            # asyncio keeps a task for one more turn of the loop; keep no more than that.
            task._steps = None
            task.send = over
            return stop.value
        finally:
            ended = task.paused = now()
            here.line = outer
            value = None  # an exception that leaves refers to this frame: make no cycle
            try:
                if ended - started >= MEASURED_NS:
                    record_long(task, here, started, ended)
                elif task.single:
                    task.single = False  # its request's record tells this slice too
                elif len(buffer) < BOUND:
                    # `record`, spelled out: this runs once a slice.
                    extend(pack(_SLICE, 0, number, line, 0, 0, started, ended, -1, -1))
                else:
                    core.dropped["records"] += 1
                if not task.told:
                    task.tell()
            except Exception as exc:
                LOOP.failed(exc)
        try:
            value = yield awaited
            step = send
        except GeneratorExit:
            coro.close()
            raise
        except BaseException as exc:
            value = exc
            step = coro.throw
        awaited = None  # the app alone decides how long its future lives
        started = task.started = now()
        if started - task.paused > LONG_GAP_NS and not task.waits:
            explain_gap(task, started)


def over(value: Any) -> Any:
    """Refuse to step a coroutine that has ended, as the coroutine itself would."""
    raise RuntimeError("cannot reuse already awaited coroutine")


class _Steps:
    """A `Task` as `await` wants it, for servers that step coroutines without asyncio tasks."""

    __slots__ = ("_task", "close", "throw")

    def __init__(self, task: Task) -> None:
        self._task = task
        self.throw = task.throw
        self.close = task.close

    def __iter__(self) -> "_Steps":
        return self

    def __next__(self) -> Any:
        return self._task.send(None)

    def send(self, value: Any) -> Any:
        return self._task.send(value)


def record_long(line: Line, here: Here, started: int, ended: int) -> None:
    """Record a slice with bounds of its CPU time (see `Here.busy_ns`).

    The thread's clock is read only after long slices and by the watcher. What it has moved since
    the last reading bounds this slice's CPU from above; the same less the wall time between that
    reading and the slice's start bounds it from below.
    """
    try:
        cpu = here.busy_ns()
    except OSError:
        cpu = here.cpu_mark = -1
    most = least = -1
    if cpu >= 0 and here.cpu_mark >= 0:
        used = max(0, cpu - here.cpu_mark)
        unseen = max(0, here.wall_mark - started)  # a reading just after the slice's start
        wall = ended - started
        most = min(used + unseen, wall)
        least = min(max(0, used - max(0, started - here.wall_mark)), wall)
    here.cpu_mark = cpu
    here.wall_mark = ended
    record(wire.SLICE, 0, here.number, line.id, 0, 0, started, ended, most, least)


def explain_gap(line: Task, resumed: int) -> None:
    """Record what a task awaited in a long gap that no hook has told of.

    It is still suspended at that very await, so its chain of coroutines names the place.
    """
    try:
        innermost, own = awaited(line.coro)
        if innermost is None:
            return
        inner = innermost.f_code
        kind = _SLEEP if inner.co_name == "sleep" and not is_own(inner.co_filename) else _AWAIT
        site = core.names.instruction(own.f_code, own.f_lasti) if own is not None else 0
        name = "" if innermost is own else getattr(inner, "co_qualname", inner.co_name)
        record(
            kind,
            wire.SpanFlag.ASYNC,
            0,
            line.id,
            site,
            core.text(name) if name else 0,
            line.paused,
            resumed,
            -1,
            -1,
        )
    except Exception as exc:
        LOOP.failed(exc)


class LoopHook(Hook):
    """`create_task` of asyncio's and uvloop's loops."""

    name = "asyncio"
    module = "asyncio.base_events"

    def install(self, module: Any) -> None:
        self.patch(module.BaseEventLoop, "create_task", self.stepped)

    def stepped(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap `create_task` so that the coroutine it is given is stepped."""

        @functools.wraps(original)
        def create_task(loop: Any, coro: Any, **kwargs: Any) -> Any:
            if self.enabled and (
                type(coro) is CoroutineType
                or (
                    not issubclass(type(coro), Task) and isinstance(coro, collections.abc.Coroutine)
                )
            ):
                try:
                    coro = Unbegun(coro, local.here.line)
                except Exception as exc:
                    self.failed(exc)
            task = original(loop, coro, **kwargs)
            if loop.get_debug():
                made_by_caller(task)
            return task

        return create_task


def made_by_caller(task: Any) -> None:
    """Take the hook's own frame off what asyncio's debug mode tells of a task's making."""
    stack = getattr(task, "_source_traceback", None)
    if stack and stack[-1].filename == __file__:
        del stack[-1]


class UvloopHook(LoopHook):
    """The same for uvloop: its Python class stands before the compiled one."""

    name = "uvloop"
    module = "uvloop"

    def install(self, module: Any) -> None:
        self.patch(module.Loop, "create_task", self.stepped)


LOOP = LoopHook()
UVLOOP = UvloopHook()
