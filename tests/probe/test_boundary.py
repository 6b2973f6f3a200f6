"""The boundary of a request: what is told of it, and that nothing of it changes for the app."""

from __future__ import annotations

import asyncio
import re
import traceback
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.responses import PlainTextResponse
from starlette.routing import Host, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient

from slowpath.probe import asgi, routes
from tests.probe.apps import sample
from tests.probe.probed import Run, probed

Message = dict[str, Any]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with probed(tmp_path / "run") as run:
        yield run


def exchange(
    app: Any, received: list[Message] = (), /, *, answer: Any = None, **scope: Any
) -> list[Message]:
    """Call an app as a server would, in a task of its own; return what it sent.

    Args:
        received: what the client sends; then it disconnects.
        answer: called with each message that the app sends; may raise or wait.
    """
    waiting = list(received) or [{"type": "http.request", "body": b"", "more_body": False}]
    sent: list[Message] = []
    full = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
    full |= {"asgi": {"version": "3.0"}, "root_path": "", **scope}

    async def receive() -> Message:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)
        if answer is not None:
            await answer(message)

    async def serve() -> None:
        await asyncio.create_task(served(full, receive, send))

    served = app if isinstance(app, Starlette) else asgi.FRAMEWORK.around(app)
    asyncio.run(serve())
    return sent


def plain(body: bytes = b"ok", status: int = 200) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})

    return app


# What is told


def test_a_request_is_told_with_its_sizes_status_and_endpoint(run: Run) -> None:
    client = TestClient(sample.app)
    answer = client.post("/v1/items", json={"name": "n", "price": 2})
    assert answer.status_code == 201
    run.flush()
    [request] = run.recording.requests
    assert (request.method, request.route, request.status) == ("POST", "/v1/items", 201)
    assert request.bytes_out == len(answer.content)
    assert request.bytes_in == len(answer.request.content)
    site = run.recording.sites[request.handler]
    assert (Path(site.path).name, site.function) == ("sample.py", "add_item")
    assert request.start_ns <= request.began_ns < request.first_byte_ns <= request.end_ns
    flags = (request.websocket, request.streamed, request.disconnected, request.failed)
    assert not any(flags)


ROUTES = {
    "/v1/items/7": "/v1/items/{item_id}",
    "/v1/items/sync/secret-id": "/v1/items/sync/{item_id}",
    "/inner/acme/deep/bob": "/inner/{tenant}/deep/{name}",
    "/inner/acme/deep/n": "/inner/{tenant}/deep/{name}",  # a value that the mount has in it
    "/inner/acme/nothing/secret": "/inner/{tenant}/{path}",
    "/v1/items/404": "/v1/items/{item_id}",
    "/reset/secret": routes.UNMATCHED,
    "/v1/secret": routes.UNMATCHED,
    "/openapi.json": "/openapi.json",
}


@pytest.mark.parametrize(("path", "route"), ROUTES.items(), ids=ROUTES.keys())
def test_fastapi_routes(run: Run, path: str, route: str) -> None:
    client = TestClient(sample.app)
    client.get(path)
    client.head(path)
    run.flush()
    assert {request.route for request in run.recording.requests} == {route}
    assert [request.method for request in run.recording.requests] == ["GET", "HEAD"]


class Endpoint(HTTPEndpoint):
    async def get(self, request: Any) -> PlainTextResponse:
        return PlainTextResponse("ok")


async def give(request: Any) -> PlainTextResponse:
    return PlainTextResponse("ok")


STARLETTE_ROUTES = {
    "/users/bob": "/users/{name}",
    "/files/secret.json": "/files/{name}.json",
    "/tree/a/b/c": "/tree/{rest}",
    "/class/bob": "/class/{name}",
    "/t/acme/in/bob": "/t/{tenant}/in/{name}",
    "/t/acme/out/bob": "/t/{tenant}/{path}",
    "/static/secret.txt": "/static/{path}",
    "/nowhere/secret": routes.UNMATCHED,
}


