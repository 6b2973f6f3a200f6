"""Somebody's server under the injected probe, as `slowpath run` would start it.

with serving(folder, [python, "-m", "uvicorn", "sample:app", "--port", "{port}"]) as server:
    server.get("/gather")
recording = load(folder / "run")
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib import error, request

from slowpath.probe import boot

APPS = Path(__file__).parent / "apps"
PATIENCE_S = 30.0


class Server:
    """A running server.

    Attributes:
        output: what it printed, once it has ended.
    """

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self._log = log

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> bytes:
        """Ask for a path on a connection of its own; errors of HTTP are answers too."""
        asked = request.Request(f"http://127.0.0.1:{self.port}{path}", headers=dict(headers or {}))
        opener = request.build_opener(request.ProxyHandler({}))
        try:
            with opener.open(asked, timeout=PATIENCE_S) as answer:
                return bytes(answer.read())
        except error.HTTPError as exc:
            return exc.read()

    def wait_until_it_answers(self, path: str) -> None:
        until = time.monotonic() + PATIENCE_S
        while True:
            assert self.process.poll() is None, self.output
            try:
                self.get(path)
                return
            except OSError:
                assert time.monotonic() < until, f"no answer; {self.output}"
                time.sleep(0.05)


def environment(run: Path | None, **more: str) -> dict[str, str]:
    """The environment of an app that is recorded into `run`; as it is without one."""
    bare = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SLOWPATH", "PYTHON", "COV_", "VIRTUAL_ENV", "WEB_CONCURRENCY"))
    }
    made = bare | {"PYTHONPATH": str(APPS), **more}
    if run is not None:
        run.mkdir(parents=True, exist_ok=True)
        outer, os.environ["PYTHONPATH"] = os.environ.get("PYTHONPATH"), made["PYTHONPATH"]
        try:
            made |= boot.environment(run)
        finally:
            del os.environ["PYTHONPATH"]
            if outer is not None:
                os.environ["PYTHONPATH"] = outer
    return made


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(
    folder: Path,
    command: Sequence[str],
    *,
    ready: str = "/gather",
    probe: bool = True,
    env: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Start a server, wait until it answers, stop it with SIGTERM, and with all that it forked.

    Args:
        folder: the run is recorded into `run` there, and output goes to `output`.
        command: `{port}` in it becomes a free port.
    """
    port = free_port()
    log = folder / "output"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [part.replace("{port}", str(port)) for part in command],
            cwd=folder,
            env=environment(folder / "run" if probe else None, **(env or {})),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(process, port, log)
    try:
        server.wait_until_it_answers(ready)
        yield server
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()


def run_python(folder: Path, *arguments: str, python: str = sys.executable, **env: str) -> str:
    """Run a Python program under the probe to its end; return what it printed on both streams."""
    done = subprocess.run(
        [python, *arguments],
        cwd=folder,
        env=environment(folder / "run", **env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=PATIENCE_S,
        check=False,
    )
    text = done.stdout.decode(errors="replace")
    assert done.returncode == 0, text
    return text
