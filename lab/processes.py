"""Servers as children that always end: with their block, and with this process if it is killed."""

from __future__ import annotations

import importlib.util
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

WATCHDOG = Path(__file__).with_name("watchdog.py")
LOG_TAIL_LINES = 15
INSTALL_HINT = "install the lab's parts with: pip install 'slowpath[lab]'"


class ServiceError(Exception):
    """A service of the lab is missing or did not start; the text is meant for the user."""


@dataclass(frozen=True)
class Identity:
    """The user that a server runs as, where that is not the user of this process."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Child:
    """A server that runs, under its watchdog.

    Attributes:
        pid: process id of the server itself, not of the watchdog.
        log: file with the server's standard output and error; gone when the server's block ends.
    """

    name: str
    pid: int
    log: Path
    _reports: IO[bytes]

    def has_ended(self) -> bool:
        """Whether the server has stopped by itself."""
        return bool(select.select([self._reports], [], [], 0)[0])

    def log_tail(self) -> str:
        """The last lines that the server wrote."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-LOG_TAIL_LINES:])


@contextmanager
def child(
    name: str,
    command: Sequence[str],
    *,
    folder: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    identity: Identity | None = None,
    stop_signal: int = signal.SIGTERM,
    grace_s: float = 10.0,
) -> Iterator[Child]:
    """Run a server until the block ends.

    Args:
        name: what messages call it.
        folder: the server's own folder; holds its log, and is removed after it has stopped.
        env: variables set on top of this process's own.
        cwd: working directory, by default this process's own.
        stop_signal: what asks the server to stop gently.
        grace_s: seconds it has for that before it is killed.

    Raises:
        ServiceError: the command could not be run.
    """
    log = folder / "server.log"
    spec = {
        "command": list(command),
        "log": str(log),
        "cwd": str(cwd) if cwd else None,
        "folder": str(folder),
        "identity": (
            {"user": identity.uid, "group": identity.gid, "extra_groups": []} if identity else {}
        ),
        "stop_signal": int(stop_signal),
        "grace_s": grace_s,
    }
    watchdog = subprocess.Popen(
        # Isolated and without site, so that neither the environment nor a probe reaches it.
        [sys.executable, "-I", "-S", str(WATCHDOG), json.dumps(spec)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **(env or {})},
        start_new_session=True,
        bufsize=0,
    )
    assert watchdog.stdin is not None
    assert watchdog.stdout is not None
    try:
        kind, _, value = watchdog.stdout.readline().decode().strip().partition(" ")
        if kind != "pid":
            raise ServiceError(f"{name} could not be started: {value or 'its watchdog failed'}")
        yield Child(name, int(value), log, watchdog.stdout)
    finally:
        watchdog.stdin.close()
        watchdog.wait()
        watchdog.stdout.close()


def wait_until(
    ready: Callable[[], bool], server: Child, *, timeout_s: float = 30.0, interval_s: float = 0.01
) -> None:
    """Return as soon as `ready()` holds.

    Raises:
        ServiceError: the server ended, or was not ready in time; with the tail of its log.
    """
    deadline = time.monotonic() + timeout_s
    while not ready():
        if server.has_ended():
            raise ServiceError(f"{server.name} ended while starting:\n{server.log_tail()}")
        if time.monotonic() > deadline:
            raise ServiceError(
                f"{server.name} was not ready after {timeout_s:.0f} s:\n{server.log_tail()}"
            )
        time.sleep(interval_s)


@contextmanager
def scratch_folder(name: str, owner: Identity | None = None) -> Iterator[Path]:
    """A folder of one's own in the temporary directory, removed when the block ends."""
    folder = Path(tempfile.mkdtemp(prefix=f"slowpath-{name}-"))
    try:
        if owner:
            os.chown(folder, owner.uid, owner.gid)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A port on 127.0.0.1 that nobody else is given for the next minute.

    A used connection stays in TIME_WAIT, and the kernel hands out no such port by itself, yet a
    server may bind it, since servers set SO_REUSEADDR.
    """
    with socket.socket() as listener, socket.socket() as caller:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        caller.connect(listener.getsockname())
        listener.accept()[0].close()  # closing first is what keeps the state on this side
        return int(listener.getsockname()[1])


def package_folder(package: str, part: str) -> Path:
    """Where an installed package is, without importing it.

    Raises:
        ServiceError: it is not installed, so the lab lacks `part`.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ServiceError(f"{part} is missing (package {package}); {INSTALL_HINT}")
    return Path(spec.origin).parent
