"""Whole reports of hand-made runs, by the situation they show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from slowpath.causes.base import Entry, Hop
from slowpath.report import Report, build
from tests.report.runs import (
    BLOCKING,
    BLOCKING_CALL,
    HANDLER,
    N_PLUS_ONE,
    QUERY,
    RUN,
    call,
    finding,
    ledger,
    placed,
    process,
    recording,
    request,
)


def sick(root: Path) -> Report:
    """Two endpoints, two findings, one of them also seen by a scan, and a list of shortcomings."""
    slow = "/users/{user_id}/enriched"
    requests = [
        *(request(i, "/users", 20 * i, 100, client_ms=104) for i in range(1, 41)),
        *(request(i, slow, 20 * i, 400, client_ms=500) for i in range(41, 61)),
        *(request(i, "/hello", 20 * i, 0.5, client_ms=9, status=500) for i in range(61, 63)),
    ]
    hooks = {"asyncio": "on", "asyncpg": "off: version 0.99 is not known (known: 0.28 to 0.32)"}
    run = recording(
        requests,
        run=RUN | {"notes": ["Not driven: DELETE /users/{user_id}, because it is not safe."]},
        sites=placed(root),
        client=[one.client for one in requests] + [call(99, "/logo.png", 5)],
        processes=[process(), process(42, torn_bytes=7, dropped=12, hooks=hooks)],
        troubles=["probe-42.bin ends in 7 bytes of an unfinished frame"],
    )
    parts = {
        "/users": [("loop_wait", BLOCKING, 0.5), ("sql", QUERY, 0.4), ("loop", HANDLER, 0.1)],
        slow: [("loop", BLOCKING, 0.75), ("loop_wait", BLOCKING, 0.2), ("unattributed", 0, 0.05)],
    }
    book = ledger(run, parts)
    app = root / "app"
    findings = [
        finding(
            BLOCKING_CALL,
            BLOCKING,
            book,
            message="requests.get holds the event loop for 300 ms a call without computing",
            evidence={
                "blocked_ms_per_call": 300.0,
                "calls": 20,
                "victims_ms_per_request": {"GET /users": 50.0},
            },
            culprit="requests.get",
            entry=Entry("route", str(app / "users.py"), 9, "list_users"),
            chain=(
                Hop(str(app / "users.py"), 9, "list_users"),
                Hop(str(app / "partners.py"), 4, "Stock._get"),
            ),
            seen_by=("scan", "run"),
        ),
        finding(
            N_PLUS_ONE,
            QUERY,
            book,
            evidence={
                "statements_per_request": 21.0,
                "fingerprint": "SELECT count(*) FROM orders WHERE orders.user_id = $1",
            },
        ),
    ]
    return build(run, book, findings, root)


def cured(root: Path) -> Report:
    """A healthy app: nothing to find, nothing unseen."""
    run = recording(request(i, took_ms=4, at_ms=i, client_ms=5) for i in range(1, 101))
    parts = {"/users": [("sql", QUERY, 0.75), ("hydrate", QUERY, 0.15), ("loop", HANDLER, 0.1)]}
    return _looked_for(build(run, ledger(run, parts), [], root))


def one_request(root: Path) -> Report:
    """A single click, with no load generator."""
    run = recording(
        [request(1, took_ms=12.5)], run=RUN | {"traffic": {"kind": "none", "users": None}}
    )
    return _looked_for(build(run, ledger(run), [], root))


def only_errors(root: Path) -> Report:
    """Every answer is an error."""
    requests = [request(i, took_ms=1, client_ms=2, status=401) for i in range(1, 31)]
    run = recording(
        requests,
        client=[one.client for one in requests] + [call(50, status=0, error="ConnectionReset")],
    )
    return _looked_for(build(run, ledger(run), [], root))


def nothing_recorded(root: Path) -> Report:
    """The command does not let the probe in, though the app answers."""
    run = recording(
        run=RUN | {"command": ["python3", "-I", "main.py"]},
        processes=[],
        client=[call(i) for i in range(1, 21)],
    )
    return build(run, ledger(run), [], root)


def _looked_for(report: Report) -> Report:
    # What is installed changes; the golden files are to show how it reads.
    return {**report, "looked_for": ["blocking-call", "n-plus-one"]}


SAMPLES: dict[str, Callable[[Path], Report]] = {
    made.__name__: made for made in (sick, cured, one_request, only_errors, nothing_recorded)
}
