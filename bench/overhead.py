"""What being watched costs: throughput with a tool, as a ratio to the bare app.

    python -m bench.overhead [--rounds 7] [--seconds 2] [--peer-rounds 3]

The cured shop runs under uvicorn in four processes at a time (bare, with the probe, with
OpenTelemetry, with pyinstrument), all pinned to one core; wrk loads one of them at a time from the
other core, where PostgreSQL is too. A round takes bare, tool, tool, bare; its ratio is the sum of
the tool's two over the sum of bare's two, so that a drift of the machine cancels out. The figure is
the median of the rounds; the quartiles show how far to trust it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from lab.processes import ServiceError
from lab.services import app_server
from lab.shop.run import shop_env
from slowpath.probe.boot import environment
from slowpath.recording import load

ENDPOINTS = {"hello": "/hello", "one_row": "/one-row?id=77", "fifty_rows": "/fifty-rows?start=500"}
SHOP = "lab.shop.cured.main:app"
PEERS = {
    "opentelemetry": "bench.watched.opentelemetry:app",
    "pyinstrument": "bench.watched.pyinstrument:app",
}
SERVER_CORE, LOAD_CORE = 0, 1
GOALS = {"hello": 0.95, "one_row": 0.97}


class BenchError(Exception):
    """The benchmark cannot run here; the message says why."""


def requests_per_second(
    url: str, seconds: float, connections: int, more: Sequence[str] = ()
) -> float:
    """Load `url` with wrk, given `more` arguments, and return its throughput.

    Raises:
        BenchError: wrk failed, or some answer was not a success.
    """
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", *more, url]
    if len(os.sched_getaffinity(0)) > 1:
        command = ["taskset", "-c", str(LOAD_CORE), *command]
    run = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30)
    rate = re.search(r"Requests/sec:\s*([\d.]+)", run.stdout)
    if rate is None or "Non-2xx" in run.stdout:
        raise BenchError(f"wrk on {url}: {run.stdout}{run.stderr}")
    return float(rate.group(1))


def pairs(
    bare: str, watched: str, rounds: int, seconds: int, connections: int
) -> tuple[list[float], float]:
    """Return a ratio for each round, and the median throughput of the bare app."""
    ratios, levels = [], []
    for _ in range(rounds):
        order = [bare, watched, watched, bare]
        a, b, c, d = (requests_per_second(url, seconds, connections) for url in order)
        ratios.append((b + c) / (a + d))
        levels.append((a + d) / 2)
    return ratios, statistics.median(levels)


def measure(
    urls: Mapping[str, str], rounds: Mapping[str, int], seconds: int, connections: int
) -> dict[str, dict[str, float]]:
    """Return the median ratio of each tool on each endpoint, printing the table as it grows."""
    result: dict[str, dict[str, float]] = {tool: {} for tool in rounds}
    print(f"{'endpoint':<12}{'bare req/s':>11}  {'tool':<15}{'ratio':>7}  quartiles")
    for endpoint, path in ENDPOINTS.items():
        for url in urls.values():  # caches, connections and lazy imports
            requests_per_second(url + path, 1, connections)
        for tool, count in rounds.items():
            ratios, level = pairs(
                urls["bare"] + path, urls[tool] + path, count, seconds, connections
            )
            low, middle, high = statistics.quantiles(ratios, n=4) if count > 1 else ratios * 3
            result[tool][endpoint] = round(middle, 4)
            print(
                f"{endpoint:<12}{level:>11,.0f}  {tool:<15}{middle:>7.3f}  {low:.3f} .. {high:.3f}",
                flush=True,
            )
    return result


def pinned(core: int) -> None:
    """Keep this process and its coming children on one core, where there are several."""
    if len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, {core})


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.overhead")
    parser.add_argument("--rounds", type=int, default=7, help="for the probe")
    parser.add_argument("--peer-rounds", type=int, default=2, help="for each peer")
    parser.add_argument("--seconds", type=int, default=2, help="of each measurement")
    parser.add_argument("--connections", type=int, default=32)
    options = parser.parse_args(argv)
    if shutil.which("wrk") is None:
        print("bench-overhead needs wrk (on Debian: apt-get install wrk)", file=sys.stderr)
        return 2
    everywhere = os.sched_getaffinity(0)
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slowpath-")))
            pinned(LOAD_CORE)  # PostgreSQL, Redis and the upstream are on the load's core
            shop = stack.enter_context(shop_env())
            env = shop.env("cured")
            pinned(SERVER_CORE)
            urls = {"bare": stack.enter_context(app_server(SHOP, env)).url}
            urls["slowpath"] = stack.enter_context(
                app_server(SHOP, {**env, **environment(folder)})
            ).url
            for peer, target in PEERS.items():
                urls[peer] = stack.enter_context(app_server(target, env)).url
            os.sched_setaffinity(0, everywhere)
            rounds = {"slowpath": options.rounds} | dict.fromkeys(PEERS, options.peer_rounds)
            result = measure(urls, rounds, options.seconds, options.connections)
            recording = load(folder)
    except (ServiceError, BenchError) as exc:
        print(exc, file=sys.stderr)
        return 2
    dropped = sum(process.meta.get("dropped", 0) for process in recording.processes)
    off = [
        f"{name} {state}"
        for process in recording.processes
        for name, state in process.meta.get("hooks", {}).items()
        if state != "on"
    ]
    print(f"\nThe probe recorded {len(recording.requests):,} requests, dropped {dropped} records.")
    print("Hooks: " + ("; ".join(off) if off else "all on"))
    for endpoint, goal in GOALS.items():
        got = result["slowpath"][endpoint]
        print(
            f"Goal on {endpoint}: {goal:.2f}, got {got:.3f}: {'met' if got >= goal else 'MISSED'}"
        )
    peers = {peer: result[peer] for peer in PEERS}
    print(json.dumps({"throughput_ratio": result["slowpath"], "peers": peers}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
