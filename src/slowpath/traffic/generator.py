"""The load generator: Locust in a process of its own, since gevent patches all it is imported into.

Run as `python -m slowpath.traffic.generator`; see `job` for what goes through its pipes.
"""

from __future__ import annotations

import locust  # isort: skip  # First of all: gevent patches the modules imported after it.

import contextlib
import itertools
import logging
import os
import random
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import gevent.event
import gevent.os
from locust.env import Environment
from locust.exception import StopUser
from locust.util.load_locustfile import load_locustfile

from slowpath.traffic.job import STOP, Done, Event, Failed, Job, Tick, event_to_line
from slowpath.traffic.plan import Plan
from slowpath.traffic.recorder import INTENDED_START, LogError, Recorder

TICK_S = 0.5
RAMP_SHARE = 0.5
"""The part of the warm-up in which the users come; in the rest all are there."""

REFUSED_PAUSE_S = 0.2
"""A refused connection fails at once; without a pause a user would do nothing else."""


class Pacer:
    """Hands out the times at which requests are due, so many a second over all users."""

    def __init__(self, rate: float) -> None:
        self._interval_ns = int(1e9 / rate)
        self._next_ns: int | None = None
        self._closed = gevent.event.Event()

    def wait(self) -> int:
        """Sleep until the next request is due, and return that time, which may be past.

        Raises:
            StopUser: there will be no more requests.
        """
        due_ns = self._next_ns or time.perf_counter_ns()
        self._next_ns = due_ns + self._interval_ns
        if self._closed.wait(max(0, due_ns - time.perf_counter_ns()) / 1e9):
            raise StopUser
        return due_ns

    def close(self) -> None:
        """Send those who wait home."""
        self._closed.set()


def planned_user(plan: Plan, pacer: Pacer | None) -> type[locust.FastHttpUser]:
    """The class of users that send what the plan says, one request after the other."""
    numbers = itertools.count()

    class PlannedUser(locust.FastHttpUser):
        wait_time = locust.constant(0)

        def __init__(self, environment: Environment) -> None:
            super().__init__(environment)
            number = next(numbers)
            # Seeded: the same traffic again when the run is repeated to prove a cure.
            self._random = random.Random(number)
            self._turns = itertools.islice(itertools.cycle(plan.targets), number, None)

        @locust.task
        def send(self) -> None:
            target = next(self._turns) if plan.in_order else self._random.choice(plan.targets)
            url = self._random.choice(target.urls)
            if pacer:
                # A request that had to wait for a free user was late; its wait is latency.
                vars(self.client)[INTENDED_START] = pacer.wait()
            response = self.client.request(
                target.method,
                url,
                name=target.name,
                headers=dict(target.headers),
                allow_redirects=False,
            )
            if not response.status_code:
                gevent.sleep(REFUSED_PAUSE_S)

    return PlannedUser


class Generator:
    """One job, from its first user to its last."""

    def __init__(self, job: Job, recorder: Recorder, tell: Callable[[Event], None]) -> None:
        self._job = job
        self._recorder = recorder
        self._tell = tell
        self._pacer = Pacer(job.rate) if job.rate else None
        self._stop = gevent.event.Event()

    def run(self) -> Done:
        """Warm up, drive, end."""
        environment = self._environment()
        runner = environment.create_local_runner()
        init: Any = locust.events.init
        init.fire(environment=environment, runner=runner, web_ui=None)
        gevent.spawn(self._watch_commands)
        start_ns = end_ns = None
        if environment.shape_class:
            runner.start_shape()
        else:
            runner.start(self._job.users, self._spawn_rate())
        try:
            if self._phase("warmup", runner, self._job.warmup_s):
                start_ns = time.perf_counter_ns()
                self._phase("drive", runner, self._job.duration_s)
                end_ns = time.perf_counter_ns()
        finally:
            if self._pacer:
                self._pacer.close()
            # What it cuts off is marked as unfinished by the recorder.
            runner.quit()
            self._recorder.close()
        raised = tuple((str(entry["msg"]), entry["count"]) for entry in runner.exceptions.values())
        return Done(start_ns, end_ns, raised, runner.cpu_warning_emitted)

    def _environment(self) -> Environment:
        if self._job.plan.locustfile is None:
            users: list[type[locust.User]] = [planned_user(self._job.plan, self._pacer)]
            shape = None
        else:
            found, shapes = load_locustfile(self._job.plan.locustfile)
            users = list(found.values())
            shape = shapes[0] if shapes else None
            if not users:
                raise ValueError("it defines no user class")
        return Environment(
            user_classes=users,
            shape_class=shape,
            events=locust.events,
            host=self._job.base_url,
            stop_timeout=self._job.grace_s,
        )

    def _spawn_rate(self) -> float:
        ramp_s = self._job.warmup_s * RAMP_SHARE
        return self._job.users / ramp_s if ramp_s >= 1 else self._job.users

    def _phase(self, name: str, runner: Any, seconds: float) -> bool:
        """Let the users work for so long; False when told to stop before the time was up."""
        self._recorder.begin_phase()
        began = time.perf_counter()
        while True:
            elapsed_s = time.perf_counter() - began
            self._tell(Tick(name, elapsed_s, runner.user_count, **self._recorder.figures()))
            if elapsed_s >= seconds:
                return True
            if self._stop.wait(min(TICK_S, seconds - elapsed_s)):
                return False
            self._recorder.flush()

    def _watch_commands(self) -> None:
        with contextlib.suppress(OSError):
            while command := gevent.os.tp_read(0, 4096):
                if STOP.encode() in command:
                    break
        self._stop.set()


def main() -> None:
    # Locustfiles print; what goes through the pipe is ours alone.
    events = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)

    def tell(event: Event) -> None:
        events.write(event_to_line(event))
        events.flush()

    job = Job.from_line(_first_line())
    try:
        recorder = Recorder(Path(job.client_csv), job.base_url, job.headers, job.plan.routes)
        with recorder.installed():
            done = Generator(job, recorder, tell).run()
        tell(done)
    except LogError as exc:
        tell(Failed(str(exc)))
    except (Exception, SystemExit) as exc:
        traceback.print_exc()
        what = job.plan.locustfile or "The load generator"
        tell(Failed(f"{what} failed: {type(exc).__name__}: {exc}", traceback.format_exc()))


def _first_line() -> str:
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            raise SystemExit("the load generator got no job")
        line += byte
    return line.decode()


if __name__ == "__main__":
    main()
