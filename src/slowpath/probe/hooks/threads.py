"""Work handed to threads: executors and asyncio's way to them (anyio's is in `anyio.py`).

What is handed over becomes a `Job`: a line of execution of its own, with a slice in its worker
thread. The line that asked gets two spans: `thread_wait` until a thread took the job up, and
`thread` while it ran.
"""

import functools
import sys
import threading
from contextlib import _GeneratorContextManager
from contextvars import Context
from time import thread_time_ns
from types import BuiltinMethodType, FrameType, FunctionType, GeneratorType, MethodType
from typing import Any, Callable, Dict, Optional, Tuple

from slowpath.probe import core, sites, wire
from slowpath.probe.core import Here, Line, local, now
from slowpath.probe.hook import Hook

#: From this length the CPU time of a job is measured.
MEASURED_NS = 500_000
#: What awaits a future may pass its result on: `wait_for` and `gather` take one turn each.
TURNS = 3

_WAIT = wire.SPAN_KINDS["thread_wait"]
_RUN = wire.SPAN_KINDS["thread"]
_ASYNC = wire.SpanFlag.ASYNC
_CANCELLED = wire.SpanFlag.CANCELLED


class Job(Line):
    """A callable on its way through a worker thread; called in place of the app's.

    Attributes:
        site: the app's line that handed it over; 0 if a framework did.
        resource: name of the limiter or executor.
        capacity: how many threads that has; -1 if unknown or unbounded.
        ended: when it had run, ns; 0 before.
    """

    __slots__ = ("asker", "born", "call", "capacity", "cpu", "ended", "hook", "resource", "site")
    is_job = True

    def __init__(self, hook: Hook, asker: Line, call: Callable[..., Any], frame: FrameType) -> None:
        Line.__init__(self, asker)
        self.hook = hook
        self.asker: Optional[Line] = asker
        self.call: Any = call
        self.born = self.paused
        self.site = asked_by(frame)
        self.resource = ""
        self.capacity = -1
        self.cpu = 0
        self.ended = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the app's callable in the worker thread, as a slice of this line."""
        call = self.call
        here = self.here = local.here
        outer = here.line
        here.line = self
        if core.watched.get(here.ident) is not here:
            core.watched[here.ident] = here
        self.cpu = thread_time_ns()
        self.started = now()
        try:
            return call(*args, **kwargs)
        finally:
            self.ended = self.paused = now()
            here.line = outer
            self.call = None  # the asking line may keep this object longer than the app would
            try:
                if self.hook.enabled:
                    self.record(here, subject(call, args, kwargs))
            except Exception as exc:
                self.hook.failed(exc)

    def record(self, here: Here, function: Any) -> None:
        """Record the line and its one slice."""
        request = self.request
        core.record(
            wire.LINE,
            wire.LineFlag.THREAD,
            here.number,
            self.id,
            core.site_of(function),
            request.line if request is not None else 0,
            self.born,
            self.ended,
            self.parent,
            -1,
        )
        cpu = thread_time_ns() - self.cpu if self.ended - self.started >= MEASURED_NS else -1
        core.record(wire.SLICE, 0, here.number, self.id, 0, 0, self.started, self.ended, cpu, cpu)

    def tell(self, until: int, flags: int) -> None:
        """Record what the asking line waited for, once; `until`: when it stopped waiting, ns."""
        asker, self.asker = self.asker, None
        if asker is None or not self.hook.enabled:
            return
        try:
            thread = asker.here.number if asker.here is not None else 0
            resource = core.text(self.resource)
            begun = self.started or until
            for kind, start, end in ((_WAIT, self.born, begun), (_RUN, begun, self.ended or until)):
                if kind == _WAIT or self.started:
                    core.record(
                        kind,
                        flags | _ASYNC,
                        thread,
                        asker.id,
                        self.site,
                        resource,
                        start,
                        end,
                        self.id,
                        self.capacity,
                    )
        except Exception as exc:
            self.hook.failed(exc)


