"""Which TCP ports a set of processes listens on."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True, order=True)
class Listener:
    """A listening socket, by the address at which it is reached from here."""

    port: int
    host: str

    @property
    def address(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def listeners(processes: Iterable[psutil.Process]) -> list[Listener]:
    """All TCP sockets the processes listen on, in order of port, each once."""
    found = set()
    for process in processes:
        try:
            connections = process.net_connections("tcp")
        except (psutil.Error, OSError):
            continue
        for connection in connections:
            if connection.status == psutil.CONN_LISTEN and connection.laddr:
                found.add(Listener(connection.laddr.port, _reachable(connection.laddr.ip)))
    return sorted(found)


def is_taken(port: int) -> bool:
    """Whether something on this machine accepts connections on the port already."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def _reachable(ip: str) -> str:
    """A socket bound to all addresses is reached on the loopback one."""
    if ip in ("0.0.0.0", "::ffff:0.0.0.0"):
        return "127.0.0.1"
    return "::1" if ip == "::" else ip
