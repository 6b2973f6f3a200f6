"""A small process that outlives slowpath just long enough to end the app it started.

slowpath ends its app in every way it can leave by itself. Against the ways it cannot (SIGKILL, a
crash of the interpreter) stands this guardian: it reads from a pipe whose other end only slowpath
holds. End of file without the word `done` means that slowpath is gone.
"""

from __future__ import annotations

import contextlib
import functools
import signal
import subprocess
import sys
from types import TracebackType

PATIENCE_S = 5.0
DONE = "done"


class Guardian:
    """slowpath's end of the pipe; a context manager around everything that is started."""

    def __init__(self, marker: str) -> None:
        self._marker = marker
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Guardian:
        # -P: modules of the user's current folder must not take the place of ours.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__, self._marker],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )
        return self

    def watch(self, session: int) -> None:
        """Also end the processes of this session, which may hide their environment."""
        self._tell(str(session))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # With an exception on its way, the app's end may have been interrupted: look once more.
        if kind is None:
            self._tell(DONE)
        if self._process is not None:
            if self._process.stdin is not None:
                with contextlib.suppress(OSError):
                    self._process.stdin.close()
            self._process.wait()

    def _tell(self, line: str) -> None:
        if self._process is not None and self._process.stdin is not None:
            # A guardian that was killed must not take the run with it.
            with contextlib.suppress(OSError):
                self._process.stdin.write(line + "\n")
                self._process.stdin.flush()


def main(marker: str) -> None:
    """Wait for the word or the end of the pipe; in the latter case end the run's processes."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    sessions: list[int] = []
    for line in sys.stdin:
        if line.strip() == DONE:
            return
        sessions.append(int(line))
    # Only now, since it is rarely needed: a guardian that waits shall cost next to nothing.
    from slowpath.run import processes

    left = functools.partial(processes.of_run, marker, sessions)
    processes.send(signal.SIGTERM, left())
    if not processes.wait_gone(left, PATIENCE_S):
        processes.kill(left)


if __name__ == "__main__":
    main(sys.argv[1])
