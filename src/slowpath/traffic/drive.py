"""Our end of the load generator: start it, follow it, end it."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from slowpath.errors import UserError
from slowpath.recording.folder import cannot_write
from slowpath.traffic.job import (
    STOP,
    Done,
    Event,
    Failed,
    Job,
    Tick,
    event_from_line,
)

POLL_S = 0.05
SLACK_S = 30.0
"""What the generator may take beyond its plan: importing Locust, and users that stop slowly."""


@dataclass(frozen=True, slots=True)
class Driven:
    """What came of the traffic.

    Attributes:
        start_ns, end_ns: the measured window by `perf_counter_ns`; None if it never began.
        ended_early: why it ended before its time, in words.
        exceptions: messages of what the user's locustfile raised, with their number.
        short_of_cpu: the load generator had less CPU than it wanted at some time.
    """

    start_ns: int | None
    end_ns: int | None
    ended_early: str | None = None
    exceptions: tuple[tuple[str, int], ...] = ()
    short_of_cpu: bool = False


def drive(
    job: Job,
    log: Path,
    on_tick: Callable[[Tick], None],
    should_stop: Callable[[], str | None],
    on_start: Callable[[int], None] = lambda pid: None,
) -> Driven:
    """Run the load generator to its end, which comes within a bounded time.

    Args:
        log: where the generator's own words go.
        should_stop: asked all the while; a reason, in words, ends the traffic early.
        on_start: told the process, which leads a session of its own.

    Raises:
        UserError: the generator could not do its job.
    """
    try:
        output = log.open("wb")
    except OSError as exc:
        raise cannot_write(log.parent, exc) from exc
    with output:
        # -P: modules of the user's current folder must not take the place of ours.
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "slowpath.traffic.generator"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            start_new_session=True,
            text=True,
        )
    on_start(process.pid)
    try:
        _write(process, job.to_line())
        return _follow(process, job, log, on_tick, should_stop)
    finally:
        # It leads its group, and a locustfile may have started processes.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _follow(
    process: subprocess.Popen[str],
    job: Job,
    log: Path,
    on_tick: Callable[[Tick], None],
    should_stop: Callable[[], str | None],
) -> Driven:
    events: queue.Queue[Event | None] = queue.Queue()
    threading.Thread(target=_read_events, args=(process, events), daemon=True).start()
    start_ns = None
    reason = None
    deadline = time.monotonic() + job.warmup_s + job.duration_s + job.grace_s + SLACK_S
    while True:
        if reason is None and (reason := should_stop()):
            stopped_ns = time.perf_counter_ns()
            deadline = time.monotonic() + job.grace_s + SLACK_S
            _write(process, STOP + "\n")
        try:
            event = events.get(timeout=POLL_S)
        except queue.Empty:
            if time.monotonic() < deadline:
                continue
            event = None
        if isinstance(event, Tick):
            if event.phase == "drive" and start_ns is None:
                start_ns = time.perf_counter_ns() - int(event.elapsed_s * 1e9)
            if reason is None:
                on_tick(event)
        elif isinstance(event, Done):
            end_ns = event.end_ns
            if reason and end_ns is not None:
                end_ns = min(end_ns, stopped_ns)
            return Driven(event.start_ns, end_ns, reason, event.exceptions, event.short_of_cpu)
        elif isinstance(event, Failed):
            raise UserError(event.message, event.details)
        elif start_ns is None:
            raise UserError("The load generator ended before it began.", _tail(log))
        else:
            # Killed, or hung in a locustfile that never yields: keep what was written.
            lost = "the load generator ended by itself; what it wrote until then counts"
            return Driven(start_ns, time.perf_counter_ns(), reason or lost)


def _read_events(process: subprocess.Popen[str], events: queue.Queue[Event | None]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        # A torn last line of a killed generator.
        with contextlib.suppress(ValueError):
            events.put(event_from_line(line))
    events.put(None)


def _write(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    # A generator that is gone shows by the end of its events.
    with contextlib.suppress(OSError):
        process.stdin.write(line)
        process.stdin.flush()


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
    return "\n".join(lines)
