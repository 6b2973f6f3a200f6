"""Nothing that a client sent, a database holds or a URL hides gets into the recording."""

import asyncio
import logging
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import Body, Cookie, Depends, FastAPI, Header, HTTPException, WebSocket
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from starlette.testclient import TestClient

from slowpath.probe import core
from slowpath.probe.hooks import fastapi as fastapi_hooks
from slowpath.probe.hooks import starlette as starlette_hooks
from tests.probe.probed import probed
from tests.probe.servers import http_server

#: Letters only: what looks like an id is the easy part.
PLACES = """
    query header cookie body bodykey item deeppath unmatched mountparam static file authorization
    literal parameter identifier dsnpassword dsnuser dsnquery upstreamquery upstreamid upstreambody
    upstreamuser upstreampassword upstreamheader websocketpath websockettext exception detail
    validation streamed answer responseheader taskname log redirect fragment inlist comment
    """.split()
#: None of these may ever be found in the files.
SECRETS = {place: f"zq{place}qz" for place in PLACES}


def app_with_secrets(folder: Path, upstream: str) -> FastAPI:
    """An app that handles a secret at every place."""
    s = SECRETS
    engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
    # The password is in the URL of an engine that is made, and of one that cannot connect.
    hidden = f"{s['dsnuser']}:{s['dsnpassword']}@127.0.0.1:1/app?application_name={s['dsnquery']}"
    broken = sa.create_engine(f"postgresql+psycopg://{hidden}", connect_args={"connect_timeout": 1})
    app = FastAPI()
    inner = FastAPI()

    def user(authorization: str = Header(""), session: str = Cookie("")) -> str:
        return authorization + session

    @app.get("/query")
    async def query(q: str, who: str = Depends(user), x_key: str = Header("")) -> Any:
        return JSONResponse({"answer": s["answer"], "q": q}, headers={"x-out": s["responseheader"]})

    @app.post("/body")
    async def body(data: Annotated[dict[str, Any], Body()]) -> dict[str, Any]:
        return data

    @app.post("/numbers")
    async def numbers(data: Annotated[list[int], Body()]) -> list[int]:
        return data

    @app.get("/items/{item}")
    def item(item: str) -> dict[str, str]:
        return {item: item * 1000}

    @app.get("/tree/{rest:path}")
    async def tree(rest: str) -> str:
        return rest

    @app.get("/database")
    def database() -> int:
        with engine.begin() as connection:
            connection.execute(sa.text("create table if not exists t (a text, b text)"))
            connection.execute(
                sa.text("insert into t values (:a, :b)"), {"a": s["parameter"], "b": 1}
            )
            connection.execute(sa.text(f"select a from t where a = '{s['literal']}'"))
            connection.execute(sa.text(f"select a from t where a in ('{s['inlist']}', 'b')"))
            connection.execute(sa.text(f"select a from t /* {s['comment']} */"))
            rows = connection.execute(sa.text("select * from t")).all()
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql(f"select nothing from '{s['literal']}")
        except sa.exc.SQLAlchemyError as exc:
            logging.getLogger("app").debug(exc)
        try:
            broken.connect()
        except sa.exc.SQLAlchemyError as exc:
            logging.getLogger("app").debug(exc)
        return len(rows)

    @app.get("/upstream")
    async def ask() -> int:
        credentials = (s["upstreamuser"], s["upstreampassword"])
        url = f"{upstream}/users/{s['upstreamid']}7?token={s['upstreamquery']}#{s['fragment']}"
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.post(
                url,
                auth=credentials,
                headers={"x-secret": s["upstreamheader"]},
                json={"secret": s["upstreambody"]},
            )
            withuser = upstream.replace("//", f"//{s['upstreamuser']}:{s['upstreampassword']}@")
            await client.get(f"{withuser}/held/1")
        return answer.status_code

    @app.get("/fail")
    async def fail() -> None:
        raise RuntimeError(s["exception"])

    @app.get("/refuse")
    async def refuse() -> None:
        raise HTTPException(418, s["detail"])

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def parts() -> Any:
            for _ in range(3):
                yield s["streamed"]
                await asyncio.sleep(0.002)

        return StreamingResponse(parts())

    @app.get("/task")
    async def task() -> None:
        async def named() -> None:
            logging.getLogger(s["log"]).debug(s["log"])
            await asyncio.sleep(0.002)

        await asyncio.create_task(named(), name=s["taskname"])

    @app.websocket("/socket/{room}")
    async def socket(socket: WebSocket, room: str) -> None:
        await socket.accept()
        await socket.send_text(room + await socket.receive_text())

    @inner.get("/in/{name}")
    async def within(name: str) -> str:
        return name

    app.mount("/tenants/{tenant}", inner)
    app.mount("/static", StaticFiles(directory=folder))
    return app


@pytest.fixture
def all_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "FLOOR_NS", 0)
    monkeypatch.setattr(fastapi_hooks, "FLOOR_NS", 0)
    monkeypatch.setattr(starlette_hooks, "FLOOR_NS", 0)


def use(client: TestClient) -> None:
    """Send a secret at every place."""
    s = SECRETS
    headers = {"authorization": f"Bearer {s['authorization']}", "x-key": s["header"]}
    client.cookies.set("session", s["cookie"])
    client.get("/query", params={"q": s["query"]}, headers=headers)
    client.post("/body", json={s["bodykey"]: s["body"]})
    client.post("/numbers", json=[s["validation"]])
    client.get(f"/items/{s['item']}")
    client.get(f"/tree/a/{s['deeppath']}/b")
    client.get(f"/{s['unmatched']}/reset")
    client.get(f"/items/{s['redirect']}/", follow_redirects=False)
    client.options(f"/items/{s['item']}", headers={"origin": s["header"]})
    client.get(f"/tenants/{s['mountparam']}/in/bob")
    client.get(f"/tenants/{s['mountparam']}/nothing")
    client.get(f"/static/{s['file']}.txt")
    client.get(f"/static/{s['static']}.txt")
    for path in ("/database", "/upstream", "/fail", "/refuse", "/stream", "/task"):
        client.get(path)
    with client.websocket_connect(f"/socket/{s['websocketpath']}") as socket:
        socket.send_text(s["websockettext"])
        socket.receive_text()


@pytest.mark.usefixtures("all_is_recorded")
def test_no_secret_is_in_any_byte_of_the_recording(tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / f"{SECRETS['file']}.txt").write_text("content")
    with http_server() as upstream, probed(tmp_path / "run") as run:
        app = app_with_secrets(files, upstream.url)
        use(TestClient(app, raise_server_exceptions=False))
    written = run.raw().decode("utf-8", "replace").lower()
    assert {place: secret for place, secret in SECRETS.items() if secret in written} == {}
    # It is not silence that kept them.
    routes = {request.route.replace(":path}", "}") for request in run.recording.requests}
    expected = {"/query", "/items/{item}", "/tree/{rest}", "/{unmatched}", "/socket/{room}"}
    assert expected <= routes
    assert {"/tenants/{tenant}/in/{name}", "/static/{path}"} <= routes
    texts = " ".join(run.recording.texts)
    assert "select a from t where a = ?" in texts
    assert "POST 127.0.0.1" in texts
