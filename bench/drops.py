"""Whether the probe keeps up: a minute of load, and not one record dropped.

    python -m bench.drops [--seconds 60] [--rate 2000]

The cured shop answers `/hello` under wrk, as fast as it can; the figure counts if that is at least
the rate asked for. The memory of the process with the probe is set beside one without.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from bench.overhead import SHOP, BenchError, requests_per_second
from lab.processes import ServiceError
from lab.services import app_server
from lab.shop.run import shop_env
from slowpath.probe import core
from slowpath.probe.boot import environment
from slowpath.recording import load


def loaded(env: Mapping[str, str], seconds: int, connections: int) -> tuple[float, int]:
    """Load the shop for a while; return requests per second and bytes of memory gained."""
    with app_server(SHOP, env) as server:
        requests_per_second(server.url + "/hello", 2, connections)
        process = psutil.Process(server.pid)
        before = process.memory_info().rss
        rate = requests_per_second(server.url + "/hello", seconds, connections)
        return rate, process.memory_info().rss - before


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.drops")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rate", type=float, default=2000.0, help="least requests/s that count")
    parser.add_argument("--connections", type=int, default=32)
    options = parser.parse_args(argv)
    if shutil.which("wrk") is None:
        print("bench-drops needs wrk (on Debian: apt-get install wrk)", file=sys.stderr)
        return 2
    try:
        with shop_env() as shop, tempfile.TemporaryDirectory(prefix="slowpath-") as name:
            folder = Path(name)
            env = shop.env("cured")
            _, bare_gain = loaded(env, min(10, options.seconds), options.connections)
            rate, gain = loaded(
                {**env, **environment(folder)}, options.seconds, options.connections
            )
            size = sum(path.stat().st_size for path in folder.glob("probe-*.bin"))
            recording = load(folder)
    except (ServiceError, BenchError) as exc:
        print(exc, file=sys.stderr)
        return 2
    dropped = sum(process.meta.get("dropped", 0) for process in recording.processes)
    result = {
        "rps": round(rate),
        "requests_recorded": len(recording.requests),
        "dropped": dropped,
        "recording_bytes": size,
        "rss_gain_bytes": gain,
        "rss_gain_bytes_bare": bare_gain,
        "bound_bytes": core.BOUND,
    }
    print(f"{'requests/s':<28}{rate:>14,.0f}")
    for name, value in list(result.items())[1:]:
        print(f"{name.replace('_', ' '):<28}{value:>14,}")
    enough = rate >= options.rate
    met = enough and dropped == 0
    reason = "" if enough else f"; too slow a machine: less than {options.rate:,.0f}/s"
    print(f"Goal: nothing dropped at {options.rate:,.0f}/s: {'met' if met else 'MISSED'}{reason}")
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
