"""Applications from PyPI that nobody here wrote: how each is installed, filled and started."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

Headers = dict[str, str]


@dataclass(frozen=True)
class Place:
    """Where one server of an app lives.

    Attributes:
        venv: the app's own environment.
        home: its data, a folder of its own.
        port: where it shall answer, on 127.0.0.1.
    """

    venv: Path
    home: Path
    port: int

    def tool(self, name: str) -> str:
        """Return the path of a command that the app's environment has."""
        return str(self.venv / "bin" / name)

    @property
    def packages(self) -> Path:
        """The folder that the app's packages are installed in."""
        return next((self.venv / "lib").glob("python3*/site-packages"))

    @property
    def url(self) -> str:
        """The address of the server, without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True)
class App:
    """One application.

    Attributes:
        name: as on the command line and on the page.
        requirements: what pip installs, pinned to what was read for the verdicts.
        command: what starts it.
        env: variables that it needs on top of the present ones.
        cwd: its working directory; by default its home.
        prepare: makes data before the first start.
        fill: makes data through the API of a running server; returns headers for all traffic.
        ready: a path that answers once it serves.
        traffic: as `slowpath run --traffic` takes it.
        paths: GETs by which answers and throughputs are compared; by default one of each
            endpoint in the traffic.
    """

    name: str
    requirements: tuple[str, ...]
    command: Callable[[Place], list[str]]
    env: Callable[[Place], Mapping[str, str]] = field(default=lambda place: {})
    cwd: Callable[[Place], Path] = field(default=lambda place: place.home)
    prepare: Callable[[Path], None] = field(default=lambda home: None)
    fill: Callable[[httpx.Client], Headers] = field(default=lambda client: {})
    ready: str = "/"
    traffic: str = "openapi"
    paths: Callable[[httpx.Client], list[str]] | None = None
