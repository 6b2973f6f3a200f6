"""Are predictions right? For each pair of the lab: predicted from the sick run, then measured.

    python -m bench.predict [CASE…] [--seconds 5] [--rounds 2]

Predicted is what the simulator says of the sick recording alone, with all its findings cured;
measured is the cured app under the same load. Then the same for each single cure of the shop
(`shop:<cause>`, see `bench.shop_cures`). Sick and cured runs take turns, and the means over the
rounds are told: the machine changes its speed meanwhile. The error compares the ratios of p95
after to before. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np

from bench import shop_cures
from bench.driver import Measured, keep_to_own_core, measure
from lab.harness import KEYS, Case, Parts, cases, parts
from lab.processes import ServiceError
from slowpath.causes.base import edit_for
from slowpath.simulate.price import Figures, mean, price

#: How rows of the shop are named.
SHOP = "shop:"
GOALS = {"median_error_p95": 0.15, "within_30pct": 0.9, "kendall_tau": 0.8}


@dataclass(frozen=True)
class Row:
    """One pair: what was measured of the sick app, what was predicted, what was measured."""

    case: str
    cause: str
    sick: Figures
    predicted: Figures
    cured: Figures
    replay_error: float

    @property
    def predicted_ratio(self) -> float:
        """p95 after to p95 before, as predicted."""
        return self.predicted.p95_ms / self.sick.p95_ms

    @property
    def measured_ratio(self) -> float:
        """p95 after to p95 before, as measured."""
        return self.cured.p95_ms / self.sick.p95_ms

    @property
    def error(self) -> float:
        """How far the predicted ratio is from the measured one, relative to that."""
        return abs(self.predicted_ratio / self.measured_ratio - 1)


def run(case: Case, edition: str, shared: Parts, seconds: float) -> Measured:
    """Run one edition of a case."""
    target = f"lab.{case.name}.{edition}:app"
    return measure(target, shared.env(case, edition), _paths(case), case.users, seconds)


def _paths(case: Case) -> Callable[[int], str]:
    def path(n: int) -> str:
        return case.paths[n % len(case.paths)].replace("{n}", str(n % KEYS + 1))

    return path


def predict(sick: Measured, cause: str = "") -> tuple[Figures | None, float]:
    """Return what curing findings is predicted to give, and the replay's error.

    Args:
        cause: whose findings; of all causes if it is empty.
    """
    findings = [f for f in sick.findings if cause in ("", f.cause.slug)]
    edits = [edit_for(finding, sick.ledger) for finding in findings]
    prices = price(sick.ledger, edits, sick.figures)
    return prices.together, prices.replay.error if prices.replay is not None else float("nan")


def compared(
    name: str, pair: Callable[[], tuple[Measured, Measured]], rounds: int, cause: str = ""
) -> Row | None:
    """Run a pair several times; None if no round gave a prediction.

    Args:
        pair: runs the sick and the cured app.
        cause: the one that is cured; all that are found if it is empty.
    """
    kept = []
    causes: dict[str, None] = {}
    for _ in range(rounds):
        sick, cured = pair()
        together, error = predict(sick, cause)
        causes |= dict.fromkeys([cause] if cause else [f.cause.slug for f in sick.findings])
        if together is not None:
            kept.append((sick.figures, together, cured.figures, error))
    if not kept:
        return None
    befores, predictions, afters, errors = zip(*kept, strict=True)
    told = (mean(befores), mean(predictions), mean(afters))
    return Row(name, "+".join(causes), *told, float(np.mean(errors)))


def kendall_tau(pairs: Sequence[tuple[float, float]]) -> float:
    """Return how well two rankings agree: 1 for the same, -1 for the opposite.

    >>> kendall_tau([(1, 10), (2, 20), (3, 40), (4, 30)])
    0.6666666666666666
    """
    signs = [np.sign((a - c) * (b - d)) for (a, b), (c, d) in combinations(pairs, 2)]
    return float(np.mean(signs)) if signs else 1.0


def summary(rows: Sequence[Row]) -> dict[str, object]:
    """Return the figures of all cases."""
    errors = [row.error for row in rows]
    return {
        "median_error_p95": round(float(np.median(errors)), 4),
        "within_30pct": round(float(np.mean([error <= 0.3 for error in errors])), 4),
        "kendall_tau": round(
            kendall_tau([(row.predicted_ratio, row.measured_ratio) for row in rows]), 4
        ),
        "cases": [
            {
                "case": row.case,
                "cause": row.cause,
                "predicted_ratio": round(row.predicted_ratio, 4),
                "measured_ratio": round(row.measured_ratio, 4),
                "predicted_rps": round(row.predicted.rps, 1),
                "measured_rps": round(row.cured.rps, 1),
                "replay_error": round(row.replay_error, 4),
            }
            for row in rows
        ],
    }


def _told(row: Row) -> str:
    return (
        f"{row.case:24} {row.sick.p95_ms:7.1f} {row.predicted.p95_ms:9.1f} {row.cured.p95_ms:8.1f}"
        f" {row.error:6.0%} {row.sick.rps:7.0f} {row.predicted.rps:9.0f} {row.cured.rps:8.0f}"
    )


def _pairs(
    names: Sequence[str], seconds: float
) -> Iterator[tuple[str, str, Callable[[], tuple[Measured, Measured]]]]:
    """Yield name, cause (empty: all that are found) and the runs of what is named, or of all."""
    with parts() as shared:
        for case in cases():
            if not names or case.name in names:
                yield case.name, "", partial(_pair, case, shared, seconds)
    wanted = [name.removeprefix(SHOP) for name in names if name.startswith(SHOP)]
    if wanted or not names:
        for cause, pair in shop_cures.pairs(wanted, seconds):
            yield SHOP + cause, cause, pair


def _pair(case: Case, shared: Parts, seconds: float) -> tuple[Measured, Measured]:
    sick, cured = (run(case, edition, shared, seconds) for edition in ("sick", "cured"))
    return sick, cured


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.predict", description=__doc__)
    parser.add_argument("case", nargs="*", help="of the lab, or shop:<cause>; by default all")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=2, help="how often each pair is run")
    options = parser.parse_args(argv)
    keep_to_own_core()
    print(f"{'':24} {'p95, ms':>26} {'':6} {'requests/s':>26}")
    print(
        f"{'case':24} {'sick':>7} {'predicted':>9} {'measured':>8} {'error':>6}"
        f" {'sick':>7} {'predicted':>9} {'measured':>8}"
    )
    rows = []
    try:
        for name, cause, pair in _pairs(options.case, options.seconds):
            row = compared(name, pair, options.rounds, cause)
            if row is None:
                print(f"{name:24} no prediction: nothing was found, or too little sent")
            else:
                rows.append(row)
                print(_told(row), flush=True)
    except ServiceError as exc:
        print(exc, file=sys.stderr)
        return 2
    if not rows:
        print("No case gave a prediction.", file=sys.stderr)
        return 2
    result = summary(rows)
    for name, goal in GOALS.items():
        got = float(str(result[name]))
        met = got <= goal if name.startswith("median") else got >= goal
        print(f"Goal for {name}: {goal}, got {got}: {'met' if met else 'MISSED'}")
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
