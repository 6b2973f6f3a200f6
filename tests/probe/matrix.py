"""Runs the tests of hooks against other releases of their libraries and other Pythons.

    python -m tests.probe.matrix                 # all rows
    python -m tests.probe.matrix redis httpx     # the rows of some test files

Each row gets a throw-away environment, where the probe is on the path but nothing else of
slowpath is installed. Servers that a test needs are started here and told by address.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Row:
    """One environment: what is installed beside pytest, and the test files that run in it.

    Attributes:
        tests: names of `hooks/test_<name>.py`.
        requirements: as pip takes them.
        python: version of the interpreter; empty for the one that runs this.
    """

    tests: tuple[str, ...]
    requirements: tuple[str, ...]
    python: str = ""

    @property
    def title(self) -> str:
        return f"{self.python or 'python'}: {' '.join(self.requirements) or 'standard library'}"


ROWS = (
    Row(("httpx",), ("httpx==0.24.1", "httpcore==0.17.3", "anyio==3.7.1")),
    Row(("httpx",), ("httpx==0.27.0", "httpcore==1.0.5", "anyio==4.3.0")),
    Row(("httpx",), ("httpx==0.28.1", "httpcore==1.0.9"), "3.13"),
    Row(("threads", "locks"), ("anyio==3.7.1", "uvloop"), "3.10"),
    Row(("threads", "locks"), ("anyio==4.0.0", "uvloop"), "3.10"),
    Row(("threads", "locks"), ("anyio==4.4.0", "uvloop"), "3.12"),
    Row(("threads", "locks"), ("anyio==4.6.0", "uvloop")),
    Row(("threads", "locks", "sleep", "gc"), ("anyio", "uvloop"), "3.13"),
    Row(("sleep", "gc"), (), "3.10"),
    Row(("redis",), ("redis==4.6.0",)),
    Row(("redis",), ("redis==5.0.8",), "3.10"),
    Row(("redis",), ("redis==5.2.1",)),
    Row(("redis",), ("redis==6.4.0",), "3.12"),
    Row(("redis",), ("redis==7.1.0",), "3.13"),
    Row(("aiohttp",), ("aiohttp==3.9.5",)),
    Row(("aiohttp",), ("aiohttp==3.10.11",), "3.10"),
    Row(("aiohttp",), ("aiohttp==3.11.18",), "3.12"),
    Row(("aiohttp",), ("aiohttp",), "3.13"),
    Row(("requests",), ("requests==2.28.2", "urllib3==1.26.20")),
    Row(("requests",), ("requests==2.31.0", "urllib3==2.0.7"), "3.10"),
    Row(("requests",), ("requests", "urllib3"), "3.13"),
    Row(
        ("sqlalchemy", "asyncpg", "psycopg", "psycopg2", "sqlite"),
        (
            *("sqlalchemy[asyncio]==2.0.0", "asyncpg==0.27.0", "aiosqlite==0.18.0"),
            *("psycopg[binary]==3.1.8", "psycopg-pool==3.1.5", "psycopg2-binary==2.9.5"),
        ),
        "3.10",
    ),
    Row(
        ("sqlalchemy", "asyncpg", "psycopg", "psycopg2", "sqlite"),
        (
            *("sqlalchemy[asyncio]==2.0.30", "asyncpg==0.29.0", "aiosqlite==0.20.0"),
            *("psycopg[binary]==3.1.19", "psycopg-pool==3.2.2", "psycopg2-binary==2.9.9"),
        ),
    ),
    Row(
        ("sqlalchemy", "asyncpg", "psycopg", "psycopg2", "sqlite"),
        (
            *("sqlalchemy[asyncio]==2.0.44", "asyncpg==0.30.0", "aiosqlite==0.21.0"),
            *("psycopg[binary]==3.2.10", "psycopg-pool==3.2.6", "psycopg2-binary==2.9.10"),
        ),
        "3.12",
    ),
    Row(
        ("sqlalchemy", "asyncpg", "psycopg", "psycopg2", "sqlite"),
        ("sqlalchemy[asyncio]", "asyncpg", "aiosqlite", "psycopg[binary,pool]", "psycopg2-binary"),
        "3.13",
    ),
)


def interpreter(version: str) -> str | None:
    """Return the path of a Python of this version, if there is one here."""
    if not version or f"{sys.version_info.major}.{sys.version_info.minor}" == version:
        return sys.executable
    for candidate in sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python")):
        return str(candidate)
    return shutil.which(f"python{version}")


def run(row: Row, environment: dict[str, str]) -> str:
    """Return what came of one row, in a few words."""
    python = interpreter(row.python)
    if python is None:
        return f"skipped: no Python {row.python} here"
    with tempfile.TemporaryDirectory(prefix="slowpath-matrix-") as folder:
        subprocess.run([python, "-m", "venv", folder], check=True)
        inside = str(Path(folder, "bin", "python"))
        install = [inside, "-m", "pip", "install", "-q", "pytest", *row.requirements]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"not installed: {done.stderr.strip().splitlines()[-1]}"
        files = [f"tests/probe/hooks/test_{name}.py" for name in row.tests]
        done = subprocess.run(
            [inside, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files],
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    lines = done.stdout.strip().splitlines()
    failures = [line for line in lines if line.startswith(("FAILED", "ERROR", "E  ", "SKIPPED"))]
    return "\n    ".join([lines[-1] if lines else done.stderr[-300:], *failures[:20]])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the rows and tell each result as it comes."""
    parser = argparse.ArgumentParser(description="Test the hooks against other releases.")
    parser.add_argument("tests", nargs="*", help="only rows with one of these test files")
    chosen = set(parser.parse_args(argv).tests)
    rows = [row for row in ROWS if not chosen or chosen & set(row.tests)]
    failed = False
    with ExitStack() as services:
        environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY / 'src'}{os.pathsep}{REPOSITORY}"}
        if any("redis" in row.tests for row in rows):
            from lab.services import redis

            environment["SLOWPATH_TEST_REDIS"] = services.enter_context(redis()).url
        if any({"sqlalchemy", "asyncpg", "psycopg", "psycopg2"} & set(row.tests) for row in rows):
            from lab.services import postgres

            environment["SLOWPATH_TEST_POSTGRES"] = services.enter_context(postgres()).url
        for row in rows:
            result = run(row, environment)
            failed |= " passed" not in result or " failed" in result or " error" in result
            print(f"{row.title}\n    {result}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
