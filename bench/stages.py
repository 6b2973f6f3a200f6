"""One endpoint cured in stages, as the field's articles tell it: predicted beside measured.

    python -m bench.stages [--users 100] [--seconds 10] [--rounds 2]

Each stage is predicted from the recording of the one before it alone: slowpath finds and prices,
and the findings that the stage cures are taken together, with the pool that it sets. Then the
stage is run. All stages take turns, and the means over the rounds are told: the machine changes
its speed meanwhile. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.driver import Measured, keep_to_own_core, measure
from lab.processes import ServiceError
from lab.services import Postgres, postgres, upstream
from slowpath.causes.base import edit_for
from slowpath.simulate.edits import Resized
from slowpath.simulate.observe import observe
from slowpath.simulate.price import Figures, mean, price

FOLDER = Path(__file__).parent.parent / "lab" / "stages"
UPSTREAM_MS = 40.0
USERS = 25_000


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        module: its edition in `lab.stages`.
        causes: whose findings it cures.
        pool: to how many connections it sets the pool; 0 for as many as before.
        scripts: what its database was filled with.
        article: p95 (ms), requests/s and share of errors, as the articles tell it.
    """

    name: str
    module: str
    causes: frozenset[str]
    scripts: tuple[str, ...]
    article: tuple[float, float, float]
    pool: int = 0


STAGES = (
    Stage("baseline", "baseline", frozenset(), ("seed.sql",), (820, 8, 0.12)),
    Stage(
        "async HTTP, tuned pool, fast JSON",
        "pooled",
        frozenset(
            """
            blocking-call client-per-request blocking-serializer heavy-serialization cpu-on-loop
            """.split()
        ),
        ("seed.sql",),
        (210, 38, 0.005),
        pool=40,
    ),
    Stage(
        "sessions and indexes",
        "indexed",
        frozenset("n-plus-one slow-query long-transaction".split()),
        ("seed.sql", "index.sql"),
        (95, 68, 0.0),
    ),
    Stage(
        "cached static data",
        "cached",
        frozenset(("uncached-upstream",)),
        ("seed.sql", "index.sql"),
        (45, 125, 0.0),
    ),
)


@dataclass(frozen=True)
class Result:
    """What a stage gave, and what it was predicted to give (None for the first)."""

    measured: Figures
    errors: float
    predicted: Figures | None
    cures: tuple[str, ...]

    @classmethod
    def mean(cls, results: Sequence[Result]) -> Result:
        """Return the mean of several rounds, with all cures that were found in any."""
        predicted = [r.predicted for r in results if r.predicted is not None]
        return cls(
            mean([r.measured for r in results]),
            sum(r.errors for r in results) / len(results),
            mean(predicted) if predicted else None,
            tuple(dict.fromkeys(cure for r in results for cure in r.cures)),
        )


@contextmanager
def environments() -> Iterator[Callable[[Stage], dict[str, str]]]:
    """Start the services; yield what returns a stage's environment, with a fresh database."""
    with postgres() as server, upstream(UPSTREAM_MS) as partner:
        yield lambda stage: {
            "LAB_DATABASE_URL": _database(server, stage),
            "LAB_UPSTREAM_URL": partner.url,
        }


def _database(server: Postgres, stage: Stage) -> str:
    import psycopg
    from psycopg import sql

    name = f"stage_{stage.module}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = server.database(name)
    with psycopg.connect(url, autocommit=True) as connection:
        for script in stage.scripts:
            connection.execute((FOLDER / script).read_bytes())
    return url


def predict(before: Measured, stage: Stage) -> tuple[Figures | None, list[str]]:
    """Return what a stage is predicted to give, from the recording of the one before it."""
    cured = [f for f in before.findings if f.cause.slug in stage.causes]
    edits = [edit_for(finding, before.ledger) for finding in cured]
    cures = [finding.cause.slug for finding in cured]
    if stage.pool:
        pools = [pool for pool in observe(before.ledger).pools if pool.kind == "connections"]
        edits += [Resized(pool.name, stage.pool) for pool in pools]
        cures.append(f"a pool of {stage.pool}")
    prices = price(before.ledger, edits, before.figures)
    return prices.together, list(dict.fromkeys(cures))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.stages", description=__doc__)
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=2, help="how often all stages are run")
    options = parser.parse_args(argv)
    keep_to_own_core()
    rounds: list[list[Result]] = []
    try:
        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
            rounds.append(_round(options.users, options.seconds))
    except ServiceError as exc:
        print(exc, file=sys.stderr)
        return 2
    results = [Result.mean(same) for same in zip(*rounds, strict=True)]
    for stage, result in zip(STAGES, results, strict=True):
        _tell(stage, result)
    rows = [_row(stage, result) for stage, result in zip(STAGES, results, strict=True)]
    first, last = results[0].measured, results[-1].measured
    gains = {"p95_gain": first.p95_ms / last.p95_ms, "rps_gain": last.rps / first.rps}
    print(f"\np95 {gains['p95_gain']:.1f} times better (goal 18), ", end="")
    print(f"{gains['rps_gain']:.1f} times as many requests (goal 16)")
    print(json.dumps({"stages": rows, **{k: round(v, 2) for k, v in gains.items()}}))
    return 0


def _round(users: int, seconds: float) -> list[Result]:
    """Run all stages once, each predicted from the run of the one before it."""
    results: list[Result] = []
    before: Measured | None = None
    with environments() as env:
        for stage in STAGES:
            predicted, cures = predict(before, stage) if before is not None else (None, [])
            before = measure(
                f"lab.stages.{stage.module}:app",
                env(stage),
                lambda n: f"/users/{n * 7919 % USERS + 1}",
                users,
                seconds,
                warmup_s=3.0,
            )
            results.append(Result(before.figures, before.errors, predicted, tuple(cures)))
    return results


def _row(stage: Stage, result: Result) -> dict[str, object]:
    measured, predicted = result.measured, result.predicted
    return {
        "name": stage.name,
        "p95_ms": round(measured.p95_ms, 1),
        "rps": round(measured.rps, 1),
        "errors": round(result.errors, 4),
        "predicted_p95_ms": round(predicted.p95_ms, 1) if predicted is not None else None,
        "predicted_rps": round(predicted.rps, 1) if predicted is not None else None,
        "cured": result.cures,
    }


def _tell(stage: Stage, result: Result) -> None:
    p95, rps, errors = stage.article
    measured, predicted = result.measured, result.predicted
    print(f"\n{stage.name}")
    if result.cures:
        print(f"  cures      {', '.join(result.cures)}")
    if predicted is not None:
        off = predicted.p95_ms / measured.p95_ms - 1
        print(
            f"  predicted  p95 {predicted.p95_ms:8.1f} ms  {predicted.rps:7.1f} requests/s"
            f"  ({off:+.0%})"
        )
    print(
        f"  measured   p95 {measured.p95_ms:8.1f} ms  {measured.rps:7.1f} requests/s"
        f"  {result.errors:.1%} errors"
    )
    print(f"  article    p95 {p95:8.1f} ms  {rps:7.1f} requests/s  {errors:.1%} errors", flush=True)


if __name__ == "__main__":
    sys.exit(main())
