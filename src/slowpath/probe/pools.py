"""What is noted of a connection that a pool gives out: the two intervals of holding it."""

import itertools
from typing import List, Tuple

from slowpath.probe import core, wire
from slowpath.probe.core import Line, local, now

_CHECKOUT = wire.SPAN_KINDS["checkout"]
_TRANSACTION = wire.SPAN_KINDS["transaction"]
_numbers = itertools.count(1)


class Held:
    """A connection, and who holds it; only numbers, so that nothing of the app is kept alive.

    Attributes:
        number: its identity within the process.
        pool, capacity: text id of the pool's name, and its size with overflow (-1: no bound).
        line, since, site: the holder's id (0: nobody), when it was got (ns), and where.
        began, began_line, began_site: the same of the transaction in progress (0: none).
    """

    __slots__ = (
        "began",
        "began_line",
        "began_site",
        "capacity",
        "line",
        "number",
        "pool",
        "since",
        "site",
    )

    def __init__(self, pool: str, capacity: int) -> None:
        self.number = next(_numbers)
        self.pool = core.text(pool)
        self.capacity = capacity
        self.line = self.since = self.site = 0
        self.began = self.began_line = self.began_site = 0

    def take(self) -> List[Tuple[int, int, int, int]]:
        """End the holding; return what is to be told with `over` once the connection is back.

        To be called before it goes: another thread may have it at once.
        """
        intervals = [(_CHECKOUT, self.line, self.since, self.site)]
        if self.began:
            intervals.append((_TRANSACTION, self.began_line, self.began, self.began_site))
        self.line = self.since = self.began = 0
        return intervals

    def begin(self, line: Line, started: int, site: int) -> None:
        """Note that a transaction has begun."""
        self.began = started
        self.began_line = line.id
        self.began_site = site

    def end(self) -> None:
        """Record that the transaction is over, if there was one."""
        if self.began:
            self.over(_TRANSACTION, self.began_line, self.began, self.began_site)
            self.began = 0

    def over(self, code: int, line: int, since: int, site: int) -> None:
        """Record an interval that ends now."""
        # Others may end what a line began: a garbage collector, or its task's closing one.
        here = local.here
        running = here.line
        suspended = running is None or running.id != line or running.paused > since
        core.record(
            code,
            wire.SpanFlag.ASYNC if suspended else 0,
            here.number,
            line,
            site,
            self.pool,
            since,
            now(),
            self.number,
            self.capacity,
        )


def flag_of(exc: BaseException) -> int:
    """Return the span flag for a call that ended in `exc`."""
    return wire.SpanFlag.FAILED if isinstance(exc, Exception) else wire.SpanFlag.CANCELLED
