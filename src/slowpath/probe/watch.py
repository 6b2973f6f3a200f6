"""The probe's one thread: it samples overdue slices and writes the records out.

Every `TICK_S` it looks whether a slice has been running for long; if so it notes the stack and
the CPU clock of that thread, which tells a line that computes from one that blocks. After a C
call that held the GIL it wakes on the very line. Every `FLUSH_S` it writes what was recorded.
"""

import json
import os
import platform
import sys
import threading
import time
import zlib
from time import sleep  # the original: hooks may replace the module's attribute
from typing import Any, BinaryIO, Callable, Dict, List, Optional, Tuple

from slowpath.probe import core, wire
from slowpath.probe.core import Here, now, record
from slowpath.probe.sites import frames, is_own

TICK_S = 0.005
#: With no slice for `QUIET_NS` the watcher ticks slower.
IDLE_TICK_S = 0.02
QUIET_NS = 1_000_000_000
#: The clock of a slice's thread is read as if before it, for so long after its start.
FRESH_NS = 500_000
#: A slice is sampled once it has run so long.
OVERDUE_NS = 4_000_000
#: After so many samples of one slice, one in four ticks is enough.
DENSE_SAMPLES = 60
#: Jobs in worker threads may be long by design; they are sampled on every so-manieth tick.
JOB_TICKS = 4
FLUSH_S = 0.25
GAUGE_S = 0.25
#: One frame holds at most so many bytes of records.
CHUNK = wire.RECORD.size * 20_000


class Writer:
    """Appends frames to `probe-<pid>.bin`; never raises, counts what is lost.

    The file is opened when there is something to write, so that a Python process which serves
    nothing leaves no file.
    """

    def __init__(self, folder: str, describe: Callable[[], Dict[str, Any]]) -> None:
        self.folder = folder
        self.describe = describe
        self.trouble = ""
        self.begin()

    def begin(self) -> None:
        """Begin a file of its own; in a child, its parent's records and file are the parent's."""
        self._lock = threading.Lock()
        self._file: Optional[BinaryIO] = None
        self._said = ""
        del core.buffer[:]
        core.names.pending[:] = core.names.everything()

    def flush(self) -> None:
        """Write all that waits; what cannot be written is dropped and counted."""
        with self._lock:
            try:
                self._flush()
            except Exception as exc:
                why = getattr(exc, "strerror", None)
                self.trouble = f"{type(exc).__name__}: {why}" if why else type(exc).__name__
                lost = len(core.buffer) // wire.RECORD.size
                del core.buffer[: lost * wire.RECORD.size]
                core.dropped["records"] += lost

    def _flush(self) -> None:
        if not core.buffer and self._file is None:
            return
        if self._file is None:
            path = os.path.join(self.folder, f"probe-{os.getpid()}.bin")
            file = open(path, "ab", buffering=0)
            try:
                if file.tell() == 0:
                    append(file, wire.MAGIC)
            except OSError:
                file.close()
                raise
            self._file = file
        said = json.dumps(self.describe(), sort_keys=True)
        if said != self._said:
            self._frame(wire.META, said.encode())
            self._said = said
        # Records are taken first, names second: those of the taken records are then among them.
        while True:
            size = min(len(core.buffer), CHUNK)
            size -= size % wire.RECORD.size
            # A slice is one atomic copy; a memoryview would forbid the app's thread to append.
            payload = core.buffer[:size]
            pending = core.names.pending
            named = len(pending)
            if named:
                self._frame(wire.NAMES, json.dumps(pending[:named]).encode())
                del pending[:named]
            if not payload:
                return
            self._frame(wire.RECORDS, payload)
            del core.buffer[:size]

    def _frame(self, kind: int, payload: "bytes | bytearray") -> None:
        assert self._file is not None
        header = wire.FRAME.pack(kind, len(payload), zlib.crc32(payload, kind))
        append(self._file, header + payload)


def append(file: BinaryIO, data: bytes) -> None:
    """Write all of `data` or, if the disk fills up, nothing: what comes later stays readable."""
    rest = memoryview(data)
    try:
        while rest:  # an unbuffered write may be partial
            rest = rest[file.write(rest) :]
    except OSError:
        written = len(data) - len(rest)
        if written:
            file.truncate(os.fstat(file.fileno()).st_size - written)
        raise


