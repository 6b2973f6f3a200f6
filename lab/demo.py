"""`make demo`: start the sick shop with all it needs, load it, and say which lines make it slow.

python -m lab.demo [--edition cured] [--users 100] [--duration 30s]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lab.processes import ServiceError
from lab.services import run_command
from lab.shop.run import shop_env

LOCUSTFILE = Path(__file__).parent / "shop" / "locustfile.py"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lab.demo", description=__doc__)
    parser.add_argument("--edition", choices=["sick", "cured"], default="sick")
    parser.add_argument("--users", default="100")
    parser.add_argument("--duration", default="30s")
    options = parser.parse_args(argv)
    print("Starting PostgreSQL, Redis and the upstream, and filling the shop ...", flush=True)
    try:
        with shop_env() as shop:
            env = shop.env(options.edition)
            command = [
                *(sys.executable, "-m", "slowpath.cli", "run"),
                *("--users", options.users, "--duration", options.duration),
                *("--traffic", f"locust:{LOCUSTFILE}", "--name", f"shop-{options.edition}"),
                "--",
                *shop.command(options.edition),
            ]
            print(f"$ slowpath {' '.join(command[3:])}\n", flush=True)
            status = run_command(command, env)
    except ServiceError as exc:
        print(exc, file=sys.stderr)
        return 2
    # The demo is there to find something.
    return 0 if status == 1 else status


if __name__ == "__main__":
    sys.exit(main())
