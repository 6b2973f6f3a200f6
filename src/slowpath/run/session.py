"""One run from start to stop: launch, wait, warm up, drive, stop."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass

from slowpath.errors import UserError
from slowpath.probe.boot import environment
from slowpath.recording import folder as folders
from slowpath.recording.folder import RunFolder
from slowpath.run import ports, pyspy
from slowpath.run.guardian import Guardian
from slowpath.run.interrupts import Interrupts
from slowpath.run.launch import App, new_marker
from slowpath.run.options import Options
from slowpath.run.progress import Progress
from slowpath.run.pyspy import PySpy
from slowpath.run.readiness import Address, wait_until_ready
from slowpath.run.record import RunRecord
from slowpath.traffic import client_log, verdict
from slowpath.traffic.drive import Driven, drive
from slowpath.traffic.job import Job, Tick
from slowpath.traffic.plan import Plan, Source
from slowpath.traffic.sources import NONE, source

POLL_S = 0.1
INTERRUPTED = "Ctrl-C was pressed"


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that was measured.

    Attributes:
        app_died: the app ended by itself, so the run is not what was asked for.
    """

    folder: RunFolder
    app_died: bool


def run(
    options: Options,
    progress: Progress,
    on_start: Callable[[RunFolder], None] | None = None,
) -> Finished:
    """Start the app, drive it, stop it; all that was seen is in the run's folder then.

    No process is left behind, whichever way this ends.

    Args:
        on_start: called with the run's folder before the app is started.

    Raises:
        UserError: there is nothing to report, for a reason the user can do something about.
        KeyboardInterrupt: Ctrl-C before anything was measured, or twice.
        SystemExit: SIGTERM or SIGHUP.
    """
    traffic = source(options.traffic)
    if traffic is not None:
        traffic.check()
    if shutil.which(options.command[0]) is None:
        raise UserError(
            f"The command {options.command[0]!r} was not found or is not executable. "
            "Is the environment of your app activated?"
        )
    if options.port is not None and ports.is_taken(options.port):
        raise UserError(f"Port {options.port} is already taken by another process.")
    sampler = pyspy.find() if options.py_spy else None
    record = RunRecord.begin(options)
    folder = folders.create(record.name, options.runs)
    folder.write(record.as_json())
    if on_start is not None:
        on_start(folder)
    return _Session(options, traffic, progress, folder, record, sampler).run()


