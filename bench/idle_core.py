"""How much slower is code on a core that has been idle, or whose neighbour is busy?

    python -m bench.idle_core

The same small work is timed (by its thread's CPU time) right after the core was busy, and after
it slept for a while; then once more beside a process that keeps the other core busy. What a
request costs in a recording hangs on this, and a cure changes it: see docs/status.md. The last
line is one JSON object: the factors over the work on a hot core.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence

import numpy as np

from bench.driver import OTHERS_CORE, SERVER_CORE

SLEEPS_MS = (0.0, 1.0, 4.0, 16.0, 32.0, 100.0)
#: Work after each sleep, in parts of some 0.1 ms; the last ones tell whether it is hot again.
PARTS, TRIALS, HOT_S = 200, 20, 0.05
BUSY = "import time\nend = time.time() + 60\nd = {}\nwhile time.time() < end:\n" + (
    "    for i in range(200_000): d[i & 262_143] = (i, str(i))\n"
)


def work_ns() -> int:
    """Return the CPU time of a small piece of work."""
    begun = time.thread_time_ns()
    for i in range(25):
        json.loads(json.dumps({"a": i, "b": [1, 2, 3], "c": "x" * 20}))
    return time.thread_time_ns() - begun


def after(sleep_ms: float) -> Sequence[float]:
    """Return the median time of each part of the work after a sleep, ns."""
    rows = []
    for _ in range(TRIALS):
        end = time.perf_counter() + HOT_S
        while time.perf_counter() < end:
            work_ns()
        time.sleep(sleep_ms / 1000)
        rows.append([work_ns() for _ in range(PARTS)])
    found: list[float] = np.median(np.array(rows), axis=0).tolist()
    return found


def main() -> int:
    if len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, {SERVER_CORE})
    result: dict[str, dict[str, dict[str, float]]] = {}
    hot = 0.0
    print(f"{'':12} {'slept, ms':>9} {'first part':>10} {'the rest':>9}")
    for neighbour in ("idle", "busy"):
        busy = None
        if neighbour == "busy":
            busy = subprocess.Popen(["taskset", "-c", str(OTHERS_CORE), sys.executable, "-c", BUSY])
        try:
            for sleep_ms in SLEEPS_MS:
                parts = after(sleep_ms)
                hot = hot or float(np.median(parts))
                first, rest = parts[0] / hot, float(np.median(parts[1:])) / hot
                print(f"{neighbour:12} {sleep_ms:9.0f} {first:10.2f} {rest:9.2f}", flush=True)
                rows = result.setdefault(neighbour, {})
                rows[f"{sleep_ms:.0f}"] = {"first": round(first, 3), "rest": round(rest, 3)}
        finally:
            if busy is not None:
                busy.kill()
                busy.wait()
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
