"""Runs the lab's cases: an app on real parts, under the probe and under load.

A case is a folder with `sick.py`, `cured.py`, `case.toml` and, for its own database, `seed.sql`
and `sick.sql` or `cured.sql`.
Guilty lines end in the comment `# culprit: <slug>`. The app finds its parts in LAB_DATABASE_URL,
LAB_REDIS_URL and LAB_UPSTREAM_URL.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count, cycle
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import numpy as np

from lab.processes import scratch_folder
from lab.services import Postgres, Redis, Upstream, app_server, postgres, redis, upstream
from slowpath.causes import Finding, diagnose
from slowpath.ledger import Ledger, build
from slowpath.probe.boot import environment
from slowpath.recording import load

LAB = Path(__file__).parent
MARK = re.compile(r"#\s*culprit:\s*([\w-]+)\s*$")
WARMUP_S = 1.0
#: `{n}` of a path counts up to this, so that keys repeat as they do in life.
KEYS = 100


class Culprit(NamedTuple):
    """A marked line of a lab app."""

    cause: str
    path: str
    line: int


class Call(NamedTuple):
    """One call as its caller saw it; `path` as the case has it."""

    path: str
    ns: int
    status: int

    def of(self, path: str | None) -> bool:
        """Tell whether it went to `path`; None is any."""
        return path is None or self.path == path


@dataclass(frozen=True)
class Case:
    """One folder of the lab.

    Attributes:
        users: how many callers ask again as soon as they are answered.
        duration_s: the measured time, after the warm-up.
        paths: what they ask for, in turn; `{n}` is replaced by a number from 1 to `KEYS`.
        services: the parts it needs: postgres, redis, upstream.
        upstream_ms: what the upstream takes for an answer.
        gain: the least ratio of sick to cured `p95`, and of cured to sick `rps`; `of` names the
            path that is meant, by default all.
        order: the causes in the order in which they must be ranked; empty for a single one.
    """

    folder: Path
    users: int
    duration_s: float
    paths: tuple[str, ...]
    services: tuple[str, ...] = ()
    upstream_ms: float = 20.0
    gain: dict[str, Any] = field(default_factory=dict)
    order: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def culprits(self) -> list[Culprit]:
        """The marked lines of the sick edition, in the order in which they must be ranked."""
        found = []
        for path in sorted(self.folder.glob("*.py")):
            for number, text in enumerate(path.read_text().splitlines(), 1):
                if mark := MARK.search(text):
                    found.append(Culprit(mark[1], str(path), number))
        return sorted(found, key=lambda c: self.order.index(c.cause) if self.order else 0)


@dataclass(frozen=True)
class Outcome:
    """What a run of one edition gave, with the calls as the callers saw them."""

    ledger: Ledger
    findings: list[Finding]
    calls: Sequence[Call]
    duration_s: float

    @property
    def errors(self) -> int:
        """How many calls were not answered as they should be."""
        return sum(call.status >= 400 for call in self.calls)

    def p95_ms(self, path: str | None = None) -> float:
        """Return the 95th percentile of the latency, of one path or of all."""
        return float(np.percentile([call.ns for call in self.calls if call.of(path)], 95)) / 1e6

    def rps(self, path: str | None = None) -> float:
        """Return the answers a second, of one path or of all."""
        return sum(call.of(path) for call in self.calls) / self.duration_s

    @property
    def found(self) -> list[Culprit]:
        """The findings, as marked lines are told."""
        return [Culprit(f.cause.slug, f.path, f.line) for f in self.findings]


def cases() -> list[Case]:
    """Return every case of the lab, by name."""
    found = []
    for path in sorted(LAB.glob("*/case.toml")):
        content = tomllib.loads(path.read_text())
        lists = {key: tuple(value) for key, value in content.items() if isinstance(value, list)}
        found.append(Case(path.parent, **{**content, **lists}))
    return found


class Parts:
    """The services that cases share; each is started when a case first needs it."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._postgres: Postgres | None = None
        self._redis: Redis | None = None
        self._upstreams: dict[float, Upstream] = {}

    def env(self, case: Case, edition: str) -> dict[str, str]:
        """Return the environment of a case's app; its database is fresh."""
        env = {}
        if "postgres" in case.services:
            if self._postgres is None:
                self._postgres = self._stack.enter_context(postgres())
            env["LAB_DATABASE_URL"] = _fresh_database(self._postgres, case, edition)
        if "redis" in case.services:
            if self._redis is None:
                self._redis = self._stack.enter_context(redis())
            env["LAB_REDIS_URL"] = self._redis.url
        if "upstream" in case.services:
            if case.upstream_ms not in self._upstreams:
                partner = self._stack.enter_context(upstream(case.upstream_ms))
                self._upstreams[case.upstream_ms] = partner
            env["LAB_UPSTREAM_URL"] = self._upstreams[case.upstream_ms].url
        return env


