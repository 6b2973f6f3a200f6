"""The whole probe in the test's own process, with its file and its watcher.

with probed(tmp_path) as run:
    ...
[request] = run.recording.requests
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import slowpath.probe
from slowpath.probe import Probe, core, hook
from slowpath.recording import Recording, load
from slowpath.recording.model import Request


class Run:
    """What was recorded; complete after the block.

    Attributes:
        probe: the probe while it is installed.
        states: how each hook ended, by name.
    """

    recording: Recording

    def __init__(self, folder: Path, probe: Probe) -> None:
        self.folder = folder
        self.probe = probe
        self.states: dict[str, str] = {}

    def flush(self) -> Recording:
        """Write what waits, and read all that was written so far."""
        self.probe.writer.flush()
        self.recording = load(self.folder)
        return self.recording

    def request(self, route: str) -> Request:
        """Return the one request of a route."""
        [found] = [request for request in self.recording.requests if request.route == route]
        return found

    def raw(self) -> bytes:
        """Return every byte that the probe wrote."""
        return b"".join(path.read_bytes() for path in sorted(self.folder.glob("probe-*")))


@contextmanager
def probed(folder: Path, strict: bool = True) -> Iterator[Run]:
    """Install the probe for a block, and read what it wrote.

    Args:
        strict: let errors inside of hooks surface; without it, they behave as in production.
    """
    with mock.patch.object(hook, "STRICT", strict):
        slowpath.probe.install(str(folder))
        probe = slowpath.probe.installed()
        assert probe is not None
        run = Run(folder, probe)
        try:
            yield run
        finally:
            run.states = {one.name: one.state for one in probe.hooks}
            slowpath.probe.uninstall()
            core.watched.clear()
            del core.buffer[:]
    if folder.is_dir():
        run.recording = load(folder)