@pytest.mark.parametrize(("path", "route"), STARLETTE_ROUTES.items(), ids=STARLETTE_ROUTES.keys())
def test_starlette_routes(run: Run, tmp_path: Path, path: str, route: str) -> None:
    (tmp_path / "secret.txt").write_text("file")
    app = Starlette(
        routes=[
            Route("/users/{name}", give),
            Route("/files/{name}.json", give),
            Route("/tree/{rest:path}", give),
            Route("/class/{name}", Endpoint),
            Mount("/t/{tenant}", routes=[Route("/in/{name}", give)]),
            Mount("/static", StaticFiles(directory=tmp_path)),
            Host("api.example.org", Mount("/", routes=[Route("/in/{name}", give)])),
        ]
    )
    TestClient(app).get(path)
    run.flush()
    told = [request.route.replace(":path}", "}") for request in run.recording.requests]
    assert told == [route]


def test_a_preflight_and_a_redirect_keep_no_path(run: Run) -> None:
    exchange(plain(), method="OPTIONS", path="/users/bob")
    client = TestClient(Starlette(routes=[Route("/users/{name}/", give)]))
    assert client.get("/users/bob", follow_redirects=False).status_code == 307
    run.flush()
    assert [request.route for request in run.recording.requests] == [routes.UNMATCHED] * 2


def test_a_pure_asgi_app_is_told_by_path_with_what_looks_like_an_id_left_out(run: Run) -> None:
    exchange(plain(), path="/users/42/mail/ann@example.org/tokens/0f3a")
    exchange(plain(status=404), path="/users/ann")
    run.flush()
    assert [request.route for request in run.recording.requests] == [
        "/users/{id}/mail/{id}/tokens/{id}",
        routes.UNMATCHED,
    ]


def test_a_stream_is_told_by_its_first_byte(run: Run) -> None:
    answer = TestClient(sample.app).get("/stream")
    run.flush()
    [request] = run.recording.requests
    assert request.streamed
    assert request.bytes_out == len(answer.content) > 0
    assert request.start_ns < request.first_byte_ns < request.end_ns
    assert request.answered_ns == request.first_byte_ns


def test_a_websocket_is_one_request(run: Run) -> None:
    with TestClient(sample.app).websocket_connect("/echo/secret-room") as socket:
        socket.send_text("hi")
        assert socket.receive_text() == "secret-room: hi"
    run.flush()
    [request] = run.recording.requests
    assert request.websocket
    assert (request.route, request.status) == ("/echo/{room}", 101)
    assert (request.bytes_in, request.bytes_out) == (2, len("secret-room: hi"))


