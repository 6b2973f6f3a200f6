"""httpx and httpcore: calls, clients made in passing, connections, and waits for the pool."""

import asyncio
import sys
from collections.abc import Iterator

import httpx
import pytest

from slowpath.probe import http
from slowpath.probe.hooks.httpcore import HttpcoreHook
from slowpath.probe.hooks.httpx import HttpxHook
from tests.probe.recorder import recording
from tests.probe.servers import Server, http_server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with http_server() as server:
        yield server


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def here() -> int:
    """Return the line number of the caller."""
    return sys._getframe(1).f_lineno


def test_a_call_is_named_by_its_template_and_charged_to_the_line_that_made_it(server):
    async def main():
        async with httpx.AsyncClient() as client:
            response = await client.get(f"{server.url}/users/42?token=secret")
            return response.text, here() - 1

    with recording(HttpxHook(), HttpcoreHook()) as seen:
        text, line = seen.run(main())
    assert text == "answer to /users/42"
    [call] = seen.spans("http")
    assert call.resource == f"GET {server.place}/users/{{id}}"
    assert call.site[:2] == (__file__, line)
    assert call.b == len(text)
    assert call.is_async
    assert not call.failed
    assert "secret" not in str(seen.records)


def test_equal_calls_have_equal_hashes_and_others_do_not(server):
    async def main():
        async with httpx.AsyncClient() as client:
            for path in ("/a?x=1", "/a?x=1", "/a?x=2", "/b?x=1"):
                await client.get(server.url + path)

    with recording(HttpxHook()) as seen:
        seen.run(main())
    same, again, query, path = [span.a for span in seen.spans("http")]
    assert same == again
    assert len({same, query, path}) == 3
    assert same & 0xFFFFFFFF == query & 0xFFFFFFFF  # the bodies are equal


def test_a_client_made_in_a_request_and_its_connections_are_handshakes(server):
    async def main():
        made = here() + 1
        async with httpx.AsyncClient() as client:
            asked = here() + 1
            await client.get(server.url)
            await client.get(server.url)  # the connection is kept
        return made, asked

    with recording(HttpxHook(), HttpcoreHook()) as seen:
        made, asked = seen.run(main())
    client, connection = seen.spans("connect")
    assert (client.resource, client.site.line) == ("httpx.AsyncClient", made)
    assert (connection.resource, connection.site.line) == (f"tcp {server.place}", asked)
    assert not client.is_async
    assert connection.is_async


def test_waiting_for_the_client_s_own_pool(server):
    async def main():
        limits = httpx.Limits(max_connections=1)
        async with httpx.AsyncClient(limits=limits) as client:
            held = asyncio.create_task(client.get(f"{server.url}/held"))
            await asyncio.to_thread(server.busy.wait, 5)
            waiting = asyncio.create_task(client.get(f"{server.url}/next"))
            await asyncio.sleep(0.01)
            server.release.set()
            await asyncio.gather(held, waiting)

    with recording(HttpxHook(), HttpcoreHook()) as seen:
        seen.run(main())
    [wait] = seen.spans("http_pool_wait")
    first, second = sorted(seen.spans("http"), key=lambda span: span.start)
    assert (wait.resource, wait.b) == (server.place, 1)
    assert wait.line == second.line != first.line
    assert second.start <= wait.start < wait.end <= second.end
    assert [span for span in seen.spans("await") if span.line == wait.line] == []


def test_giving_up_on_the_pool_is_a_failed_wait(server):
    server.busy.clear()
    server.release.clear()

    async def main():
        limits = httpx.Limits(max_connections=1)
        async with httpx.AsyncClient(limits=limits) as client:
            held = asyncio.create_task(client.get(f"{server.url}/held"))
            await asyncio.to_thread(server.busy.wait, 5)
            with pytest.raises(httpx.PoolTimeout):
                await client.get(server.url, timeout=httpx.Timeout(5, pool=0.01))
            server.release.set()
            await held

    with recording(HttpxHook(), HttpcoreHook()) as seen:
        seen.run(main())
    [wait] = seen.spans("http_pool_wait")
    assert wait.failed
    assert [span.failed for span in seen.spans("http")] == [True, False]


def test_a_streamed_body_is_not_read_for_us(server):
    async def main():
        async with (
            httpx.AsyncClient() as client,
            client.stream("POST", f"{server.url}/s", content=b"in") as response,
        ):
            assert not response.is_closed
            return [chunk async for chunk in response.aiter_bytes()]

    with recording(HttpxHook()) as seen:
        assert seen.run(main()) == [b"answer to /s"]
    [call] = seen.spans("http")
    assert (call.resource, call.a, call.b) == (f"POST {server.place}/s", -1, -1)


def test_synchronous_client(server):
    with recording(HttpxHook(), HttpcoreHook()) as seen, seen.line():
        text = httpx.get(f"{server.url}/sync").text
        line = here() - 1
    assert text == "answer to /sync"
    [call] = seen.spans("http")
    assert (call.site.line, call.b, call.is_async) == (line, len(text), False)
    assert [span.resource for span in seen.spans("connect")] == [
        "httpx.Client",
        f"tcp {server.place}",
    ]


def test_results_and_exceptions_are_the_same_with_and_without(server):
    async def main():
        outcome = []
        async with httpx.AsyncClient() as client:
            for path in ("/ok", "/redirect"):
                response = await client.get(server.url + path)
                outcome += [response.status_code, response.text, dict(response.headers).keys()]
            response = await client.get(f"{server.url}/redirect", follow_redirects=True)
            outcome += [response.text, [old.status_code for old in response.history]]
            for url in ("http://127.0.0.1:1/", "ftp://127.0.0.1/", "/relative"):
                try:
                    await client.get(url)
                except httpx.HTTPError as exc:
                    outcome.append((type(exc), str(exc)))
        try:
            await client.get(server.url)
        except RuntimeError as exc:
            outcome.append(str(exc))
        with pytest.raises(TypeError):
            await client.send()
        return outcome

    plain = asyncio.run(main())
    with recording(HttpxHook(), HttpcoreHook()) as seen:
        assert seen.run(main()) == plain
    assert [span.failed for span in seen.spans("http")] == [False] * 3 + [True] * 5


@pytest.mark.parametrize("hook", [HttpxHook, HttpcoreHook])
def test_a_broken_hook_never_reaches_the_app(server, hook):
    async def main():
        async with httpx.AsyncClient() as client:
            return [(await client.get(f"{server.url}/{n}")).text for n in "ab"]

    with recording(hook(), broken=True) as seen:
        assert seen.run(main()) == ["answer to /a", "answer to /b"]


@pytest.mark.parametrize(
    ("scheme", "port", "place"),
    [("https", 443, "api"), ("https", 8443, "api:8443"), ("http", None, "api")],
)
def test_only_an_unusual_port_is_told(scheme, port, place):
    assert http.origin(scheme, "api", port) == place


def test_hash_fits_a_signed_field_and_tells_bodies_apart():
    values = [http.answer("GET", f"http://api/{n}", b"x" * n)[0] for n in range(50)]
    assert len(set(values)) == 50
    assert all(-(1 << 63) <= value < 1 << 63 for value in values)
    assert http.answer("GET", "http://api/", None) == (-1, -1)
