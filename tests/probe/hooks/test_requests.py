"""requests and urllib3: one span a call, sessions made in passing, connections, full pools."""

import sys
import threading
from collections.abc import Iterator

import pytest
import requests
import urllib3
from requests.adapters import HTTPAdapter

from slowpath.probe.hooks.requests import RequestsHook
from slowpath.probe.hooks.urllib3 import Urllib3Hook
from tests.probe.recorder import recording
from tests.probe.servers import Server, http_server


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with http_server() as server:
        yield server


def here() -> int:
    """Return the line number of the caller."""
    return sys._getframe(1).f_lineno


def test_requests_get_makes_a_session_and_a_connection_for_one_call(server):
    with recording(RequestsHook(), Urllib3Hook()) as seen, seen.line():
        text = requests.get(f"{server.url}/users/7?token=secret").text
        line = here() - 1
    [call] = seen.spans("http")
    assert call.resource == f"GET {server.place}/users/{{id}}"
    assert call.b == len(text)
    session, connection = seen.spans("connect")
    assert session.resource == "requests.Session"
    assert connection.resource == f"tcp {server.place}"
    assert {span.site[:2] for span in (call, session, connection)} == {(__file__, line)}
    assert not call.is_async
    assert "secret" not in str(seen.records)


def test_a_session_keeps_its_connection_and_equal_calls_have_equal_hashes(server):
    with (
        recording(RequestsHook(), Urllib3Hook()) as seen,
        seen.line(),
        requests.Session() as session,
    ):
        for path in ("/a?x=1", "/a?x=1", "/a?x=2"):
            session.get(server.url + path)
    first, again, other = [span.a for span in seen.spans("http")]
    assert first == again != other
    assert len(seen.spans("connect")) == 2


def test_redirects_are_part_of_the_call(server):
    with recording(RequestsHook(), Urllib3Hook()) as seen, seen.line():
        response = requests.get(f"{server.url}/redirect")
    assert response.text == "answer to /elsewhere"
    assert [old.status_code for old in response.history] == [302]
    [call] = seen.spans("http")
    assert (call.resource, call.b) == (f"GET {server.place}/redirect", len(response.text))


def test_a_streamed_body_is_not_read_for_us(server):
    with (
        recording(RequestsHook()) as seen,
        seen.line(),
        requests.get(f"{server.url}/s", stream=True) as response,
    ):
        assert not response._content_consumed
        assert b"".join(response.iter_content(3)) == b"answer to /s"
    [call] = seen.spans("http")
    assert (call.a, call.b) == (-1, -1)


def test_urllib3_alone(server):
    with recording(Urllib3Hook()) as seen, seen.line(), urllib3.PoolManager() as manager:
        body = manager.request("GET", f"{server.url}/plain?x=1").data
        assert manager.request("GET", f"{server.url}/redirect").data == b"answer to /elsewhere"
    plain, redirect = seen.spans("http")[:2]
    assert (plain.resource, plain.b) == (f"GET {server.place}/plain", len(body))
    assert redirect.resource == f"GET {server.place}/redirect"
    assert [span.resource for span in seen.spans("connect")] == [f"tcp {server.place}"]


def test_waiting_for_a_pool_that_blocks(server):
    with recording(RequestsHook(), Urllib3Hook()) as seen, requests.Session() as session:
        session.mount("http://", HTTPAdapter(pool_maxsize=1, pool_block=True))
        other = threading.Thread(target=session.get, args=(f"{server.url}/held",))
        other.start()
        assert server.busy.wait(5)
        threading.Timer(0.02, server.release.set).start()
        with seen.line():
            assert session.get(f"{server.url}/next").text == "answer to /next"
        other.join()
    [wait] = seen.spans("http_pool_wait")
    [call] = seen.spans("http")
    assert (wait.resource, wait.b) == (server.place, 1)
    assert call.start <= wait.start < wait.end <= call.end


def test_results_and_exceptions_are_the_same_with_and_without(server):
    def outcomes():
        outcome = []
        for url in (
            f"{server.url}/ok",
            "http://127.0.0.1:1/",
            "nonsense",
            "ftp://127.0.0.1/",
            "http://",
        ):
            try:
                response = requests.get(url, timeout=5)
                outcome.append((response.status_code, response.text, sorted(response.headers)))
            except requests.RequestException as exc:
                outcome.append(type(exc))
        with pytest.raises(ValueError, match="PreparedRequest"):
            requests.Session().send(requests.Request("GET", server.url))
        return outcome

    plain = outcomes()
    with recording(RequestsHook(), Urllib3Hook()) as seen, seen.line():
        assert outcomes() == plain
    assert [span.failed for span in seen.spans("http")] == [False, True, True, True]


@pytest.mark.parametrize("hook", [RequestsHook, Urllib3Hook])
def test_a_broken_hook_never_reaches_the_app(server, hook):
    with recording(hook(), broken=True) as seen, seen.line():
        for name in "ab":
            assert requests.get(f"{server.url}/{name}").text == f"answer to /{name}"
