"""How much longer does the same request compute the longer ago its like has run?

    python -m bench.cooling [--seconds 4]

Requests of the cured shop come one at a time, at several distances: with nothing else to do in
between, and with the loop busy with other requests. What each computes on the loop is read from
the recording. A cure changes how far apart requests are, and so what each of them costs; the
curve that `slowpath.simulate.warmth` begins with was read from this table. The last line is one
JSON object: ms on the loop by the distance in ms.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

import numpy as np

from bench.driver import Measured, keep_to_own_core, measure
from lab.shop.run import Shop, shop_env
from slowpath.ledger import ACTIVITIES, Mode

#: What is asked for: little code, and some more.
TOLD = {"hello": "/healthz", "one_row": "/one-row?id=7"}
PAUSES_MS = (0.0, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
#: Requests that keep the loop busy, of which one comes between two of the others.
BETWEEN = "/orders?cursor={n}"


def computed_ms(run: Measured, route: str) -> float:
    """Return the median time that a request of a route computes on the loop."""
    ledger = run.ledger
    rows = ledger.direct
    rows = rows[(rows["mode"] == Mode.CPU) & (rows["activity"] != ACTIVITIES["gc"])]
    spent = np.bincount(rows["request"], rows["end"] - rows["start"], len(ledger.requests))
    mine = [i for i, request in enumerate(ledger.requests) if request.route == route]
    return float(np.median(spent[mine])) / 1e6


def distance_ms(run: Measured, path: str) -> float:
    """Return the median distance of the calls of a path, from one start to the next."""
    starts = np.sort([call.start_ns for call in run.calls if call.path == path])
    return float(np.median(np.diff(starts))) / 1e6


def curve(shop: Shop, path: str, others: int, seconds: float) -> list[tuple[float, float]]:
    """Return (distance ms, ms computed) of a path's requests, the nearest first.

    Args:
        others: how many other requests come between two of them.
    """
    turn = [path, *[BETWEEN] * others]

    def asked(n: int) -> str:
        return turn[n % len(turn)].format(n=n * 7919 % 100_000)

    found = []
    for pause_ms in PAUSES_MS if not others else (0.0,):
        run = measure(
            "lab.shop.cured.main:app",
            shop.env("cured"),
            asked,
            1,
            seconds,
            ready="/healthz",
            pause_s=pause_ms / 1000,
        )
        found.append((distance_ms(run, path), computed_ms(run, path.partition("?")[0])))
    return found


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.cooling", description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    options = parser.parse_args(argv)
    keep_to_own_core()
    result: dict[str, dict[str, list[tuple[float, float]]]] = {}
    print(f"{'':10} {'in between':14} {'distance, ms':>12} {'computes, ms':>12} {'factor':>7}")
    with shop_env(20.0) as shop:
        for name, path in TOLD.items():
            least = 0.0
            for others in (0, 1, 3, 10, 30):
                for distance, spent in curve(shop, path, others, options.seconds):
                    least = least or spent
                    between = f"{others} requests" if others else "nothing"
                    print(
                        f"{name:10} {between:14} {distance:12.2f} {spent:12.3f}"
                        f" {spent / least:7.2f}",
                        flush=True,
                    )
                    rows = result.setdefault(name, {}).setdefault(between, [])
                    rows.append((round(distance, 3), round(spent, 4)))
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
