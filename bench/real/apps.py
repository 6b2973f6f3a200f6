"""The applications, each with the data that makes its lists return rows."""

from __future__ import annotations

import random
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from bench.real import App, Headers, Place

WORDS = "amber birch cedar delta ember fjord grove heath islet jetty knoll ledge".split()
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


BUSY_TRIES, BUSY_PAUSE_S = 10, 1.0


def _sent(client: httpx.Client, method: str, path: str, body: Any = None, **more: Any) -> Any:
    """Send one request that must succeed; return what the answer's JSON says."""
    for _ in range(BUSY_TRIES):
        answer = client.request(method, path, json=body, **more)
        if answer.status_code != 503:
            break
        time.sleep(BUSY_PAUSE_S)  # the app asks to come back later
    if not answer.is_success:
        raise RuntimeError(f"{method} {path}: status {answer.status_code}: {answer.text[:300]}")
    return answer.json() if answer.content else None


# --- Datasette: a plain ASGI app over SQLite, queries in its own threads -------------------------

DATASETTE_URLS = (
    "/",
    "/shop",
    "/shop/items",
    "/shop/items?_sort=price",
    "/shop/items?_facet=cat_id",
    "/shop/items/77",
    "/shop/items.json?_size=100",
    "/shop/categories",
    "/shop.json?sql=select+cat_id,+avg(price)+from+items+group+by+cat_id",
)


def _make_shop(home: Path) -> None:
    """50,000 items in 40 categories."""
    random.seed(1)
    with closing(sqlite3.connect(home / "shop.db")) as db:
        db.execute("create table categories (id integer primary key, name text)")
        db.execute(
            "create table items (id integer primary key, name text, price real, descr text,"
            " cat_id integer references categories(id))"
        )
        db.executemany(
            "insert into categories values (?, ?)",
            [(i, f"{random.choice(WORDS)} {i}") for i in range(1, 41)],
        )
        db.executemany(
            "insert into items values (?, ?, ?, ?, ?)",
            [
                (
                    i,
                    f"{random.choice(WORDS)} {random.choice(WORDS)} {i}",
                    round(random.uniform(1, 500), 2),
                    " ".join(random.choices(WORDS, k=30)),
                    random.randint(1, 40),
                )
                for i in range(1, 50_001)
            ],
        )
        db.commit()


DATASETTE = App(
    name="datasette",
    requirements=("datasette==0.65.5", "uvicorn==0.54.0", "httpx==0.28.1", "janus==2.0.0"),
    command=lambda place: [
        *(place.tool("datasette"), "serve", "shop.db", "--port", str(place.port)),
    ],
    prepare=_make_shop,
    ready="/-/versions.json",
    traffic="url:" + ",".join(url.replace(",", "%2C") for url in DATASETTE_URLS),
    # Its larger pages take a second each, which is too few for a ratio.
    paths=lambda client: ["/shop/items/77", "/shop/categories/7.json", "/-/versions.json"],
)


# --- Prefect: FastAPI, SQLAlchemy 2.1 and aiosqlite, with services in the same process ----------


def _fill_prefect(client: httpx.Client) -> Headers:
    """20 flows with deployments; 200 flow runs, each with a few task runs and logs."""
    random.seed(2)
    client.base_url = client.base_url.join("/api")
    for f in range(20):
        flow = _sent(client, "POST", "/flows/", {"name": f"{random.choice(WORDS)}-{f}"})
        deployment = _sent(
            client, "POST", "/deployments/", {"name": f"daily-{f}", "flow_id": flow["id"]}
        )
        _sent(client, "POST", "/variables/", {"name": f"limit_{f}", "value": f})
        for r in range(10):
            run = _sent(
                client,
                "POST",
                "/flow_runs/",
                {
                    "flow_id": flow["id"],
                    "deployment_id": deployment["id"],
                    "name": f"run-{f}-{r}",
                    "state": {"type": random.choice(("COMPLETED", "FAILED"))},
                },
            )
            for t in range(3):
                _sent(
                    client,
                    "POST",
                    "/task_runs/",
                    {
                        "flow_run_id": run["id"],
                        "task_key": f"task-{t}",
                        "dynamic_key": str(t),
                        "state": {"type": "COMPLETED"},
                    },
                )
            moment = (BEGIN + timedelta(minutes=f * 10 + r)).isoformat()
            lines = [
                {
                    "name": "prefect",
                    "level": 20,
                    "message": " ".join(random.choices(WORDS, k=8)),
                    "timestamp": moment,
                    "flow_run_id": run["id"],
                }
                for _ in range(10)
            ]
            _sent(client, "POST", "/logs/", lines)
    return {}


