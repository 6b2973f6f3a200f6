"""Garbage collections, which stop whatever line they happen in."""

import gc
import sys
from typing import Any, Dict

from slowpath.probe import core, wire
from slowpath.probe.core import local, now
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
        ended = now()
        line = local.here.line
        if line is None or not self.enabled or ended - self._started < core.FLOOR_NS:
            return
        try:
            # It may have been set off by C code at the bottom of a greenlet, below any frame.
            site = core.own_site(sys._getframe().f_back)
            generation, collected = info.get("generation", -1), info.get("collected", -1)
            core.emit(_GC, line, self._started, ended, site, "", generation, collected)
        except Exception as exc:
            self.failed(exc)


HOOKS = (GcHook,)