def test_a_client_that_leaves_before_the_answer_and_one_that_leaves_after(run: Run) -> None:
    async def waits(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    async def listens_on(scope: Any, receive: Any, send: Any) -> None:
        await plain()(scope, receive, send)
        await waits(scope, receive, send)

    exchange(waits, path="/before")
    exchange(listens_on, path="/after")
    run.flush()
    assert run.request("/before").disconnected
    assert run.request("/before").status == 0
    assert not run.request("/after").disconnected
    assert run.request("/after").status == 200


def test_an_app_called_within_a_request_is_part_of_it(run: Run) -> None:
    async def outer(scope: Any, receive: Any, send: Any) -> None:
        transport = httpx.ASGITransport(app=sample.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://in") as client:
            answer = await client.get("/v1/items/7")
        await plain(answer.content)(scope, receive, send)

    [_, body] = exchange(outer, path="/outer")
    assert b"item 7" in body["body"]
    run.flush()
    assert [request.route for request in run.recording.requests] == ["/outer"]


def test_one_task_may_serve_one_request_after_another(run: Run) -> None:
    async def serve() -> None:
        boundary = asgi.FRAMEWORK.around(plain())
        for path in ("/a", "/b"):
            scope = {"type": "http", "method": "GET", "path": path, "headers": []}
            await boundary(scope, nothing, ignore)

    asyncio.run(serve())
    run.flush()
    assert [request.route for request in run.recording.requests] == ["/a", "/b"]


async def nothing() -> Message:
    return {"type": "http.request"}


async def ignore(message: Message) -> None:
    pass


# What passes through unchanged


class Mistake(Exception):
    pass


@pytest.mark.parametrize("kind", [Mistake, asyncio.CancelledError, KeyboardInterrupt])
def test_what_an_app_raises_reaches_the_server_with_its_traceback(run: Run, kind: Any) -> None:
    mistake = kind("on purpose")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise mistake

    caught: list[BaseException] = []

    async def server(scope: Any, receive: Any, send: Any) -> None:
        try:
            await asgi.FRAMEWORK.around(app)(scope, receive, send)
        except BaseException as exc:
            caught.append(exc)

    async def serve() -> None:
        scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
        await asyncio.create_task(server(scope, nothing, ignore))

    asyncio.run(serve())
    assert caught == [mistake]
    assert [frame.name for frame in traceback.extract_tb(mistake.__traceback__)][-1] == "app"
    assert mistake.__context__ is None
    run.flush()
    [request] = run.recording.requests
    assert (request.failed, request.cancelled) == (kind is Mistake, kind is not Mistake)


def test_what_a_server_raises_reaches_the_app(run: Run) -> None:
    caught: list[BaseException] = []
    mistake = OSError("gone")

    async def refuse(message: Message) -> None:
        if message["type"] == "http.response.body":
            raise mistake

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for more in (True, False):
            try:
                await plain()(scope, receive, send)
                await send({"type": "http.response.body", "body": b"", "more_body": more})
            except OSError as exc:
                caught.append(exc)

    exchange(app, answer=refuse)
    assert caught == [mistake, mistake]


def test_messages_are_the_very_objects(run: Run) -> None:
    first = {"type": "http.request", "body": memoryview(b"view"), "more_body": False}
    start = {"type": "http.response.start", "status": 200, "headers": iter([(b"a", b"b")])}
    body = {"type": "http.response.body", "body": bytearray(b"array"), "more_body": True}
    other = {"type": "http.response.trailers", "headers": []}
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.extend([await receive(), scope["state"]])
        for message in (start, body, other):
            await send(message)

    state: dict[str, Any] = {}
    sent = exchange(app, [first], state=state)
    assert [id(message) for message in sent] == [id(message) for message in (start, body, other)]
    assert list(start["headers"]) == [(b"a", b"b")]
    assert seen[0] is first
    assert seen[1] is state
    run.flush()
    [request] = run.recording.requests
    assert (request.bytes_in, request.bytes_out) == (4, 5)


class Server:
    """What servers give an app: methods of an object for each exchange."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    async def receive(self) -> Any:
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)


def test_what_comes_after_the_end_still_goes_between_app_and_server(run: Run) -> None:
    server = Server()
    kept: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        kept.extend((receive, send))
        await send({"type": "http.response.start", "status": 204})

    late = {"type": "http.response.body", "body": b"late"}

    async def main() -> Any:
        served = asgi.FRAMEWORK.around(app)
        await asyncio.create_task(served({"type": "http"}, server.receive, server.send))
        await kept[1](late)
        return await kept[0]()

    assert asyncio.run(main()) == {"type": "http.disconnect"}
    assert server.sent[1:] == [late]
    run.flush()
    [request] = run.recording.requests
    assert (request.status, request.bytes_out) == (204, 0)


MALFORMED = {
    "no type": {"status": 200},
    "no status": {"type": "http.response.start"},
    "status of another kind": {"type": "http.response.start", "status": None},
    "no body": {"type": "http.response.body", "body": None},
    "body of another kind": {"type": "http.response.body", "body": 3},
    "odd headers": {"type": "http.response.start", "status": 200, "headers": [1]},
    "no dictionary": [],
}


@pytest.mark.parametrize("message", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_message_is_for_the_server_to_judge(run: Run, message: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(message)
        await send({"type": "http.response.body", "body": b"x", "more_body": True})

    assert exchange(app)[0] is message
    exchange(plain(), path="/next")
    assert asgi.FRAMEWORK.enabled
    run.flush()
    assert run.request("/next").status == 200


def test_other_scopes_pass_and_are_no_requests(run: Run) -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])
        await send({"type": "lifespan.startup.complete"})

    assert exchange(app, type="lifespan") == [{"type": "lifespan.startup.complete"}]
    assert seen == ["lifespan"]
    run.flush()
    assert run.recording.requests == []


def test_what_waits_is_written_when_the_lifespan_ends(run: Run) -> None:
    with TestClient(sample.app) as client:
        client.get("/stream")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        pass

    exchange(app, type="lifespan")
    assert b"/stream" in run.raw()


@pytest.mark.parametrize("path", ["/stream", "/v1/items/7", "/background", "/gather"])
def test_answers_are_equal_to_those_without_the_probe(tmp_path: Path, path: str) -> None:
    def answer() -> tuple[int, dict[str, str], bytes]:
        found = TestClient(sample.app).get(path)
        return found.status_code, dict(found.headers), found.content

    bare = answer()
    with probed(tmp_path):
        assert answer() == bare


# traceparent


def header(span: str = "00f067aa0ba902b7", **parts: str) -> bytes:
    filled = {"version": "00", "trace": "4bf92f3577b34da6a3ce929d0e0e4736", "flags": "01", **parts}
    return "{version}-{trace}-{span}-{flags}".format(span=span, **filled).encode()


TRACEPARENTS = {
    "as it should be": (header(), 0x00F067AA0BA902B7),
    "above the signed range": (header("ff" * 8), -1),
    "a later version with more": (header(version="01", flags="01-extra"), 0x00F067AA0BA902B7),
    "the version that never is": (header(version="ff"), 0),
    "upper case": (header("00F067AA0BA902B7"), 0),
    "not hexadecimal": (header("00f067aa0ba902bz"), 0),
    "a sign": (header("-0f067aa0ba902b7"), 0),
    "underscores": (header("00f0_67aa0ba902b"), 0),
    "short": (header()[:50], 0),
    "empty": (b"", 0),
    "longer than a number": (header("0" * 17), 0),
    "no bytes of text": (b"\xff" * 55, 0),
}


def spans_of(*values: bytes) -> int:
    return asgi.client_span({"headers": [(b"host", b"x"), *((b"traceparent", v) for v in values)]})


@pytest.mark.parametrize(("value", "span"), TRACEPARENTS.values(), ids=TRACEPARENTS.keys())
def test_a_span_of_the_client(value: bytes, span: int) -> None:
    assert spans_of(value) == span


def test_of_two_headers_the_first_counts() -> None:
    assert spans_of(header("0" * 15 + "1"), header("0" * 15 + "2")) == 1
    assert spans_of() == 0


@given(st.one_of(st.binary(max_size=80), st.from_regex(re.compile(rb"[0-9a-f_+ -]{50,60}"))))
def test_no_header_is_an_error(value: bytes) -> None:
    assert -(1 << 63) <= spans_of(value) < 1 << 63


@given(st.integers(0, (1 << 64) - 1))
def test_any_span_is_read_back(span: int) -> None:
    assert spans_of(header(f"{span:016x}")) % (1 << 64) == span


ODD_HEADERS = [None, [], [(b"traceparent", None)], [("traceparent", "x")], [(b"a",)], iter(())]


@pytest.mark.parametrize(
    "headers",
    ODD_HEADERS,
    ids=["none", "empty", "no value", "text", "one part", "an iterator"],
)
def test_odd_headers_of_a_server_neither_raise_nor_end_the_recording(
    run: Run, headers: Any
) -> None:
    exchange(plain(), headers=headers, path="/odd")
    exchange(plain(), path="/next")
    run.flush()
    assert [request.route for request in run.recording.requests] == ["/odd", "/next"]


# Patches of others


def test_a_patch_made_over_ours_outlives_it(tmp_path: Path) -> None:
    seen: list[str] = []
    bare = Starlette.__call__

    def instrumented(original: Callable[..., Awaitable[None]]) -> Any:
        async def call(app: Any, scope: Any, receive: Any, send: Any) -> None:
            seen.append(scope["path"])
            await original(app, scope, receive, send)

        return call

    try:
        with probed(tmp_path) as run:
            Starlette.__call__ = instrumented(Starlette.__call__)  # type: ignore[method-assign]
            asgi.FRAMEWORK.rest()  # as when a server's own boundary takes over
            assert TestClient(sample.app).get("/gather").status_code == 200
        assert TestClient(sample.app).get("/stream").status_code == 200
        assert seen == ["/gather", "/stream"]
        assert run.recording.requests == []
    finally:
        Starlette.__call__ = bare  # type: ignore[method-assign]


def test_servers_take_a_patched_starlette_for_asgi_3(run: Run) -> None:
    uvicorn = pytest.importorskip("uvicorn")
    config = uvicorn.Config(Starlette(routes=[Route("/", give)]), log_config=None)
    config.load()
    assert config.interface == "asgi3"


def test_the_probe_leaves_no_patch(tmp_path: Path) -> None:
    watched = [(asyncio.BaseEventLoop, "create_task"), (Starlette, "__call__")]
    before = [vars(owner)[name] for owner, name in watched]
    with probed(tmp_path):
        assert all(
            vars(owner)[name] is not old for (owner, name), old in zip(watched, before, strict=True)
        )
    assert [vars(owner)[name] for owner, name in watched] == before
