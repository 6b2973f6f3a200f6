"""aiohttp's client: a call until headers, its body, its connector's limit, its sessions."""

import asyncio
import sys
from collections.abc import Iterator

import aiohttp
import pytest

from slowpath.probe.hooks.aiohttp import AiohttpHook
from tests.probe.recorder import recording
from tests.probe.servers import Server, http_server


@pytest.fixture
def server() -> Iterator[Server]:
    with http_server() as server:
        yield server


def here() -> int:
    """Return the line number of the caller."""
    return sys._getframe(1).f_lineno


def test_headers_and_body_are_charged_to_their_lines(server):
    lines = {}

    async def main():
        lines["session"] = here() + 1
        async with aiohttp.ClientSession() as session:
            lines["call"] = here() + 1
            async with session.get(f"{server.url}/users/42", params={"token": "secret"}) as answer:
                lines["body"] = here() + 1
                text = await answer.text()
                assert await answer.read() == text.encode()  # from memory
                return text

    with recording(AiohttpHook()) as seen:
        text = seen.run(main())
    assert text == "answer to /users/42"
    headers, body = seen.spans("http")
    assert headers.resource == body.resource == f"GET {server.place}/users/{{id}}"
    assert headers.site[:2] == (__file__, lines["call"])
    assert body.site[:2] == (__file__, lines["body"])
    assert (headers.a, headers.b, body.b) == (-1, -1, len(text))
    session, connection = seen.spans("connect")
    assert (session.resource, session.site.line) == ("aiohttp.ClientSession", lines["session"])
    assert connection.resource == f"tcp {server.place}"
    assert connection.site.line == lines["call"]
    assert "secret" not in str(seen.records)
    # The session's end is a wait of its own.
    assert [span for span in seen.spans("await") if span.start < body.end] == []


def test_equal_calls_have_equal_hashes_and_the_connection_is_kept(server):
    async def main():
        async with aiohttp.ClientSession() as session:
            for path in ("/a?x=1", "/a?x=1", "/a?x=2"):
                async with session.get(server.url + path) as answer:
                    await answer.read()

    with recording(AiohttpHook()) as seen:
        seen.run(main())
    first, again, other = [span.a for span in seen.spans("http") if span.b >= 0]
    assert first == again != other
    assert len(seen.spans("connect")) == 2


@pytest.mark.parametrize("limit", [{"limit": 1}, {"limit_per_host": 1}], ids=["all", "host"])
def test_waiting_for_the_connector_s_limit(server, limit):
    async def main():
        connector = aiohttp.TCPConnector(**limit)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def call(path):
                async with session.get(server.url + path) as answer:
                    await answer.read()

            held = asyncio.create_task(call("/held"))
            await asyncio.to_thread(server.busy.wait, 5)
            waiting = asyncio.create_task(call("/next"))
            await asyncio.sleep(0.01)
            server.release.set()
            await asyncio.gather(held, waiting)

    with recording(AiohttpHook()) as seen:
        seen.run(main())
    [wait] = seen.spans("http_pool_wait")
    calls = [span for span in seen.spans("http") if span.line == wait.line]
    assert (wait.resource, wait.b) == (server.place, 1)
    assert calls[0].start <= wait.start < wait.end <= calls[0].end


def test_results_and_exceptions_are_the_same_with_and_without(server):
    async def main():
        outcome = []
        async with aiohttp.ClientSession(server.url) as session:
            for url in ("/ok", "/redirect", "http://127.0.0.1:1/", "nonsense:", 7):
                try:
                    async with session.get(url) as answer:
                        outcome += [answer.status, await answer.text(), len(answer.history)]
                except (aiohttp.ClientError, TypeError, ValueError, AssertionError) as exc:
                    outcome.append(type(exc))
        try:
            await session.get("/closed")
        except RuntimeError as exc:
            outcome.append(str(exc))
        return outcome

    plain = asyncio.run(main())
    with recording(AiohttpHook()) as seen:
        assert seen.run(main()) == plain
    resources = [span.resource for span in seen.spans("http") if not span.failed]
    assert resources == [f"GET {server.place}/ok"] * 2 + [f"GET {server.place}/redirect"] * 2
    refused = next(span for span in seen.spans("http") if span.failed)
    assert refused.resource == "GET 127.0.0.1:1/"


def test_a_broken_hook_never_reaches_the_app(server):
    async def main():
        async with aiohttp.ClientSession() as session:
            texts = []
            for name in "ab":
                async with session.get(f"{server.url}/{name}") as answer:
                    texts.append(await answer.text())
            return texts

    with recording(AiohttpHook(), broken=True) as seen:
        assert seen.run(main()) == ["answer to /a", "answer to /b"]