def _prefect_env(place: Place) -> dict[str, str]:
    return {
        "PREFECT_HOME": str(place.home),
        "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{place.home}/prefect.db",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_API_URL": "",
        "DO_NOT_TRACK": "1",
    }


def _prefect_paths(client: httpx.Client) -> list[str]:
    """One of each kind of thing, by its id."""

    def first(kind: str) -> str:
        return str(_sent(client, "POST", f"/api/{kind}/filter", {"limit": 1})[0]["id"])

    kinds = ("flows", "flow_runs", "task_runs", "deployments", "variables")
    return [
        *(f"/api/{kind}/{first(kind)}" for kind in kinds),
        f"/api/flow_runs/{first('flow_runs')}/graph-v2",
        "/api/admin/settings",
        "/api/block_capabilities/",
    ]


PREFECT = App(
    name="prefect",
    # It does not start with FastAPI 0.140 and later.
    requirements=(
        "prefect==3.8.8",
        "fastapi==0.139.2",
        "starlette==1.10.0",
        "sqlalchemy==2.1.9",
        "uvicorn==0.54.0",
    ),
    command=lambda place: [
        *(place.tool("prefect"), "server", "start"),
        *("--host", "127.0.0.1", "--port", str(place.port)),
    ],
    env=_prefect_env,
    fill=_fill_prefect,
    ready="/api/health",
    # Its lists are POSTs, which traffic from the description does not send.
    traffic=f"locust:{Path(__file__).with_name('prefect_users.py')}",
    paths=_prefect_paths,
)


# --- Phoenix: FastAPI and Strawberry, SQLAlchemy 2.1 with aiosqlite, one connection for writes --


def _spans(trace: int, spans: int) -> list[dict[str, Any]]:
    """One trace: a root, and calls of a model under it."""
    found = []
    for s in range(spans):
        begin = BEGIN + timedelta(seconds=trace * 60 + s)
        found.append(
            {
                "name": "chain" if s == 0 else f"llm {random.choice(WORDS)}",
                "context": {
                    "trace_id": f"{trace + 1:032x}",
                    "span_id": f"{trace * 100 + s + 1:016x}",
                },
                "span_kind": "CHAIN" if s == 0 else "LLM",
                "parent_id": None if s == 0 else f"{trace * 100 + 1:016x}",
                "start_time": begin.isoformat(),
                "end_time": (begin + timedelta(milliseconds=300)).isoformat(),
                "status_code": "OK",
                "attributes": {
                    "session.id": f"session-{trace % 10}",
                    "llm.model_name": "tiny",
                    "input.value": " ".join(random.choices(WORDS, k=40)),
                    "output.value": " ".join(random.choices(WORDS, k=40)),
                },
            }
        )
    return found


def _fill_phoenix(client: httpx.Client) -> Headers:
    """5 projects with 200 traces of 5 spans in all, 3 datasets of 100 examples, 5 prompts."""
    random.seed(3)
    for p in range(5):
        _sent(client, "POST", "/v1/projects", {"name": f"{WORDS[p]}-{p}"})
        for t in range(40):
            path = f"/v1/projects/{WORDS[p]}-{p}/spans"
            _sent(client, "POST", path, {"data": _spans(p * 40 + t, 5)})
    for d in range(3):
        examples = [
            {"question": " ".join(random.choices(WORDS, k=12)), "number": i} for i in range(100)
        ]
        _sent(
            client,
            "POST",
            "/v1/datasets/upload?sync=true",
            {
                "action": "create",
                "name": f"questions-{d}",
                "inputs": examples,
                "outputs": [{"answer": random.choice(WORDS)} for _ in examples],
            },
        )
    return {}


