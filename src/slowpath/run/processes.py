"""Finding and ending every process of a run, whatever it forked, spawned or daemonised."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Collection

import psutil

MARKER_VARIABLE = "SLOWPATH_RUN_ID"
"""In the environment of all that a run starts: found there even after a double fork."""

POLL_S = 0.02

Find = Callable[[], list[psutil.Process]]


def of_session(session: int) -> list[psutil.Process]:
    """The living processes of a session, its leader first if it lives."""
    found = []
    for pid in psutil.pids():
        try:
            if os.getsid(pid) == session:
                found.append(psutil.Process(pid))
        except (ProcessLookupError, PermissionError, psutil.Error):
            continue
    return sorted(
        filter(is_alive, found), key=lambda process: (process.pid != session, process.pid)
    )


def of_run(marker: str, sessions: Collection[int] = ()) -> list[psutil.Process]:
    """The living processes that carry the marker or belong to a session of the run.

    Both are needed: a daemon leaves the session but keeps the environment; a server that sets
    its process title overwrites the environment but stays in the session.
    """
    found = {process.pid: process for session in sessions for process in of_session(session)}
    own = os.getpid()
    for process in psutil.process_iter():
        if process.pid == own or process.pid in found:
            continue
        try:
            if process.environ().get(MARKER_VARIABLE) == marker and is_alive(process):
                found[process.pid] = process
        except (psutil.Error, OSError):
            continue
    return list(found.values())


def is_alive(process: psutil.Process) -> bool:
    """Whether it still runs; a zombie, which only waits for its parent, does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def send(signum: int, processes: Collection[psutil.Process]) -> None:
    """Signal all that still exist."""
    for process in processes:
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            process.send_signal(signum)


def wait_gone(find: Find, timeout_s: float) -> bool:
    """Wait until nothing is found any more; False when the time was up before that."""
    deadline = time.monotonic() + timeout_s
    while find():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_S)
    return True


def kill(find: Find, timeout_s: float = 5.0) -> bool:
    """SIGKILL all that is found, again for what was forked meanwhile; False if some stay."""
    deadline = time.monotonic() + timeout_s
    while processes := find():
        if time.monotonic() >= deadline:
            return False
        send(signal.SIGKILL, processes)
        # Not psutil.wait_procs: it would reap our own children, and their exit codes be lost.
        time.sleep(POLL_S)
    return True


def gentle_signal(pid: int) -> signal.Signals | None:
    """The signal on which a process shuts down in order, or None if it handles none.

    SIGTERM wherever it is handled: servers drain on it, while some only abort on SIGINT. A plain
    Python program handles SIGINT alone. Where handlers cannot be seen, SIGTERM is taken.
    """
    handled = _handled_signals(pid)
    if handled is None:
        return signal.SIGTERM
    for signum in (signal.SIGTERM, signal.SIGINT):
        if handled & (1 << (signum - 1)):
            return signum
    return None


def _handled_signals(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
            for line in status:
                if line.startswith("SigCgt:"):
                    return int(line.split()[1], 16)
    except OSError:
        pass
    return None
