"""Who sends requests: users who wait for answers, or a stream that does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from slowpath.simulate.engine import Engine, Script
from slowpath.simulate.system import Way


class Draw(Protocol):
    """Chooses what the next request does."""

    def __call__(self) -> tuple[Script, int, Way]:
        """Return a script, its kind, and its way."""


@dataclass
class Closed:
    """Users that think, ask, wait for the answer, and begin again.

    Attributes:
        think_ns: returns a think time.
        first_ns: by when all users have begun; spread evenly.
        last_ns: nobody begins anew from then on.
    """

    users: int
    draw: Draw
    think_ns: Callable[[], int]
    first_ns: int = 0
    last_ns: int = 1 << 62

    def begin(self, engine: Engine) -> None:
        for user in range(self.users):
            at = self.first_ns * user // self.users if self.first_ns else 0
            self._ask(engine, at, user)

    def answered(self, engine: Engine, user: int) -> None:
        self._ask(engine, engine.now + self.think_ns(), user)

    def _ask(self, engine: Engine, at_ns: int, user: int) -> None:
        if at_ns >= self.last_ns:
            return
        script, kind, way = self.draw()
        engine.send(at_ns, script, kind, user, way)


@dataclass
class Open:
    """Requests that come whether or not the earlier ones are answered.

    Attributes:
        gap_ns: returns the time to the next request.
        most: how many are sent at all.
        last_ns: none is sent from then on.
    """

    draw: Draw
    gap_ns: Callable[[], int]
    most: int = 1 << 60
    last_ns: int = 1 << 62
    sent: int = 0

    def begin(self, engine: Engine) -> None:
        engine.at(self.gap_ns(), self)

    def fire(self, engine: Engine) -> None:
        """Send one, and arrange for the next."""
        if self.sent >= self.most or engine.now >= self.last_ns:
            return
        self.sent += 1
        script, kind, way = self.draw()
        engine.send(engine.now, script, kind, -1, way)
        engine.at(engine.now + self.gap_ns(), self)

    def answered(self, engine: Engine, user: int) -> None:
        pass
