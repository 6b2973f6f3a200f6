"""How long does it take to price the findings of a run?

    python -m bench.price [RUN] [--goal 20]

Without a run's folder, the demo is run first: the sick shop under 100 users for 60 s. The last
line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slowpath.causes import Finding, diagnose
from slowpath.causes.base import edit_for
from slowpath.ledger import Ledger, build
from slowpath.recording import load as loaded
from slowpath.report.figures import load_of
from slowpath.simulate.price import Figures, Prices, price

USERS, DURATION_S = 100, 60
GOAL_S = 20.0


@dataclass(frozen=True)
class Priced:
    """What was priced, and what it took.

    Attributes:
        cpu_s: of all processes; on a busy machine it tells more than what passed.
        told: how often the progress was told.
        silent_s: for how long it was not, at most.
    """

    prices: Prices
    measured: Figures
    wall_s: float
    cpu_s: float
    told: int
    silent_s: float


def fresh_demo(folder: Path) -> Path:
    """Run the demo in a folder; return its run."""
    command = [sys.executable, "-m", "lab.demo", "--users", str(USERS)]
    root = str(Path(__file__).parent.parent)
    subprocess.run(
        [*command, "--duration", f"{DURATION_S}s"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": root},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return max((folder / ".slowpath" / "runs").iterdir())


def priced(ledger: Ledger, findings: Sequence[Finding]) -> Priced:
    """Price findings against the clock, telling the progress on the terminal."""
    edits = [edit_for(finding, ledger) for finding in findings]
    load = load_of(ledger)
    measured = Figures(load["p50_ms"] or 0.0, load["p95_ms"] or 0.0, load["rps"])
    began, cpu = time.perf_counter(), _cpu_s()
    told = [began]

    def progress(share: float) -> None:
        told.append(time.perf_counter())
        if sys.stderr.isatty():
            print(f"\rpricing {share:4.0%}", end="", file=sys.stderr, flush=True)

    prices = price(ledger, edits, measured, progress)
    wall = time.perf_counter() - began
    if sys.stderr.isatty():
        print(file=sys.stderr)
    silent = float(np.diff([*told, began + wall]).max())
    return Priced(prices, measured, wall, _cpu_s() - cpu, len(told) - 1, silent)


def _cpu_s() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _tell(findings: Sequence[Finding], found: Priced) -> None:
    prices = found.prices
    print(f"{'cured alone':44} {'p95, ms':>8} {'from':>8} {'to':>8} {'requests/s':>10}")
    print(f"{'(as it is)':44} {found.measured.p95_ms:8.0f} {'':17} {found.measured.rps:10.1f}")
    for position in prices.order:
        finding, one = findings[position], prices.prices[position]
        name = f"{finding.cause.slug} {Path(finding.path).name}:{finding.line}"
        if one is None:
            print(f"{name:44} {'nobody can say':>37}")
            continue
        figures = one.figures
        print(
            f"{name:44} {figures.p95_ms:8.0f} {one.low_ms:8.0f} {one.high_ms:8.0f}"
            f" {figures.rps:10.1f}"
        )
    if prices.together is not None:
        print(f"{'(all)':44} {prices.together.p95_ms:8.0f} {'':17} {prices.together.rps:10.1f}")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.price", description=__doc__)
    parser.add_argument("run", nargs="?", type=Path, help="a run's folder; by default a new demo's")
    parser.add_argument("--goal", type=float, default=GOAL_S, help="in seconds")
    options = parser.parse_args(argv)
    if options.run is not None and not options.run.is_dir():
        parser.error(f"{options.run} is no run's folder")
    with tempfile.TemporaryDirectory(prefix="slowpath-price-") as scratch:
        try:
            folder = options.run or fresh_demo(Path(scratch))
            ledger = build(loaded(folder))
        except (subprocess.CalledProcessError, OSError) as exc:
            print(exc, file=sys.stderr)
            return 2
    findings = diagnose(ledger)
    found = priced(ledger, findings)
    if found.prices.refused:
        print(found.prices.refused, file=sys.stderr)
        return 2
    _tell(findings, found)
    seconds = ledger.recording.run["window"]
    length = (int(seconds["end_ns"]) - int(seconds["start_ns"])) / 1e9
    load_1min = os.getloadavg()[0]
    print(
        f"{len(ledger.requests)} requests in {length:.0f} s, {len(findings)} findings: priced in"
        f" {found.wall_s:.1f} s ({found.cpu_s:.1f} s of processors, load {load_1min:.1f});"
        f" progress told {found.told} times, at most {found.silent_s:.1f} s apart"
    )
    met = found.wall_s < options.goal
    print(f"Goal: under {options.goal:g} s: {'met' if met else 'MISSED'}")
    result = {
        "seconds": round(found.wall_s, 2),
        "cpu_seconds": round(found.cpu_s, 2),
        "requests": len(ledger.requests),
        "recorded_seconds": round(length, 1),
        "findings": len(findings),
        "progress": found.told,
        "silent_seconds": round(found.silent_s, 2),
        "load": round(load_1min, 2),
        "met": met,
    }
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
