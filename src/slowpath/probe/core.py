"""What all of the probe shares: the record buffer, who runs now, and emitting.

Everything a hook does on the hot path is here: reading the clock, finding the running `Line`
and packing 48 bytes into one bounded buffer. No object is kept for a record, so the host's
garbage collector sees nothing of it.
"""

import os
import threading
import time
from itertools import count
from threading import get_ident  # the original: gevent may replace the module's attribute
from time import perf_counter_ns
from types import FrameType
from typing import Any, Callable, Dict, Optional

from slowpath.probe import wire
from slowpath.probe.sites import Names, code_of, definition, own_frame

#: Most bytes of records that wait to be written: 32 MiB, some 700,000 records.
BOUND = 32 * 1024 * 1024
#: Spans that hold the thread for less than this stay part of what is around them.
FLOOR_NS = 20_000

now = perf_counter_ns
buffer = bytearray()
names = Names()
text = names.text
_pack = wire.RECORD.pack
_extend = buffer.extend
_ASYNC = wire.SpanFlag.ASYNC
_MASK = 0xFFFFFFFF
next_line: Callable[[], int] = count(1).__next__
dropped: Dict[str, int] = {"records": 0}


class Line:
    """A line of execution: an asyncio task or a job in a worker thread.

    Attributes:
        id: number within the process.
        request: the request (`asgi.Request`) that it works for, or None.
        here: the thread that runs it; None before its first slice.
        started: when its present slice began, ns; 0 before the first.
        paused: when its last slice ended (at first: when it was created), ns.
        waits: open spans that tell what it awaits; with none, a long gap is looked into.
    """

    __slots__ = ("here", "id", "parent", "paused", "request", "started", "waits")
    #: A job in a worker thread, not a task.
    is_job = False

    def __init__(self, parent: Optional["Line"]) -> None:
        self.id = next_line() & _MASK
        self.parent = parent.id if parent is not None else 0
        self.request: Any = parent.request if parent is not None else None
        self.started = 0
        self.paused = now()
        self.waits = 0
        self.here: Optional["Here"] = None


class Here:
    """What runs in one thread now.

    Attributes:
        line: the line whose slice it is, or None.
        ident: `threading.get_ident()` of the thread.
        clock: id of the thread's CPU clock; -1 where the platform has none. Taken by the thread
            itself: asking for that of a thread which has ended is undefined behaviour.
        cpu_mark, wall_mark: `busy_ns` as last read, and when; -1 before.
    """

    __slots__ = ("clock", "cpu_mark", "ident", "line", "number", "run_queue", "wall_mark")

    def __init__(self) -> None:
        self.line: Optional[Line] = None
        self.ident = get_ident()
        self.number = next(_threads) & 0xFFFF
        self.cpu_mark = -1
        self.wall_mark = 0
        self.find_clock()

    def find_clock(self) -> None:
        """Note the clock of the running thread, which must be this one (again after a fork)."""
        try:
            self.clock = _clock_id(self.ident) if _clock_id is not None else -1
        except OSError:
            self.clock = -1
        self.run_queue: Optional[RunQueue] = None

    def watch(self) -> None:
        """Have the watcher look at this thread, which must be the running one."""
        watched[self.ident] = self
        if self.run_queue is None:
            self.run_queue = RunQueue()

    def busy_ns(self) -> int:
        """Return how long the thread has been computing or waiting for a core to do so.

        The two are told together: an app that shares its machine is short of CPU, not blocked.

        Raises:
            OSError: the thread has ended.
        """
        waited = self.run_queue.waited_ns() if self.run_queue is not None else 0
        return time.clock_gettime_ns(self.clock) + waited


class RunQueue:
    """What Linux tells of the time that the running thread waits for a core."""

    __slots__ = ("_file",)

    def __init__(self) -> None:
        try:
            path = f"/proc/self/task/{threading.get_native_id()}/schedstat"
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except (OSError, AttributeError):  # another system, or a kernel that does not tell
            self._file = -1

    def waited_ns(self) -> int:
        """Return the time in ns since the thread began; 0 where the system does not tell."""
        if self._file < 0:
            return 0
        try:
            return int(os.pread(self._file, 64, 0).split()[1])
        except (ValueError, IndexError):
            return 0

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        # At the interpreter's end the module's own names are gone.
        if self._file >= 0:
            try:
                close(self._file)
            except OSError:
                pass


class _Local(threading.local):
    def __init__(self) -> None:
        self.here = Here()


_clock_id: Optional[Callable[[int], int]] = getattr(time, "pthread_getcpuclockid", None)
_threads = count(1)
local = _Local()
#: Threads that have run a line, by identity: the ones that the watcher looks at.
watched: Dict[int, Here] = {}


def record(
    kind: int,
    flags: int,
    thread: int,
    line: int,
    site: int,
    resource: int,
    start: int,
    end: int,
    a: int,
    b: int,
) -> None:
    """Append one record, or count it as dropped when the buffer is full."""
    if len(buffer) < BOUND:
        _extend(_pack(kind, flags, thread, line, site, resource, start, end, a, b))
    else:
        dropped["records"] += 1


def emit(
    kind: int,
    line: Line,
    start: int,
    end: int,
    site: int,
    resource: str = "",
    a: int = -1,
    b: int = -1,
    flags: int = 0,
) -> None:
    """Record a span of `line`; `kind` is a code of `wire.SPAN_KINDS`, times in ns.

    Whether the line was suspended meanwhile (`SpanFlag.ASYNC`) is found here.
    """
    if line.paused > start:
        flags |= _ASYNC
    number = text(resource) if resource else 0
    # `record`, spelled out: this runs once a span, on the app's time.
    if len(buffer) < BOUND:
        thread = local.here.number
        _extend(_pack(kind, flags, thread, line.id, site, number, start, end, a, b))
    else:
        dropped["records"] += 1


def own_site(frame: Optional[FrameType]) -> int:
    """Return the site of the app's own innermost line, from `frame` outwards; 0 if none.

    Hooks call it as `own_site(sys._getframe(1))`, so that their own frame is not walked.
    """
    found = own_frame(frame)
    if found is None:
        return 0
    return names.instruction(found.f_code, found.f_lasti)


_definitions: Dict[Any, int] = {}


def site_of(function: Any) -> int:
    """Return the site where a callable or coroutine is defined; 0 if it has no source."""
    key = code_of(function)
    found = _definitions.get(key)
    if found is not None:
        return found
    place = definition(function)
    site = names.place(*place) if place is not None else 0
    if key is not None and len(_definitions) < 10_000:
        _definitions[key] = site
    return site


#: Whether the watcher runs in this process; else `wake` starts it.
awake = True
_starter: Optional[Callable[[], None]] = None


def set_starter(starter: Optional[Callable[[], None]]) -> None:
    """Have `starter` called when the next line begins to run; None: no more."""
    global _starter, awake
    _starter = starter
    awake = starter is None


def wake() -> None:
    """Start the watcher (at first use, and after a fork)."""
    global awake
    awake = True
    if _starter is not None:
        _starter()
