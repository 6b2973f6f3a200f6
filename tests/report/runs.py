"""Hand-made runs: recordings, ledgers and findings small enough to check by hand."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from slowpath.causes.base import Cause, Finding, Safety
from slowpath.ledger import ACTIVITIES, CHARGE, Ledger, Mode
from slowpath.recording import ClientCall, Process, Recording, Request, Site

MS = 1_000_000
#: Sites of every hand-made recording; 0 means "none".
BLOCKING, QUERY, HANDLER = 1, 2, 3
SITES = (
    Site("", 0, ""),
    Site("/srv/app/partners.py", 4, "Stock._get"),
    Site("/srv/app/users.py", 12, "list_users"),
    Site("/srv/app/users.py", 9, "list_users"),
)

FILES = {
    "partners.py": """\
class Stock:
    def _get(self, path):
        # The warehouse team's SDK.
        response = requests.get(self.url + path)
        response.raise_for_status()
        return response.json()
""",
    "users.py": """\
from fastapi import FastAPI
from sqlalchemy import select

from app.models import User, orders_of

app = FastAPI()


@app.get("/users")
async def list_users(session):
    found = []
    for user in await session.scalars(select(User)):
        found.append(await orders_of(session, user))
    return found
""",
}
BLOCKING_CALL = Cause(
    slug="blocking-call",
    title="A synchronous call blocks the event loop",
    why="While it waits, no other request of the worker can run.",
    advice="Use the library's async twin, or hand the call to a thread.",
    package="slowpath.causes.blocking_call",
    cure=Safety.UNSAFE,
)
N_PLUS_ONE = Cause(
    slug="n-plus-one",
    title="One query per row",
    why="Each row pays a round trip.",
    advice="Load the rows with one query (`selectinload`, or `IN`)",
    package="slowpath.causes.n_plus_one",
)
RUN = {
    "version": 1,
    "name": "uvicorn",
    "command": ["uvicorn", "app.main:app"],
    "started": "2026-03-01T12:00:00+00:00",
    "traffic": {"kind": "openapi", "users": 10, "duration_s": 2.0},
    "window": {"start_ns": 1, "end_ns": 1 + 2000 * MS},
    "notes": [],
}


def request(
    number: int,
    route: str = "/users",
    at_ms: float = 0.0,
    took_ms: float = 10.0,
    *,
    method: str = "GET",
    status: int = 200,
    client_ms: float | None = None,
    **more: Any,
) -> Request:
    """Make request `number`; with `client_ms`, a client saw it too, for so long."""
    start = 1 + round(at_ms * MS)
    end = start + round(took_ms * MS)
    client = None
    if client_ms is not None:
        client = call(number, route, at_ms, client_ms, method=method, status=status)
    values: dict[str, Any] = {
        "line": number,
        "process": 0,
        "method": method,
        "route": route,
        "handler": HANDLER,
        "status": status,
        "start_ns": start,
        "began_ns": start,
        "first_byte_ns": end,
        "end_ns": end,
        "bytes_in": 0,
        "bytes_out": 100,
        "websocket": False,
        "streamed": False,
        "disconnected": False,
        "cancelled": False,
        "failed": False,
        "client": client,
    }
    return Request(**{**values, **more})


def call(
    number: int,
    name: str = "/users",
    at_ms: float = 0.0,
    took_ms: float = 10.0,
    *,
    method: str = "GET",
    status: int = 200,
    error: str = "",
) -> ClientCall:
    """Make a call of the client, whose span id is its number."""
    start = 1 + round(at_ms * MS)
    return ClientCall(number, start, start + round(took_ms * MS), method, name, status, 100, error)


def process(pid: int = 41, torn_bytes: int = 0, **meta: Any) -> Process:
    """Make a process whose probe is well, unless `meta` says otherwise."""
    told = {"python": "3.12.1", "hooks": {"asyncio": "on", "sqlalchemy": "on"}, "dropped": 0}
    return Process(pid, {**told, **meta}, torn_bytes)


def recording(requests: Iterable[Request] = (), **more: Any) -> Recording:
    """Make a recording; its client calls are those of the requests unless told."""
    requests = list(requests)
    values: dict[str, Any] = {
        "run": RUN,
        "processes": [process()],
        "sites": SITES,
        "requests": requests,
        "client": [request.client for request in requests if request.client],
    }
    return Recording(**{**values, **more})


#: What a request's time went to: (activity, site to blame, share of the request's time).
Parts = Sequence[tuple[str, int, float]]


def ledger(recording: Recording, parts: Mapping[str, Parts] | None = None) -> Ledger:
    """Make a ledger that divides each request's time by its route; by default all is `loop`."""
    requests = [request for request in recording.requests if recording.measured(request)]
    rows = []
    for index, one in enumerate(requests):
        start = one.start_ns
        divided = (parts or {}).get(one.route, [("loop", HANDLER, 1.0)])
        for place, (activity, site, share) in enumerate(divided, 1):
            end = one.end_ns if place == len(divided) else start + round(share * one.wall_ns)
            row = np.zeros(1, CHARGE)
            row["request"], row["start"], row["end"] = index, start, end
            row["activity"] = row["culprit_activity"] = ACTIVITIES[activity]
            row["mode"] = row["culprit_mode"] = Mode.WAIT
            row["site"], row["culprit_site"] = HANDLER, site
            row["culprit_request"] = index
            rows.append(row)
            start = end
    table = np.concatenate(rows) if rows else np.zeros(0, CHARGE)
    return Ledger(recording, requests, table, table)


def placed(root: Path) -> list[Site]:
    """Write the app's files beneath `root`, and return the sites as there."""
    (root / "app").mkdir()
    for name, text in FILES.items():
        (root / "app" / name).write_text(text)
        os.utime(root / "app" / name, (0, 0))  # long before the run
    return [site._replace(path=site.path.replace("/srv", str(root))) for site in SITES]


def finding(cause: Cause, site: int, ledger: Ledger, **more: Any) -> Finding:
    """Make a finding that is charged all that the ledger charges to `site`."""
    path, line, function = ledger.recording.sites[site]
    values: dict[str, Any] = {
        "message": cause.title,
        "blame": ledger.blame(ledger.root["culprit_site"] == site),
    }
    return Finding(cause, path, line, function, **{**values, **more})