@contextmanager
def parts() -> Iterator[Parts]:
    """Keep the services of the lab until the block ends."""
    with ExitStack() as stack:
        yield Parts(stack)


def _fresh_database(server: Postgres, case: Case, edition: str) -> str:
    import psycopg
    from psycopg import sql

    name = f"lab_{case.name}_{edition}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        drop = sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name))
        connection.execute(drop)
    url = server.database(name)
    with psycopg.connect(url, autocommit=True) as connection:
        for script in (case.folder / "seed.sql", case.folder / f"{edition}.sql"):
            if script.exists():
                connection.execute(script.read_bytes())
    return url


def run(case: Case, edition: str, shared: Parts, *, users: int | None = None) -> Outcome:
    """Run one edition of a case under load and diagnose it.

    Args:
        edition: `sick` or `cured`.
        users: in place of the case's own.
    """
    with scratch_folder("case") as folder:
        env = {**shared.env(case, edition), **environment(folder)}
        target = f"lab.{case.name}.{edition}:app"
        with app_server(target, env, ready="/openapi.json") as server:
            calls, window = asyncio.run(drive(case, server.url, users or case.users))
        window_ns = {"start_ns": window[0], "end_ns": window[1]}
        (folder / "run.json").write_text(json.dumps({"window": window_ns}))
        recording = load(folder)
    ledger = build(recording)
    return Outcome(ledger, diagnose(ledger), calls, case.duration_s)


async def drive(case: Case, url: str, users: int) -> tuple[list[Call], tuple[int, int]]:
    """Let `users` callers ask in a closed loop.

    Returns:
        The calls that began in the measured window, and the window's start and end (ns).
    """
    begin = time.perf_counter_ns() + int(WARMUP_S * 1e9)
    end = begin + int(case.duration_s * 1e9)
    paths = cycle(case.paths)
    numbers = count()
    calls: list[Call] = []

    async def caller(client: aiohttp.ClientSession) -> None:
        while (start := time.perf_counter_ns()) < end:
            path = next(paths)
            number = next(numbers) % KEYS + 1
            async with client.get(url + path.replace("{n}", str(number))) as response:
                await response.read()
            if start >= begin:
                calls.append(Call(path, time.perf_counter_ns() - start, response.status))

    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as client:
        await asyncio.gather(*(caller(client) for _ in range(users)))
    return calls, (begin, end)


def explain(case: Case, outcome: Outcome) -> str:
    """Say what a run gave, for a test that fails and for a person at a terminal."""
    lines = [f"{case.name}: p95 {outcome.p95_ms():.1f} ms, {outcome.rps():.0f} requests/s"]
    for finding in outcome.findings:
        share = finding.blame.share_of_p95 if finding.blame is not None else 0.0
        place = f"{Path(finding.path).name}:{finding.line}"
        lines.append(f"  {finding.cause.slug} {place} {share:.0%}: {finding.message}")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Run cases from a shell: `python -m lab.harness [CASE…]`."""
    import argparse

    parser = argparse.ArgumentParser(prog="python -m lab.harness", description=main.__doc__)
    parser.add_argument("case", nargs="*", help="by default all of them")
    parser.add_argument("--users", type=int, help="in place of the case's own")
    options = parser.parse_args(argv)
    with parts() as shared:
        for case in cases():
            if options.case and case.name not in options.case:
                continue
            for edition in ("sick", "cured"):
                outcome = run(case, edition, shared, users=options.users)
                print(edition, explain(case, outcome), flush=True)
                print({f.cause.slug: dict(f.evidence) for f in outcome.findings})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
