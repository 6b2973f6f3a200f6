"""Serves the page of a run while it goes on, from a process of its own.

Its own, because drawing costs CPU that would be the load generator's, and nice to all others. As
`python -m slowpath.run.viewer FOLDER` it prints the address and ends when its input does, which is
when whoever started it is gone.
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

from slowpath.errors import UserError
from slowpath.ledger import CHARGE, Ledger
from slowpath.recording import load as read_recording
from slowpath.recording.folder import RunFolder
from slowpath.report import build, load
from slowpath.report.html import Page, page_of
from slowpath.report.live import LiveServer
from slowpath.report.stacks import stacks_of
from slowpath.report.words import counted
from slowpath.run.analysis import books_of
from slowpath.run.progress import PlainProgress, Progress

#: Drawing may take this share of the time, and happens no more often than this.
SHARE, OFTEN_S = 0.2, 1.0
NICENESS = 10


class Watcher:
    """Draws the page of a run as far as it has come; safe to ask from several threads."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._seen: object = None
        self._page: Page | None = None
        self._revision = 0
        self._not_before = 0.0

    def draw(self) -> tuple[Page, str]:
        """Return the page and its revision; drawn anew if the run's folder changed."""
        with self._lock:
            state = self._state()
            due = state != self._seen and time.monotonic() >= self._not_before
            if self._page is None or due:
                start = time.monotonic()
                self._page = self._drawn()
                self._revision += 1
                self._seen = state
                took = time.monotonic() - start
                self._not_before = time.monotonic() + max(OFTEN_S, took / SHARE)
            return self._page, str(self._revision)

    def _state(self) -> object:
        """Return what changes whenever the folder does."""
        files = sorted(self._folder.path.glob("probe-*.bin"))
        files += [self._folder.client_csv, self._folder.run_json, self._folder.report_json]
        state = []
        for file in files:
            with contextlib.suppress(OSError):
                status = file.stat()
                state.append((file.name, status.st_size, status.st_mtime_ns))
        return state

    def _drawn(self) -> Page:
        folder = self._folder
        if folder.report_json.exists():
            # It is the last thing that is written: all the rest is there.
            report = load(folder.path)
            ledger = books_of(folder, PlainProgress(io.StringIO()))
            return page_of(ledger, report, stacks=stacks_of(folder))
        return page_so_far(folder)


def page_so_far(folder: RunFolder) -> Page:
    """Draw what can be told before the run ended: all but charges and findings."""
    recording = read_recording(folder.path)
    requests = [request for request in recording.requests if recording.measured(request)]
    nothing = np.zeros(0, CHARGE)
    ledger = Ledger(recording, requests, nothing, nothing)
    report = build(recording, ledger, [])
    report["verdict"] = (
        "The run has ended; its report is being made."
        if recording.run.get("exit")
        else f"The run goes on: {counted(len(requests), 'request')} so far. "
        "What to blame is told when it ends."
    )
    report["hints"], report["looked_for"], report["blind"] = [], [], []
    return page_of(ledger, report)


class Viewer:
    """A viewer in a process of its own, from `start` to the end of the `with` block.

    Attributes:
        url: where the page is; empty before it is served, and if it cannot be.
    """

    def __init__(self, progress: Progress) -> None:
        self.url = ""
        self._progress = progress
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Viewer:
        return self

    def start(self, folder: RunFolder) -> None:
        """Serve the page of a run from now on, and say where."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "slowpath.run.viewer", str(folder.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            # Ctrl-C ends the run; the page should then show what came of it.
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        told = f"watch it at {self.url}" if self.url else "the page cannot be served"
        self._progress.note(told)

    def wait(self) -> None:
        """Return when the viewer ended, or the user pressed Ctrl-C."""
        if self._process is not None:
            with contextlib.suppress(KeyboardInterrupt):
                self._process.wait()

    def __exit__(self, *exc: object) -> None:
        process = self._process
        if process is None:
            return
        process.terminate()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def serve(folder: RunFolder) -> LiveServer:
    """Start to serve the page of a run; the caller runs and closes the server.

    Raises:
        UserError: this machine lets nobody listen.
    """
    try:
        return LiveServer(Watcher(folder).draw)
    except OSError as exc:
        raise UserError(f"Cannot serve the page: {exc.strerror or exc}.") from exc


def main(folder: str) -> None:
    """Serve until the input ends."""
    os.nice(NICENESS)
    server = serve(RunFolder(Path(folder)))
    print(server.url, flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
