"""A hand-made run that has something of everything the page shows, of any size.

Three endpoints in turn, a request each millisecond. Each request waits for the pool (40 % of its
time, held by the request before it, in the query), runs its query (40 %) in a child task, and works
on the loop (20 %). Every tenth stalls the loop, and two stack samples saw it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from slowpath.ledger import ACTIVITIES, CHARGE, Ledger, Mode
from slowpath.probe.wire import SPAN_KINDS, SpanFlag
from slowpath.recording import Line, Recording
from slowpath.recording.model import GAUGE, SAMPLE, SLICE, SPAN
from slowpath.report import Report, build
from tests.report.runs import (
    BLOCKING,
    BLOCKING_CALL,
    HANDLER,
    MS,
    N_PLUS_ONE,
    QUERY,
    RUN,
    finding,
    placed,
    recording,
    request,
)

STEP_MS = 1.0
ROUTES = ("/users", "/users/{user_id}/enriched", "/hello")
#: Latencies by endpoint, ms; every twentieth request takes five times as long.
TOOK_MS = (100.0, 40.0, 2.0)
SQL = "SELECT count(*) FROM orders WHERE orders.user_id = $1"
POOL = "postgresql+asyncpg db/shop"
TEXTS = ["", SQL, POOL, "process.cpu.ns", "process.memory.rss"]
_SQL_TEXT, _POOL_TEXT, _CPU_TEXT, _RSS_TEXT = 1, 2, 3, 4


def busy(
    count: int,
    root: Path,
    routes: tuple[str, ...] = ROUTES,
    sql: str = SQL,
    spread: float = 0.0,
) -> tuple[Ledger, Report]:
    """Make the ledger and the report of a run of `count` requests.

    Args:
        spread: sigma of a lognormal factor on every latency.
    """
    factors = np.random.default_rng(1).lognormal(0.0, spread, count).tolist()
    requests = [
        request(
            i + 1,
            routes[i % len(routes)],
            i * STEP_MS,
            TOOK_MS[i % 3] * (5 if i % 20 == 19 else 1) * factors[i],
            status=500 if i % 50 == 49 else 200,
            handler=HANDLER,
        )
        for i in range(count)
    ]
    start = np.array([one.start_ns for one in requests], np.int64)
    length = np.array([one.wall_ns for one in requests], np.int64)
    main = np.array([one.line for one in requests], np.int64)
    child = main + count
    cuts = [start, start + length * 2 // 5, start + length * 4 // 5, start + length]
    run = RUN | {
        "window": {"start_ns": 1, "end_ns": 1 + round((count * STEP_MS + 1) * MS)},
        "cpus": 2,
    }
    record = recording(
        requests,
        run=run,
        sites=placed(root),
        texts=[text if text != SQL else sql for text in TEXTS],
        stacks=[(), (BLOCKING, HANDLER), (QUERY, HANDLER)],
        lines={
            int(number): Line(int(number), int(owner), int(owner), HANDLER, int(at), False)
            for number, owner, at in zip(child, main, start, strict=True)
        },
        spans=_sorted_spans(
            _spans("pool_wait", child, cuts[0], cuts[1], _POOL_TEXT, b=3),
            _spans("checkout", child, cuts[1], cuts[2], _POOL_TEXT, b=3),
            _spans("sql", child, cuts[1], cuts[2], _SQL_TEXT, a=2),
        ),
        slices=_slices(main, cuts[2], cuts[3]),
        samples=_samples(main[::10], cuts[2][::10], cuts[3][::10]),
        gauges=_gauges(int(start[-1]) + MS),
    )
    book = _ledger(record, cuts)
    findings = [
        finding(
            BLOCKING_CALL,
            BLOCKING,
            book,
            message="requests.get holds the event loop for 20 ms a call without computing",
            evidence={"blocked_ms_per_call": 20.5, "calls": 20, "fingerprint": sql},
            seen_by=("scan", "run"),
        ),
        finding(N_PLUS_ONE, QUERY, book, evidence={"statements_per_request": 1.0}),
    ]
    return book, build(record, book, findings, root)


def _ledger(record: Recording, cuts: list[Any]) -> Ledger:
    count = len(record.requests)
    number = np.arange(count)
    direct, root = [], []
    for part, (activity, site) in enumerate(
        [("pool_wait", QUERY), ("sql", QUERY), ("loop", BLOCKING)]
    ):
        rows = np.zeros(count, CHARGE)
        rows["request"] = rows["culprit_request"] = number
        rows["start"], rows["end"] = cuts[part], cuts[part + 1]
        rows["activity"] = rows["culprit_activity"] = ACTIVITIES[activity]
        rows["mode"] = rows["culprit_mode"] = Mode.CPU if activity == "loop" else Mode.WAIT
        rows["site"] = rows["culprit_site"] = site
        rows["resource"] = rows["culprit_resource"] = (_POOL_TEXT, _SQL_TEXT, 0)[part]
        direct.append(rows)
        blamed = rows.copy()
        if activity == "pool_wait":
            blamed["culprit_request"] = number - 1  # -1, of the first, is nobody's
            blamed["culprit_activity"] = ACTIVITIES["sql"]
        root.append(blamed)
    return Ledger(record, record.requests, _by_request(direct), _by_request(root))


def _by_request(parts: list[Any]) -> Any:
    rows = np.concatenate(parts)
    return rows[np.lexsort((rows["start"], rows["request"]))]


def _spans(
    kind: str, line: Any, start: Any, end: Any, resource: int, a: int = -1, b: int = -1
) -> Any:
    rows = np.zeros(len(line), SPAN)
    rows["kind"], rows["flags"] = SPAN_KINDS[kind], SpanFlag.ASYNC
    rows["line"], rows["start"], rows["end"] = line, start, end
    rows["site"], rows["resource"], rows["a"], rows["b"] = QUERY, resource, a, b
    return rows


def _sorted_spans(*parts: Any) -> Any:
    rows = np.concatenate(parts)
    return rows[np.lexsort((-rows["end"], rows["start"], rows["line"]))]


def _slices(line: Any, start: Any, end: Any) -> Any:
    rows = np.zeros(len(line), SLICE)
    rows["line"], rows["start"], rows["end"] = line, start, end
    rows["most"] = rows["least"] = -1
    return rows


def _samples(line: Any, start: Any, end: Any) -> Any:
    """Two samples of each slice: at a quarter, in BLOCKING, and at the half, in QUERY."""
    parts = []
    for share, site, stack in ((4, BLOCKING, 1), (2, QUERY, 2)):
        rows = np.zeros(len(line), SAMPLE)
        rows["line"], rows["slice_start"] = line, start
        rows["at"] = start + (end - start) // share
        rows["site"], rows["stack"] = site, stack
        parts.append(rows)
    rows = np.concatenate(parts)
    return rows[np.lexsort((rows["at"], rows["thread"]))]


def _gauges(end_ns: int) -> Any:
    """Half a core, and 100 MB."""
    rows = np.zeros(4, GAUGE)
    rows["at"] = [0, 0, end_ns, end_ns]
    rows["name"] = [_CPU_TEXT, _RSS_TEXT] * 2
    rows["value"] = [0, 100_000_000, end_ns // 2, 100_000_000]
    return rows
