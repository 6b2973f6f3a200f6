"""py-spy beside the app: samples the stacks of all its threads from outside, while it is driven.

None of py-spy's formats tells when a stack was seen without counting the time in which its thread
was idle as well. So one py-spy after another samples a stretch of time each, and the ends of the
stretches are noted by the clock of the recording.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sysconfig
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from slowpath.errors import UserError
from slowpath.recording.folder import RunFolder, cannot_write
from slowpath.report.stacks import RATE, anonymous, count, heading
from slowpath.report.words import clean, shorten

#: How long it may take to write what it sampled.
PATIENCE_S = 20.0
#: How long it may take to say that it may not attach.
REFUSAL_S = 5.0
#: How long it may take from its start to its first sample; it says when that is.
READY_S = 5.0
READY = "Sampling"
POLL_S = 0.005
#: The shortest stretch, and into how many the time so far is divided when that would be longer:
#: the page divides a run into no more.
STRETCH_S, STRETCHES = 1.0, 60


def find() -> str:
    """Return where py-spy is.

    Raises:
        UserError: it is not installed.
    """
    # Beside our own interpreter first: a tool's environment is often not on the PATH.
    beside = shutil.which("py-spy", path=sysconfig.get_path("scripts"))
    found = beside or shutil.which("py-spy")
    if found is None:
        raise UserError(
            "--py-spy needs py-spy, which is not installed: pip install 'slowpath[py-spy]'."
        )
    return found


@dataclass
class _Sampler:
    """One py-spy: it samples from `start_ns` until it is told to end."""

    process: subprocess.Popen[bytes]
    raw: Path
    log: Path
    start_ns: int

    def samples(self) -> bool:
        """Tell whether it has said that it samples."""
        return READY in _read(self.log)

    def end(self) -> int:
        """Tell it to end and to write; returns a time until which it sampled."""
        now_ns = time.perf_counter_ns()  # on a busy machine it may have ended before we go on
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGINT)
        return now_ns

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        self.raw.unlink(missing_ok=True)  # it names command lines
        self.log.unlink(missing_ok=True)


class PySpy:
    """py-spy from `start` to `stop`; as a context manager it leaves no process behind.

    What goes wrong is told by `stop`, and never costs the run.
    """

    def __init__(self, program: str, folder: RunFolder) -> None:
        self._program = program
        self._folder = folder
        self._pid = 0
        self._watch: Callable[[int], None] = lambda pid: None
        self._started = 0
        self._current: _Sampler | None = None
        #: All that may run.
        self._left: list[_Sampler] = []
        self._stretches: list[tuple[int, int, str]] = []
        self._stopping = threading.Event()
        self._relay = threading.Thread(target=self._hand_on, name="py-spy", daemon=True)

    def __enter__(self) -> PySpy:
        return self

    def start(self, pid: int, watch: Callable[[int], None] = lambda pid: None) -> None:
        """Sample a process and all it starts.

        Args:
            watch: called with the number of each py-spy; it leads a session.

        Raises:
            UserError: the run's folder cannot be written to.
        """
        self._pid, self._watch = pid, watch
        self._current = self._launch()
        self._relay.start()

    def stop(self) -> dict[str, Any]:
        """End the sampling and keep what was sampled, without the processes' command lines.

        Returns:
            For `run.json`: `samples`, `rate` (a second), `stretch_s` (the longest, to which times
            are known), and `trouble`, a sentence, where there are none.
        """
        told: dict[str, Any] = {"samples": 0, "rate": RATE}
        self._stopping.set()
        if self._current is None:
            return told | {"trouble": "py-spy sampled nothing: the measured time never began."}
        self._relay.join()
        last = self._current
        code = self._keep(last, last.end())
        if code is None and not self._stretches:
            return told | {"trouble": f"py-spy did not end within {PATIENCE_S:g} s."}
        kept = [(start, end, text) for start, end, text in self._stretches if text]
        if not kept:
            return told | {"trouble": trouble(self._refusal() + _read(last.log), code or 0)}
        self._folder.write_file(
            self._folder.stacks_txt,
            "".join(heading(start, end) + text for start, end, text in kept),
        )
        told["samples"] = sum(count(text) for _, _, text in kept)
        told["stretch_s"] = round(max(end - start for start, end, _ in self._stretches) / 1e9, 1)
        return told

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping.set()
        # Twice: the relay may wait for one to end, or be about to start one more.
        self._kill()
        if self._relay.ident is not None:
            self._relay.join()
        self._kill()

    def _kill(self) -> None:
        for left in list(self._left):
            left.kill()

    def _launch(self) -> _Sampler:
        """Start one more py-spy.

        Raises:
            UserError: the run's folder cannot be written to.
        """
        self._started += 1
        raw = self._folder.path / f"stacks-{self._started}.raw"
        log_file = self._folder.path / f"py-spy-{self._started}.log"
        command = [
            *(self._program, "record", "--pid", str(self._pid), "--subprocesses"),
            # The app is paused for each look: without that a third of the stacks are torn.
            *("--full-filenames", "--rate", str(RATE)),
            *("--format", "raw", "--output", str(raw), "--duration", "unlimited"),
        ]
        try:
            log = log_file.open("wb")
        except OSError as exc:
            raise cannot_write(self._folder.path, exc) from exc
        with log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for slowpath, which then stops py-spy.
                start_new_session=True,
            )
        started = _Sampler(process, raw, log_file, time.perf_counter_ns())
        self._left.append(started)
        self._watch(process.pid)
        return started

    def _hand_on(self) -> None:
        """Let one py-spy follow another until the end.

        The next one samples before the one before ends, so that nothing is missed; for the few
        milliseconds between, both do.
        """
        first = self._current
        assert first is not None
        began_ns = first.start_ns = self._until_it_samples(first) or first.start_ns
        while True:
            so_far_s = (time.perf_counter_ns() - began_ns) / 1e9
            if self._stopping.wait(max(STRETCH_S, so_far_s / STRETCHES)):
                return
            before = self._current
            if before is None or before.process.poll() is not None:
                return
            try:
                following = self._launch()
            except (OSError, UserError):
                return  # the one that samples goes on to the end
            if self._until_it_samples(following) is None:
                following.kill()
                continue
            following.start_ns = end_ns = before.end()
            self._current = following
            if self._keep(before, end_ns) is None:
                return

    def _until_it_samples(self, sampler: _Sampler) -> int | None:
        """Wait until it says that it samples, and return when that was.

        None if it ended before, never said it, or is no longer wanted.
        """
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline and not self._stopping.is_set():
            if sampler.samples():
                return time.perf_counter_ns()
            if sampler.process.poll() is not None:
                return None
            time.sleep(POLL_S)
        return None

    def _keep(self, sampler: _Sampler, end_ns: int) -> int | None:
        """Wait until it has written, and keep that; returns its exit code, None if it hangs."""
        try:
            code = sampler.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            sampler.kill()
            return None
        self._left.remove(sampler)
        text = anonymous(_read(sampler.raw))
        self._stretches.append((sampler.start_ns, end_ns, text))
        sampler.raw.unlink(missing_ok=True)
        if text:
            sampler.log.unlink(missing_ok=True)
        return code

    def _refusal(self) -> str:
        """Return py-spy's words if it may not attach; `record` says only that it found nothing."""
        try:
            asked = subprocess.run(
                [self._program, "dump", "--pid", str(self._pid)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # stacks, and the command line
                stderr=subprocess.PIPE,
                timeout=REFUSAL_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        words = asked.stderr.decode("utf-8", "replace")
        return words if asked.returncode and _is_refusal(words) else ""


def trouble(words: str, code: int) -> str:
    """Say in a sentence why py-spy recorded nothing, from what it said itself."""
    if _is_refusal(words):
        return (
            "py-spy may not attach to the app, so there is no flame graph of all samples. "
            "Let it: run slowpath as root, give the container --cap-add SYS_PTRACE, or set "
            "kernel.yama.ptrace_scope to 0."
        )
    lines = [clean(line).strip() for line in words.splitlines()]
    said = [line for line in lines if line and not line.startswith("py-spy>")]
    if code == 0 or not said:
        return f"py-spy saw no thread of the app compute (exit code {code})."
    return f"py-spy recorded nothing: {shorten(said[0], 200)}"


def _is_refusal(words: str) -> bool:
    return any(one in words.lower() for one in ("permission denied", "operation not permitted"))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