class Watcher:
    """Samples and flushes from a daemon thread until `stop`."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self._thread: Optional[threading.Thread] = None
        self._stopping = False
        self._samples: Dict[int, Tuple[int, int]] = {}  # thread: (slice start, samples)
        self._busy_at = 0

    def start(self) -> None:
        """Start the thread unless it runs."""
        if self._thread is None and not self._stopping:
            self._thread = threading.Thread(target=self._run, name="slowpath", daemon=True)
            try:
                self._thread.start()
            except Exception:  # no more threads, or the interpreter is going down
                self._thread = None
                self._stopping = True
            at_end_of_child(self.writer.flush)

    def forked(self) -> None:
        """Forget the parent's thread: it does not exist in the child."""
        self._thread = None
        self._samples.clear()
        core.watched.clear()
        core.local.here.find_clock()

    def stop(self) -> None:
        """End the thread and write what is left."""
        self._stopping = True
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=1.0)
        self.writer.flush()

    def _run(self) -> None:
        flush_at = gauge_at = time.monotonic()
        tick = 0
        while not self._stopping:
            quiet = now() - self._busy_at > QUIET_NS
            sleep(IDLE_TICK_S if quiet else TICK_S)
            tick += 1
            try:
                self.look(jobs=tick % JOB_TICKS == 0, sparse=tick % 4 == 0)
                clock = time.monotonic()
                if clock >= gauge_at:
                    gauge_at = clock + GAUGE_S
                    gauges()
                if clock >= flush_at:
                    flush_at = clock + FLUSH_S
                    self.writer.flush()
            except Exception as exc:
                self.writer.trouble = f"watcher: {type(exc).__name__}"

    def look(self, jobs: bool, sparse: bool) -> None:
        """Sample every thread whose slice is overdue, and mark the clocks of the others.

        Reading a clock lets go of the GIL. A C call may take it then, and be over when it comes
        back here: so threads are sampled first, and those whose clock was read once more.
        """
        others = [
            here for here in list(core.watched.values()) if not self._sampled(here, jobs, sparse)
        ]
        for here in others:
            line = here.line
            if line is None or now() - line.started < FRESH_NS:
                mark_clock(here)
                self._sampled(here, jobs, sparse)

    def _sampled(self, here: Here, jobs: bool, sparse: bool) -> bool:
        """Sample a thread if its slice is overdue; tell whether it is."""
        line = here.line
        if line is None:
            return False
        self._busy_at = seen = now()
        started = line.started
        if not started or seen - started < OVERDUE_NS:
            return False
        slice_start, count = self._samples.get(here.ident, (0, 0))
        if slice_start != started:
            count = 0
        if (line.is_job and not jobs) or (count > DENSE_SAMPLES and not sparse):
            return True
        frame = sys._current_frames().get(here.ident)
        if frame is None:
            core.watched.pop(here.ident, None)
            return True
        self._samples[here.ident] = (started, count + 1)
        sample(here, line.id, started, seen, frame)
        return True


def at_end_of_child(flush: Callable[[], None]) -> None:
    """Have `flush` called when a process that multiprocessing forked ends: atexit is not."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        try:
            util.Finalize(None, flush, exitpriority=0)
        except Exception:
            pass


def sample(here: Here, line: int, started: int, seen: int, frame: Any) -> None:
    """Record one stack of a thread whose slice began at `started`."""
    own = 0
    sites = []
    for found in frames(frame):
        code = found.f_code
        site = core.names.instruction(code, found.f_lasti)
        sites.append(site)
        if not own and is_own(code.co_filename):
            own = site
    stack = core.names.stack(tuple(sites))
    # Last: reading it lets go of the GIL, and the frames would move on.
    cpu = read_clock(here)
    record(
        wire.SAMPLE, 0, here.number, line, own, stack, started, seen, cpu, time.process_time_ns()
    )


def read_clock(here: Here) -> int:
    """Read `busy_ns` of another thread; -1 where the platform tells of none."""
    if here.clock == -1:
        return -1
    try:
        return here.busy_ns()
    except OSError:  # the thread has ended
        core.watched.pop(here.ident, None)
        return -1


def mark_clock(here: Here) -> None:
    """Note the CPU clock of a thread between its slices, or just after the start of one.

    If a slice has gone on for longer when the GIL comes back, the earlier note tells more of it.
    """
    cpu = read_clock(here)
    seen = now()
    line = here.line
    if cpu >= 0 and (line is None or seen - line.started < FRESH_NS):
        here.cpu_mark = cpu
        here.wall_mark = seen


def gauges() -> None:
    """Record levels that no hook sees: memory, CPU, threads."""
    at = now()
    level("process.memory.rss", at, _rss())
    level("process.cpu.ns", at, time.process_time_ns())
    level("process.threads", at, threading.active_count())


def level(name: str, at: int, value: int) -> None:
    """Record the value of a gauge."""
    record(wire.GAUGE, 0, 0, 0, 0, core.text(name), at, at, value, -1)


_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def _rss() -> int:
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, ValueError, IndexError):
        return -1


def process() -> Dict[str, Any]:
    """Describe this process for the recording; nothing in it changes while it runs."""
    return {
        "pid": os.getpid(),
        "parent_pid": os.getppid(),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "cpus": os.cpu_count(),
        "executable": sys.executable,
    }


def libraries(names: List[str]) -> Dict[str, str]:
    """Return the versions of those distributions whose modules are imported."""
    from importlib import metadata

    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except Exception:
            continue
    return found
