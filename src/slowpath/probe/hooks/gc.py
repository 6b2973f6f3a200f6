"""Garbage collections, which stop whatever line they happen in, or the loop between two."""

import gc
import sys
from typing import Any, Dict

from slowpath.probe import core, wire
from slowpath.probe.core import Here, Line, local, now, record
from slowpath.probe.hook import Hook

_GC = wire.SPAN_KINDS["gc"]


class GcHook(Hook):
    """The interpreter's own callbacks around a collection."""

    name = "gc"
    module = "gc"

    def __init__(self) -> None:
        super().__init__()
        self._started = 0

    def install(self, module: Any) -> None:
        gc.callbacks.append(self.collecting)

    def uninstall(self) -> None:
        """Leave the list of callbacks."""
        if self.collecting in gc.callbacks:
            gc.callbacks.remove(self.collecting)
        super().uninstall()

    def collecting(self, phase: str, info: Dict[str, int]) -> None:
        """Time a collection; short ones stay part of the code they happened in."""
        # No two collections run at once, so one start is enough.
        if phase == "start":
            self._started = now()
            return
        started, ended = self._started, now()
        here = local.here
        if not self.enabled or ended - started < core.FLOOR_NS:
            return
        try:
            if here.line is None and not runs_lines(here):
                return
            # It may have been set off by C code at the bottom of a greenlet, below any frame.
            site = core.own_site(sys._getframe().f_back)
            line = here.line or between_lines(here, site, started, ended)
            generation, collected = info.get("generation", -1), info.get("collected", -1)
            core.emit(_GC, line, started, ended, site, "", generation, collected)
        except Exception as exc:
            self.failed(exc)


def runs_lines(here: Here) -> bool:
    """Tell whether a loop runs in a thread, which must be the running one, and has run lines."""
    asyncio: Any = sys.modules.get("asyncio")
    return (
        core.watched.get(here.ident) is here
        and asyncio is not None
        and asyncio._get_running_loop() is not None
    )


def between_lines(here: Here, site: int, started: int, ended: int) -> Line:
    """Record that a thread was held though it ran no line, and return a line that stands for it.

    Callbacks of the loop (a driver that decodes rows as they come in) run in no task; a collection
    that they set off keeps all of these waiting.
    """
    line = Line(None)
    line.paused = started
    spent = ended - started
    record(wire.SLICE, 0, here.number, line.id, 0, 0, started, ended, spent, spent)
    record(wire.LINE, 0, 0, line.id, site, 0, started, 0, 0, -1)
    return line


HOOKS = (GcHook,)