class _Session:
    def __init__(
        self,
        options: Options,
        traffic: Source | None,
        progress: Progress,
        folder: RunFolder,
        record: RunRecord,
        sampler: str | None,
    ) -> None:
        self._options = options
        self._traffic = traffic
        self._progress = progress
        self._folder = folder
        self._record = record
        self._interrupts = Interrupts()
        self._died: str | None = None
        self._sampler = None if sampler is None else PySpy(sampler, folder)
        self._sampling = False

    def run(self) -> Finished:
        with self._interrupts, Guardian(marker := new_marker()) as guardian:
            self._progress.phase(f"starting {' '.join(self._record.command)}")
            app = None
            try:
                with self._interrupts.deferred():
                    app = App.start(
                        self._options.command,
                        self._folder.app_log,
                        environment(self._folder.path),
                        marker,
                    )
                    guardian.watch(app.pid)
                with self._sampler or contextlib.nullcontext():
                    self._measure(app, guardian)
            except BaseException:
                if app is not None:
                    self._stop(app)
                # What went wrong is worth more than that it could not be stored.
                with contextlib.suppress(UserError):
                    self._folder.write(self._record.as_json())
                raise
            self._stop(app)
            self._folder.write(self._record.as_json())
        self._progress.note(f"all that was recorded is in {self._folder.path}")
        return Finished(self._folder, app_died=self._died is not None)

    def _stop(self, app: App) -> None:
        self._progress.phase("stopping the app")
        self._record.ended(app.stop())

    def _measure(self, app: App, guardian: Guardian) -> None:
        self._progress.phase("waiting for the app to answer")
        address = wait_until_ready(app, self._options.start_timeout_s, self._options.port)
        self._record.port = address.port
        self._progress.note(f"the app answers at {address.base_url}")
        if address.others:
            others = ", ".join(address.others)
            self._record.notes.append(
                f"{address.base_url} was driven; the app also answers at {others} (see --port)."
            )
        if self._traffic is None:
            plan = Plan(kind=NONE)
            driven = self._watch(app, address, guardian)
        else:
            self._progress.phase("finding out what to send")
            plan = self._plan(app, address, self._traffic)
            self._record.traffic.update(plan.as_json())
            driven = self._drive(app, address, plan, guardian)
        self._keep_samples()
        self._conclude(app, plan, driven)
        # What was measured outlives a Ctrl-C while the app stops.
        self._folder.write(self._record.as_json())

    def _plan(self, app: App, address: Address, traffic: Source) -> Plan:
        try:
            return traffic.plan(address.base_url, self._options.headers)
        except UserError:
            if not app.is_alive():
                raise _death(app, "While it was asked what to send") from None
            raise

    def _drive(self, app: App, address: Address, plan: Plan, guardian: Guardian) -> Driven:
        options = self._options
        self._progress.phase(
            f"driving it with {options.users} users for {options.driven_s:g} s "
            f"after {options.warmup_s:g} s of warm-up"
        )
        job = Job(
            base_url=address.base_url,
            users=options.users,
            warmup_s=options.warmup_s,
            duration_s=options.driven_s,
            client_csv=str(self._folder.client_csv.absolute()),
            plan=plan,
            headers=options.headers,
            rate=options.rate,
        )

        def on_tick(tick: Tick) -> None:
            phase_s = options.warmup_s if tick.phase == "warmup" else options.driven_s
            self._progress.tick(tick, phase_s)
            if tick.phase == "drive":
                self._sample(app, guardian)

        with self._interrupts.held():
            driven = drive(
                job,
                self._folder.traffic_log,
                on_tick,
                should_stop=lambda: self._reason_to_stop(app),
                on_start=guardian.watch,
            )
        if driven.start_ns is None and self._died is None:
            raise KeyboardInterrupt
        return driven

    def _watch(self, app: App, address: Address, guardian: Guardian) -> Driven:
        """Wait while the user clicks."""
        seconds = self._options.duration_s
        self._folder.write_file(self._folder.client_csv, ",".join(client_log.COLUMNS) + "\n")
        until = "press Ctrl-C" if seconds is None else f"wait {seconds:g} s, or press Ctrl-C,"
        self._progress.note(f"use the app at {address.base_url}, then {until} for the report")
        self._progress.phase("recording")
        start_ns = time.perf_counter_ns()
        with self._interrupts.held():
            self._sample(app, guardian)
            while (reason := self._reason_to_stop(app)) is None:
                if seconds is not None and time.perf_counter_ns() - start_ns >= seconds * 1e9:
                    break
                time.sleep(POLL_S)
        ended_early = None if reason == INTERRUPTED else reason
        return Driven(start_ns, time.perf_counter_ns(), ended_early)

    def _sample(self, app: App, guardian: Guardian) -> None:
        """Let py-spy sample from now on, if that was asked for and it does not yet."""
        if self._sampler is not None and not self._sampling:
            self._sampling = True
            self._sampler.start(app.pid, guardian.watch)

    def _keep_samples(self) -> None:
        """Put what py-spy sampled into the run's folder, or why it did not into the record."""
        if self._sampler is None:
            return
        self._progress.phase("keeping what py-spy sampled")
        self._record.py_spy = told = self._sampler.stop()
        if "trouble" in told:
            self._record.notes.append(told["trouble"])
            self._progress.note(told["trouble"])

    def _reason_to_stop(self, app: App) -> str | None:
        if not app.is_alive():
            self._died = f"the app died by itself ({app.exit('died')})"
            return self._died
        return INTERRUPTED if self._interrupts.noted else None

    def _conclude(self, app: App, plan: Plan, driven: Driven) -> None:
        """Put the window and what is to be said about it into the record."""
        if driven.start_ns is None or driven.end_ns is None:
            raise _death(app, "During the warm-up")
        self._record.window = {"start_ns": driven.start_ns, "end_ns": driven.end_ns}
        if driven.ended_early:
            after_s = (driven.end_ns - driven.start_ns) / 1e9
            self._record.notes.append(
                f"The run ended early, {after_s:.1f} s into the measured time: "
                f"{driven.ended_early}."
            )
        if self._traffic is not None:
            summary = client_log.summarise(self._folder.client_csv, driven.start_ns, driven.end_ns)
            self._record.notes += verdict.notes(summary, plan, driven)
            self._progress.note(
                f"{summary.requests} requests in {summary.seconds:.1f} s, "
                f"{summary.error_rate:.1%} errors, p95 {summary.p95_ms:.0f} ms"
            )


def _death(app: App, when: str) -> UserError:
    return UserError(
        f"{when} the app died by itself ({app.exit('died')}). Its last words:",
        f"{app.last_words() or '(none)'}\n\nAll of them: {app.log}",
    )
