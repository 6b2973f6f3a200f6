"""Ctrl-C and SIGTERM while an app of ours is running."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any, NoReturn


class Interrupts:
    """Turns signals into exceptions, so that every `finally` runs; a context manager.

    Inside `held`, the first Ctrl-C is only noted: the traffic ends early and the report comes.
    Inside `deferred`, any signal waits for the end of the block.
    """

    def __init__(self) -> None:
        self.noted = False
        self._holding = False
        self._deferring = False
        self._deferred: int | None = None
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupts:
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._previous[signum] = signal.signal(signum, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Note the first Ctrl-C instead of raising; the second one raises."""
        self._holding = True
        try:
            yield
        finally:
            self._holding = False

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Let nothing come between the start of a process and knowing that it was started."""
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False
        if self._deferred is not None:
            self._raise(self._deferred)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self._deferring:
            self._deferred = signum
        elif signum == signal.SIGINT and self._holding and not self.noted:
            self.noted = True
        else:
            self._raise(signum)

    def _raise(self, signum: int) -> NoReturn:
        raise KeyboardInterrupt if signum == signal.SIGINT else SystemExit(128 + signum)
