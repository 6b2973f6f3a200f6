"""What the user asked for, checked."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slowpath.errors import UserError
from slowpath.traffic.sources import NONE

DEFAULT_DURATION_S = 30.0


@dataclass(frozen=True, slots=True)
class Options:
    """Everything that `slowpath run` is told.

    Attributes:
        command: what starts the app.
        traffic: as in `--traffic`.
        duration_s: of the measured part; None is 30 s, or until Ctrl-C without traffic.
        rate: requests per second over all users; None for a closed loop.
        headers: sent with every request; kept out of everything that is written.
        py_spy: let py-spy sample the stacks of the app's threads as well.
        cured: which findings of which run were cured for this one, if slowpath did that.
    """

    command: tuple[str, ...]
    traffic: str = "openapi"
    users: int = 100
    duration_s: float | None = None
    warmup_s: float = 3.0
    rate: float | None = None
    headers: dict[str, str] = field(default_factory=dict)
    name: str | None = None
    port: int | None = None
    start_timeout_s: float = 60.0
    runs: Path | None = None
    py_spy: bool = False
    cured: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if not self.command or not self.command[0].strip():
            raise UserError(
                "Give the command that starts your app, "
                "for instance: slowpath run -- uvicorn main:app"
            )
        if self.users < 1:
            raise UserError(f"--users must be at least 1, not {self.users}.")
        if self.duration_s is not None and self.duration_s <= 0:
            raise UserError("--duration must be more than 0.")
        if self.rate is not None and self.rate <= 0:
            raise UserError(f"--rate must be more than 0, not {self.rate:g}.")
        if self.rate is not None and self.traffic.partition(":")[0] in ("locust", "none"):
            raise UserError("--rate goes with openapi, har and url traffic only.")
        if self.port is not None and not 0 < self.port < 65536:
            raise UserError(f"--port must lie between 1 and 65535, not {self.port}.")

    @property
    def is_driven(self) -> bool:
        """Whether slowpath sends the traffic, and not the user."""
        return self.traffic != NONE

    @property
    def driven_s(self) -> float:
        """The measured part of driven traffic."""
        return DEFAULT_DURATION_S if self.duration_s is None else self.duration_s


def parse_seconds(option: str, text: str) -> float:
    """Read `30s`, `1.5m`, `1h`, `500ms` or a plain number of seconds.

    Raises:
        UserError: it is none of these; `option` names it.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|min|h)?", text.strip())
    if not match:
        raise UserError(f"{option} does not understand {text!r}; write 30s, 1.5m or 500ms.")
    unit = {"ms": 0.001, "s": 1, None: 1, "m": 60, "min": 60, "h": 3600}[match[2]]
    return float(match[1]) * unit


def parse_headers(lines: Iterable[str]) -> dict[str, str]:
    """Read headers written as `Name: value`.

    Raises:
        UserError: one is not; the message does not repeat it, since it may be a secret.
    """
    headers = {}
    for number, line in enumerate(lines, start=1):
        name, colon, value = line.partition(":")
        if not colon or not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name.strip()):
            raise UserError(f"--header number {number} is not of the form 'Name: value'.")
        if re.search(r"[^\t\x20-\x7e\x80-\xff]", value):
            raise UserError(
                f"The value of --header {name.strip()} holds a character that none may hold."
            )
        headers[name.strip()] = value.strip()
    return headers
