"""py-spy beside the app: samples the stacks of all its threads from outside, while it is driven."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sysconfig
from pathlib import Path
from types import TracebackType
from typing import Any

from slowpath.errors import UserError
from slowpath.recording.folder import RunFolder, cannot_write
from slowpath.report.stacks import RATE, anonymous
from slowpath.report.words import clean, shorten

#: How long it may take to write what it sampled.
PATIENCE_S = 20.0
#: How long it may take to say that it may not attach.
REFUSAL_S = 5.0


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


class PySpy:
    """py-spy from `start` to `stop`; as a context manager it leaves no process behind.

    What goes wrong is told by `stop`, and never costs the run.
    """

    def __init__(self, program: str, folder: RunFolder) -> None:
        self._program = program
        self._folder = folder
        self._raw = folder.path / "stacks.raw"
        self._log = folder.path / "py-spy.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = 0

    def __enter__(self) -> PySpy:
        return self

    def start(self, pid: int) -> int:
        """Sample a process and all it starts; returns py-spy's own number, which leads a session.

        Raises:
            UserError: the run's folder cannot be written to.
        """
        command = [
            *(self._program, "record", "--pid", str(pid), "--subprocesses"),
            # The app is paused for each look: without that a third of the stacks are torn.
            *("--full-filenames", "--rate", str(RATE)),
            *("--format", "raw", "--output", str(self._raw), "--duration", "unlimited"),
        ]
        self._pid = pid
        try:
            log = self._log.open("wb")
        except OSError as exc:
            raise cannot_write(self._folder.path, exc) from exc
        with log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for slowpath, which then stops py-spy.
                start_new_session=True,
            )
        return self._process.pid

    def stop(self) -> dict[str, Any]:
        """End the sampling and keep what was sampled, without the processes' command lines.

        Returns:
            For `run.json`: `samples`, `rate` (a second), and `trouble`, a sentence, where there
            are none.
        """
        told: dict[str, Any] = {"samples": 0, "rate": RATE}
        process = self._process
        if process is None:
            return told | {"trouble": "py-spy sampled nothing: the measured time never began."}
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        try:
            code = process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._end()
            return told | {"trouble": f"py-spy did not end within {PATIENCE_S:g} s."}
        text = anonymous(_read(self._raw))
        self._raw.unlink(missing_ok=True)
        if not text:
            return told | {"trouble": trouble(self._refusal() + _read(self._log), code)}
        self._folder.write_file(self._folder.stacks_txt, text)
        told["samples"] = sum(int(line.rpartition(" ")[2]) for line in text.splitlines())
        return told

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()
        # It names command lines.
        self._raw.unlink(missing_ok=True)

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

    def _end(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            self._process.wait()


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
