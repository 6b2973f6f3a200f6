"""What the user sees while a run goes on; all of it on stderr, since the report owns stdout."""

from __future__ import annotations

import sys
from typing import Protocol, TextIO

from rich.console import Console
from rich.markup import escape

from slowpath.traffic.job import Tick


class Progress(Protocol):
    """Shows how far a run is."""

    def phase(self, text: str) -> None:
        """Tell what is done now."""

    def share(self, text: str, share: float) -> None:
        """Tell how much of a phase is done, 0 to 1."""

    def tick(self, tick: Tick, phase_s: float) -> None:
        """Tell how the traffic goes; `phase_s` is how long its phase will take."""

    def note(self, text: str) -> None:
        """Tell something that should stay on the screen."""

    def close(self) -> None:
        """Leave the screen to others."""


class PlainProgress:
    """A few lines, for pipes and logs."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr

    def phase(self, text: str) -> None:
        self.note(text)

    def share(self, text: str, share: float) -> None:
        pass

    def tick(self, tick: Tick, phase_s: float) -> None:
        pass

    def note(self, text: str) -> None:
        print(f"slowpath: {text}", file=self._stream, flush=True)

    def close(self) -> None:
        pass


class TerminalProgress:
    """One line that changes, and the notes above it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = console.status("")
        self._status.start()

    def phase(self, text: str) -> None:
        self._status.update(escape(text))

    def share(self, text: str, share: float) -> None:
        self.phase(f"{text}, {share:.0%}")

    def tick(self, tick: Tick, phase_s: float) -> None:
        self._status.update(escape(describe(tick, phase_s)))

    def note(self, text: str) -> None:
        self._console.print(escape(text), highlight=False)

    def close(self) -> None:
        self._status.stop()


def describe(tick: Tick, phase_s: float) -> str:
    """The traffic of this moment, within 80 columns."""
    what = "warming up" if tick.phase == "warmup" else "driving"
    left_s = max(0.0, phase_s - tick.elapsed_s)
    errors = f"{tick.failed / tick.requests:.0%} errors" if tick.failed else "no errors"
    return (
        f"{what}: {tick.users} users, {tick.rps:.0f}/s, p95 {tick.p95_ms:.0f} ms, "
        f"{errors}, {left_s:.0f} s to go"
    )


def for_this_terminal() -> Progress:
    """The display that suits where stderr goes."""
    console = Console(stderr=True)
    return TerminalProgress(console) if console.is_terminal else PlainProgress()
