"""The probe: it sits in somebody's production process and writes down what requests do.

Pure standard library, Python 3.10 and later. `slowpath run` injects it; by hand:

    import slowpath.probe
    slowpath.probe.install()
"""

import atexit
import functools
import os
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Dict, List, Optional

from slowpath.probe import asgi, core, loop, watch
from slowpath.probe import hooks as hooks_package
from slowpath.probe.calibrate import calibrate
from slowpath.probe.hook import Hook, Importer

__all__ = ["install", "installed", "uninstall"]


class Probe:
    """All of the probe in one process: hooks, watcher and writer."""

    def __init__(self, folder: str) -> None:
        self.hooks: List[Hook] = [loop.LOOP, loop.UVLOOP, *asgi.HOOKS, *library_hooks()]
        self.writer = watch.Writer(folder, self.describe)
        self.watcher = watch.Watcher(self.writer)
        self.importer = Importer(self.hooks)
        self.cost = calibrate()
        self._process = watch.process()

    def install(self) -> None:
        """Put the hooks in place; the watcher starts with the first task."""
        asgi.on_shutdown = self.writer.flush
        core.set_starter(self.watcher.start)
        self.importer.install()
        atexit.register(self.watcher.stop)

    def uninstall(self) -> None:
        """Write what is left and restore every library."""
        core.set_starter(None)
        self.watcher.stop()  # first, so that the recording tells the hooks as they were
        atexit.unregister(self.watcher.stop)
        self.importer.uninstall()
        for hook in self.hooks:
            if hook.state != "absent":  # also those that switched themselves off
                hook.uninstall()

    def forked(self) -> None:
        """Start over in a forked child: own file, own thread, none of the parent's records."""
        self._process = watch.process()
        core.dropped["records"] = 0
        self.writer.begin()
        self.watcher.forked()
        core.set_starter(self.watcher.start)

    def describe(self) -> Dict[str, Any]:
        """What is told of this process in the recording's META frames."""
        return {
            **self._process,
            "hooks": {hook.name: hook.state for hook in self.hooks if hook.state != "absent"},
            "calibration": self.cost,
            "dropped": core.dropped["records"],
            "refused_names": core.names.refused,
            "trouble": self.writer.trouble,
        }


def library_hooks() -> List[Hook]:
    """Return one hook for each class listed in `HOOKS` of the modules in `probe.hooks`."""
    found: List[Hook] = []
    for info in sorted(iter_modules(hooks_package.__path__), key=lambda info: info.name):
        module = import_module(f"{hooks_package.__name__}.{info.name}")
        found += [make() for make in module.HOOKS]
    return found


_probe: Optional[Probe] = None


def install(folder: Optional[str] = None) -> None:
    """Start recording this process into `folder` (default: $SLOWPATH_DIR, else `.slowpath/probe`).

    Never raises into the app: a probe that cannot start says nothing and records nothing.
    A second call does nothing.
    """
    global _probe
    if _probe is not None:
        return
    folder = folder or os.environ.get("SLOWPATH_DIR") or os.path.join(".slowpath", "probe")
    try:
        os.makedirs(folder, exist_ok=True)
        probe = Probe(os.path.abspath(folder))
        probe.install()
        _probe = probe
        _follow_forks()
    except Exception:
        if os.environ.get("SLOWPATH_STRICT") == "1":
            raise


def uninstall() -> None:
    """Stop recording and restore every library that was hooked."""
    global _probe
    if _probe is not None:
        _probe.uninstall()
        _probe = None


def installed() -> Optional[Probe]:
    """Return the probe of this process, if it runs."""
    return _probe


@functools.cache
def _follow_forks() -> None:
    os.register_at_fork(after_in_child=_forked)  # for good: it cannot be taken back


def _forked() -> None:
    if _probe is not None:
        _probe.forked()
