"""Runs an app under the probe and a closed load, stored as `slowpath run` stores it."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import uvloop

from bench.client import Connection
from lab.processes import scratch_folder
from lab.services import app_server
from slowpath.causes import Finding, diagnose
from slowpath.ledger import Ledger, build
from slowpath.probe.boot import environment
from slowpath.recording import load
from slowpath.simulate.price import Figures
from slowpath.traffic.client_log import COLUMNS, is_failure

#: Where there are two cores, the app has one for itself, so that what its database and its
#: callers compute does not slow it down: the simulator knows nothing of them.
SERVER_CORE, OTHERS_CORE = 1, 0
TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Call:
    """One call as its caller saw it."""

    span_id: str
    path: str
    start_ns: int
    end_ns: int
    status: int
    bytes: int
    error: str = ""

    @property
    def failed(self) -> bool:
        """Whether it was not answered as it should be."""
        return is_failure(self.status, self.error)


@dataclass
class Measured:
    """What a run gave: its calls within the window, its ledger and findings."""

    calls: Sequence[Call]
    seconds: float
    ledger: Ledger
    findings: Sequence[Finding] = field(default_factory=list)

    @property
    def figures(self) -> Figures:
        """Percentiles and rate as the callers saw them."""
        latency = [call.end_ns - call.start_ns for call in self.calls] or [0]
        p50, p95 = (np.percentile(latency, [50, 95]) / 1e6).tolist()
        return Figures(p50, p95, len(self.calls) / self.seconds)

    @property
    def errors(self) -> float:
        """The share of calls that failed, 0 to 1."""
        return sum(call.failed for call in self.calls) / max(1, len(self.calls))


def keep_to_own_core() -> None:
    """Let this process and what it starts share the core that is not the app's."""
    if len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, {OTHERS_CORE})


def measure(
    target: str,
    env: Mapping[str, str],
    paths: Callable[[int], str],
    users: int,
    seconds: float,
    warmup_s: float = 1.0,
    ready: str = "/openapi.json",
    pause_s: float = 0.0,
) -> Measured:
    """Run an app, let `users` ask again as soon as they are answered, and diagnose it.

    Args:
        paths: what the n-th call asks for.
        pause_s: what each of them does nothing for before asking again.
    """
    prefix = ["taskset", "-c", str(SERVER_CORE)] if (os.cpu_count() or 1) > 1 else []
    with scratch_folder("bench") as folder:
        full = {**env, **environment(folder)}
        with app_server(target, full, ready=ready, prefix=prefix) as server:
            sending = _drive(server.url, paths, users, seconds, warmup_s, pause_s)
            calls, window = uvloop.run(sending)
        _store(folder, calls, window, users, warmup_s)
        recording = load(folder)
    ledger = build(recording)
    start, end = window
    kept = [call for call in calls if start <= call.start_ns < end]
    return Measured(kept, (end - start) / 1e9, ledger, diagnose(ledger))


async def _drive(
    url: str,
    paths: Callable[[int], str],
    users: int,
    seconds: float,
    warmup_s: float,
    pause_s: float,
) -> tuple[list[Call], tuple[int, int]]:
    start = time.perf_counter_ns() + int(warmup_s * 1e9)
    end = start + int(seconds * 1e9)
    calls: list[Call] = []
    count = 0

    async def caller() -> None:
        nonlocal count
        connection = Connection(url)
        while time.perf_counter_ns() < end:
            path, count = paths(count), count + 1
            calls.append(await _call(connection, path))
            if pause_s:
                await asyncio.sleep(pause_s)
        connection.close()

    await asyncio.gather(*(caller() for _ in range(users)))
    return calls, (start, end)


async def _call(connection: Connection, path: str) -> Call:
    span_id = secrets.token_hex(8)
    headers = f"traceparent: 00-{secrets.token_hex(16)}-{span_id}-01\r\n".encode()
    began = time.perf_counter_ns()
    status, size, error = 0, 0, ""
    try:
        status, size = await connection.get(path, headers, TIMEOUT_S)
    except (OSError, TimeoutError) as exc:
        error = type(exc).__name__
    return Call(span_id, path, began, time.perf_counter_ns(), status, size, error)


def _store(
    folder: Path, calls: Sequence[Call], window: tuple[int, int], users: int, warmup_s: float
) -> None:
    with (folder / "client.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for c in calls:
            name = c.path.partition("?")[0]
            rows.writerow(
                (c.span_id, c.start_ns, c.end_ns, "GET", name, c.status, c.bytes, c.error)
            )
    content = {
        "cpus": 1,  # the app has a core of its own, and no other
        "cpus_beside": 1,  # which leaves one for all else
        "traffic": {"users": users, "warmup_s": warmup_s, "rate": None},
        "window": {"start_ns": window[0], "end_ns": window[1]},
    }
    (folder / "run.json").write_text(json.dumps(content))