PHOENIX = App(
    name="phoenix",
    requirements=(
        "arize-phoenix==20.26.1",
        "fastapi==0.165.0",
        "starlette==1.10.0",
        "sqlalchemy==2.1.9",
        "uvicorn==0.54.0",
    ),
    command=lambda place: [place.tool("phoenix"), "serve"],
    env=lambda place: {
        "PHOENIX_WORKING_DIR": str(place.home),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(place.port),
        "PHOENIX_GRPC_PORT": "0",
        "PHOENIX_TELEMETRY_ENABLED": "false",
    },
    fill=_fill_phoenix,
    ready="/healthz",
)


# --- LNbits: FastAPI with Pydantic 1, SQLAlchemy 1.4 and aiosqlite, uvloop ----------------------


def _fill_lnbits(client: httpx.Client) -> Headers:
    """An administrator with three wallets, and 100 invoices in the first of them."""
    random.seed(4)
    password = "a long password"
    _sent(
        client,
        "PUT",
        "/api/v1/auth/first_install",
        {"username": "admin", "password": password, "password_repeat": password},
    )
    token = _sent(client, "POST", "/api/v1/auth", {"username": "admin", "password": password})[
        "access_token"
    ]
    client.cookies.clear()
    bearer = {"Authorization": f"Bearer {token}"}
    for name in WORDS[:2]:
        _sent(client, "POST", "/api/v1/wallet", {"name": name}, headers=bearer)
    key = _sent(client, "GET", "/api/v1/wallets", headers=bearer)[0]["adminkey"]
    for i in range(100):
        invoice = {"out": False, "amount": 100 + i, "memo": random.choice(WORDS)}
        _sent(client, "POST", "/api/v1/payments", invoice, headers={"X-Api-Key": key})
    return {**bearer, "X-Api-Key": key}


LNBITS_URLS = (
    "/api/v1/wallets",
    "/api/v1/wallet",
    "/api/v1/wallet/paginated",
    "/api/v1/payments",
    "/api/v1/payments/paginated",
    "/api/v1/payments/history",
    "/api/v1/payments/stats/daily",
    "/api/v1/payments/stats/wallets",
    "/users/api/v1/user",
    "/audit/api/v1/stats",
    "/admin/api/v1/settings",
    "/api/v1/currencies",
    "/api/v1/qrcode?data=lightning",
    # It asks others for the rate, each time with new clients.
    "/api/v1/rate/EUR",
)

LNBITS = App(
    name="lnbits",
    requirements=("lnbits==1.6.2", "bitstring==4.1.4", "fastapi==0.116.2", "uvicorn==0.40.0"),
    # Its own command starts this very server in a process that outlives it.
    command=lambda place: [
        *(place.tool("python"), "-m", "uvicorn", "lnbits.__main__:app", "--loop", "uvloop"),
        *("--host", "127.0.0.1", "--port", str(place.port)),
    ],
    env=lambda place: {
        "LNBITS_DATA_FOLDER": str(place.home),
        "LNBITS_EXTENSIONS_PATH": str(place.home),
        "LNBITS_BACKEND_WALLET_CLASS": "FakeWallet",
        "LNBITS_ADMIN_UI": "true",
        "LNBITS_RATE_LIMIT_NO": "1000000",
        "LNBITS_EXTENSIONS_DEFAULT_INSTALL": "",
        "FAKE_WALLET_SECRET": "nothing to hide",
    },
    # It looks for its static files from there.
    cwd=lambda place: place.packages,
    fill=_fill_lnbits,
    ready="/api/v1/health",
    # Many of its 80 endpoints are switched off without a Lightning node.
    traffic="url:" + ",".join(LNBITS_URLS),
    # The rate depends on what the others say.
    paths=lambda client: [*LNBITS_URLS[:-1]],
)

APPS = {app.name: app for app in (DATASETTE, PREFECT, PHOENIX, LNBITS)}