class ExecutorJob(Job):
    """A job of an executor: nobody may be awaiting it, so its end tells the line that asked."""

    __slots__ = ()

    def record(self, here: Here, function: Any) -> None:
        """Record the line, its slice and the spans of the line that asked."""
        Job.record(self, here, function)
        self.tell(self.ended, 0)


def subject(call: Any, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Any:
    """Return the function, or the generator, that a job is really about."""
    for _ in range(10):
        if isinstance(call, functools.partial):
            call, args, kwargs = call.func, (*call.args, *args), {**call.keywords, **kwargs}
        elif isinstance(call, BuiltinMethodType) and isinstance(call.__self__, Context) and args:
            call, args = args[0], args[1:]  # Context.run
        else:
            break
    if isinstance(call, MethodType) and isinstance(call.__self__, _GeneratorContextManager):
        return call.__self__.gen
    if not has_own_code(call):
        # A framework's helper, which is given what it is to call or to step.
        for value in (*args, *kwargs.values()):
            if isinstance(value, (FunctionType, MethodType, GeneratorType)) and has_own_code(value):
                return value
    return call


def has_own_code(function: Any) -> bool:
    """Tell whether a function or generator is the app's own."""
    code = sites.code_of(function)
    return code is not None and sites.is_own(code.co_filename)


def asked_by(frame: Optional[FrameType]) -> int:
    """Return the site of the app's line that asked for a thread; 0 if a framework did.

    Outside an ASGI callable there are only middlewares, which are not the ones that asked.
    """
    for _ in range(sites.MAX_WALK):
        if frame is None:
            return core.own_site(None)  # across the border of a greenlet, if there is one
        code = frame.f_code
        path = code.co_filename
        if sites.is_own(path):
            return core.names.instruction(code, frame.f_lasti)
        count = code.co_argcount
        if path == sites.BORDER or (
            count >= 3 and code.co_varnames[count - 3 : count] == ("scope", "receive", "send")
        ):
            return 0
        frame = frame.f_back
    return 0


class _Asking(threading.local):
    """What `run_in_executor` and the `submit` that it calls tell each other."""

    active = False
    default = False  # it is for the loop's default executor
    told: Optional[Callable[[int, int], None]] = None  # `tell` of what was submitted


_asking = _Asking()


class ThreadPoolHook(Hook):
    """`ThreadPoolExecutor.submit`, which `run_in_executor` and `to_thread` come through."""

    name = "concurrent.futures.thread"
    module = "concurrent.futures.thread"

    def install(self, module: Any) -> None:
        self.patch(module.ThreadPoolExecutor, "submit", self.submitting)

    def submitting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap `submit` so that it is given a job."""

        @functools.wraps(original)
        def submit(executor: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            line = local.here.line
            if line is None or not self.enabled or in_another_interpreter(executor):
                return original(executor, fn, *args, **kwargs)
            job = None
            try:
                job = ExecutorJob(self, line, fn, sys._getframe(1))
                job.resource = executor_name(executor)
                job.capacity = executor._max_workers
                if _asking.active:
                    _asking.told = job.tell
            except Exception as exc:
                self.failed(exc)
            return original(executor, fn if job is None else job, *args, **kwargs)

        return submit


def executor_name(executor: Any) -> str:
    """Return the name of an executor's threads; the hundredth nameless one is like the rest."""
    prefix = str(executor._thread_name_prefix)
    if _asking.default or prefix == "asyncio":
        return "asyncio default executor"
    name, _, number = prefix.rpartition("-")
    return name if len(number) > 2 and number.isdigit() else prefix[:60]


def in_another_interpreter(executor: Any) -> bool:
    """Tell whether an executor's threads run other interpreters (3.14): no job gets there."""
    module = sys.modules.get("concurrent.futures.interpreter")
    return module is not None and isinstance(executor, module.InterpreterPoolExecutor)


class RunInExecutorHook(Hook):
    """`loop.run_in_executor`: while its future is awaited, that is what the line waits for."""

    name = "asyncio.run_in_executor"
    module = "asyncio.base_events"

    def install(self, module: Any) -> None:
        self.patch(module.BaseEventLoop, "run_in_executor", self.running)

    def running(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap `run_in_executor` to follow the future that it returns."""

        @functools.wraps(original)
        def run_in_executor(loop: Any, executor: Any, func: Any, *args: Any) -> Any:
            line = local.here.line
            if line is None or not self.enabled:
                return original(loop, executor, func, *args)
            _asking.active = True
            _asking.default = executor is None
            try:
                future = original(loop, executor, func, *args)
            finally:
                _asking.active = _asking.default = False
                tell, _asking.told = _asking.told, None
            if tell is not None:
                try:
                    future.add_done_callback(functools.partial(self.done, loop, line, tell))
                    line.waits += 1
                except Exception as exc:
                    self.failed(exc)
            return future

        return run_in_executor

    def done(self, loop: Any, line: Line, tell: Callable[[int, int], None], future: Any) -> None:
        """Tell of a job that was given up, and let others explain what comes next.

        This runs before the task that awaits the future, and that task must still be silent
        about its wait when it goes on.
        """
        if future.cancelled():
            tell(now(), _CANCELLED)
        settle(loop, line, TURNS)


def settle(loop: Any, line: Line, turns: int) -> None:
    """End a line's wait after some turns of the loop."""
    if turns and not loop.is_closed():
        loop.call_soon(settle, loop, line, turns - 1)
    else:
        line.waits -= 1


class UvloopRunInExecutorHook(RunInExecutorHook):
    """The same for uvloop."""

    name = "uvloop.run_in_executor"
    module = "uvloop"

    def install(self, module: Any) -> None:
        self.patch(module.Loop, "run_in_executor", self.running)


class Errand:
    """A call on its way through another process, of which only start and end are seen."""

    __slots__ = ("asker", "born", "capacity", "hook", "site")

    def __init__(self, hook: Hook, asker: Line, capacity: int, site: int) -> None:
        self.hook = hook
        self.asker: Optional[Line] = asker
        self.born = now()
        self.capacity = capacity
        self.site = site

    def tell(self, until: int, flags: int) -> None:
        """Record the wait for the result, once; waiting in line is part of it."""
        asker, self.asker = self.asker, None
        if asker is None or not self.hook.enabled:
            return
        try:
            core.record(
                _RUN,
                flags | _ASYNC,
                asker.here.number if asker.here is not None else 0,
                asker.id,
                self.site,
                core.text("process pool"),
                self.born,
                until,
                -1,
                self.capacity,
            )
        except Exception as exc:
            self.hook.failed(exc)


class ProcessPoolHook(Hook):
    """`ProcessPoolExecutor.submit`: the wait for another process, seen from outside."""

    name = "concurrent.futures.process"
    module = "concurrent.futures.process"

    def install(self, module: Any) -> None:
        self.patch(module.ProcessPoolExecutor, "submit", self.submitting)

    def submitting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap `submit` to be told when the result has come."""

        @functools.wraps(original)
        def submit(executor: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            line = local.here.line
            if line is None or not self.enabled:
                return original(executor, fn, *args, **kwargs)
            errand = None
            try:
                site = asked_by(sys._getframe(1))
                errand = Errand(self, line, executor._max_workers, site)
                if _asking.active:
                    _asking.told = errand.tell
            except Exception as exc:
                self.failed(exc)
            future = original(executor, fn, *args, **kwargs)
            if errand is not None:
                tell = errand.tell
                future.add_done_callback(
                    lambda future: tell(now(), _CANCELLED if future.cancelled() else 0)
                )
            return future

        return submit


HOOKS = (
    ThreadPoolHook,
    RunInExecutorHook,
    UvloopRunInExecutorHook,
    ProcessPoolHook,
)
