"""The app under the probe: started, watched, stopped."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from slowpath.errors import UserError
from slowpath.recording.folder import cannot_write
from slowpath.run import processes

PATIENCE_S = 10.0
"""How long an app may take to stop in order; connections close and lifespans end in this time."""


@dataclass(frozen=True, slots=True)
class Exit:
    """How the app ended.

    Attributes:
        code: exit code of the command, None if a signal ended it.
        signal: name of the signal that ended it.
        how: `stopped` when asked to, `killed` when it did not listen, `died` by itself.
    """

    code: int | None
    signal: str | None
    how: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        return f"signal {self.signal}" if self.signal else f"exit code {self.code}"


class App:
    """A running command, in a session of its own, with all that it forked."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, marker: str) -> None:
        self._process = process
        self._marker = marker
        self.log = log

    @classmethod
    def start(
        cls, command: Sequence[str], log: Path, environment: Mapping[str, str], marker: str
    ) -> App:
        """Start the command; its output goes to `log`.

        Args:
            environment: what is added to our own environment.
            marker: unlike that of any other run; put into the environment as well.

        Raises:
            UserError: there is no such command, or it cannot be executed.
        """
        try:
            output = log.open("wb")
        except OSError as exc:
            raise cannot_write(log.parent, exc) from exc
        try:
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment, processes.MARKER_VARIABLE: marker},
                start_new_session=True,
            )
        except (OSError, ValueError) as exc:
            why = exc.strerror if isinstance(exc, OSError) else exc
            raise UserError(f"The command {command[0]!r} could not be started: {why}.") from exc
        finally:
            output.close()
        return cls(process, log, marker)

    @property
    def pid(self) -> int:
        """Of the command itself, which leads its session."""
        return self._process.pid

    def processes(self) -> list[psutil.Process]:
        """The living processes of the app; a daemon, which left the session, is found as well."""
        if self._process.poll() is None:
            return processes.of_session(self.pid)
        return processes.of_run(self._marker, [self.pid])

    def is_alive(self) -> bool:
        """Whether the command, or anything it left running, is there."""
        return self._process.poll() is None or bool(self.processes())

    def exit(self, how: str) -> Exit:
        """How the command ended, to be asked after it did."""
        code = self._process.poll()
        if code is not None and code < 0:
            return Exit(None, signal.Signals(-code).name, how)
        return Exit(code, None, how)

    def last_words(self, lines: int = 20) -> str:
        """The end of what the app wrote to its output."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - 64 * 1024))
                tail = log.read().decode("utf-8", "replace").splitlines()[-lines:]
        except OSError:
            return ""
        return "\n".join(tail)

    def stop(self, patience_s: float = PATIENCE_S) -> Exit:
        """Ask the app to stop, insist, and in the end kill it, with all it started.

        Also when interrupted: then what is left is killed at once.
        """
        how = "died"
        try:
            if self.is_alive():
                how = "stopped"
                self._ask()
                if not processes.wait_gone(self._everything, patience_s):
                    how = "killed"
                    processes.send(signal.SIGTERM, self._everything())
                    processes.wait_gone(self._everything, min(2.0, patience_s))
        finally:
            processes.kill(self._everything)
            self._process.wait()
        return self.exit(how)

    def _ask(self) -> None:
        if self._process.poll() is None and processes.gentle_signal(self.pid) is signal.SIGTERM:
            self._process.send_signal(signal.SIGTERM)
            return
        # Not a server that would pass it on: a shell, or a program that knows Ctrl-C alone,
        # which a terminal sends to all. A shell would die of it and orphan the rest.
        everything = self._everything()
        for process in everything:
            signum = processes.gentle_signal(process.pid)
            if signum is None and process.pid == self.pid and len(everything) > 1:
                continue
            processes.send(signum or signal.SIGTERM, [process])

    def _everything(self) -> list[psutil.Process]:
        self._process.poll()  # Reaps the leader, which would stay a zombie.
        return processes.of_run(self._marker, [self.pid])


def new_marker() -> str:
    """A value by which the processes of one run are told from all others."""
    return secrets.token_hex(8)
