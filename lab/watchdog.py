"""Runs one server and makes sure that it ends with its owner, however the owner ends.

Started by `lab.processes` as `python watchdog.py SPEC`; standard library only. The owner holds the
other end of standard input: when it closes that, or dies of anything, SIGKILL included, the server
is asked to stop, killed if it does not, and its folder is removed.

Standard output tells the owner `pid N` once the server runs, then `exit CODE` when it has ended, or
`error TEXT` when it could not be started at all.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from typing import Any

PR_SET_PDEATHSIG = 1


def die_with_watchdog() -> None:
    """Have the kernel end the server if even the watchdog is killed (Linux can, others cannot).

    Runs in the child after its user is set, since a change of user clears the setting.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def wait_for_owner_to_go() -> None:
    # Not sys.stdin: a thread inside its buffer makes the interpreter's own exit fail.
    while os.read(0, 1024):
        pass


def stop_with_owner(server: subprocess.Popen[bytes], stop_signal: int, grace_s: float) -> None:
    wait_for_owner_to_go()
    server.send_signal(stop_signal)
    try:
        server.wait(grace_s)
    except subprocess.TimeoutExpired:
        server.kill()


def start(spec: dict[str, Any]) -> subprocess.Popen[bytes]:
    with open(spec["log"], "ab") as log:
        return subprocess.Popen(
            spec["command"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=spec["cwd"],
            start_new_session=True,
            preexec_fn=die_with_watchdog,
            **spec["identity"],
        )


def main() -> None:
    spec = json.loads(sys.argv[1])
    # A closed terminal or a signal to the whole group must not end the one who cleans up. A handler
    # that does nothing, unlike SIG_IGN, is not inherited by the server.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    try:
        server = start(spec)
    except OSError as exc:
        print(f"error {exc}", flush=True)
        return
    print(f"pid {server.pid}", flush=True)
    stopper = threading.Thread(
        target=stop_with_owner, args=(server, spec["stop_signal"], spec["grace_s"])
    )
    stopper.start()
    code = server.wait()
    try:
        os.killpg(server.pid, signal.SIGKILL)  # workers that outlived their server
    except ProcessLookupError:
        pass
    try:
        print(f"exit {code}", flush=True)
    except BrokenPipeError:
        pass  # the owner is gone, so nobody reads
    stopper.join()
    if spec["folder"]:
        shutil.rmtree(spec["folder"], ignore_errors=True)
    os._exit(0)  # past the flush of a standard output that may have no reader


if __name__ == "__main__":
    main()
