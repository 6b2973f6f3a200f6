"""What `run.json` tells about a run."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

from slowpath import __version__
from slowpath.run.launch import Exit
from slowpath.run.options import Options
from slowpath.run.redact import redact_command

VERSION = 1


@dataclass(slots=True)
class RunRecord:
    """The content of `run.json`, which grows as the run goes on; no secret is in it.

    Attributes:
        window: the measured part by `perf_counter_ns`; None until there was one.
        notes: sentences to show in the report.
        py_spy: what came of sampling with it, if that was asked for.
        cured: `run`, and `findings` of it that slowpath cured before this one.
    """

    name: str
    command: list[str]
    started: str
    python: str
    platform: str
    cpus: int
    git_revision: str | None
    slowpath: str
    traffic: dict[str, Any]
    window: dict[str, int] | None = None
    port: int | None = None
    exit: dict[str, Any] | None = None
    notes: list[str] = field(default_factory=list)
    py_spy: dict[str, Any] | None = None
    cured: dict[str, Any] | None = None

    @classmethod
    def begin(cls, options: Options) -> RunRecord:
        """The record of a run that starts now, on this machine."""
        return cls(
            name=options.name or name_of(options.command),
            command=redact_command(options.command),
            started=datetime.now(UTC).isoformat(),
            python=platform.python_version(),
            platform=platform.platform(),
            cpus=_usable_cpus(),
            git_revision=_git_revision(),
            slowpath=__version__,
            cured=options.cured,
            traffic={
                "kind": options.traffic.partition(":")[0],
                # To send it again; what a query string holds is nobody's to keep.
                "spec": "" if "?" in options.traffic else options.traffic,
                "users": options.users if options.is_driven else None,
                "duration_s": options.driven_s if options.is_driven else options.duration_s,
                "warmup_s": options.warmup_s if options.is_driven else 0.0,
                "rate": options.rate,
                "headers": sorted(options.headers),
            },
        )

    def ended(self, how: Exit) -> None:
        """Note how the app ended."""
        self.exit = how.as_json()

    def as_json(self) -> dict[str, Any]:
        return {"version": VERSION, **asdict(self)}


def name_of(command: tuple[str, ...]) -> str:
    """A short name for a run that was given none: the last plain word of `python -m uvicorn`."""
    words = [PurePath(word).name for word in command if not word.startswith("-")]
    named = [word for word in words if not word.startswith("python")]
    return (named or words or ["run"])[0].removesuffix(".py")


def _usable_cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _git_revision() -> str | None:
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None
