"""The page while a run goes on: who may read it, and that it follows the run."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from slowpath.errors import UserError
from slowpath.recording.folder import RunFolder
from slowpath.report import save
from slowpath.report.html import page_of
from slowpath.report.live import LiveServer
from slowpath.run import viewer
from tests.report.page.busy import busy
from tests.report.page.test_page_browser import Watched, told


@contextmanager
def serving(draw: Any) -> Iterator[LiveServer]:
    with LiveServer(draw) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Two pages of one run: after 60 and after 120 requests."""
    found = []
    for count in (60, 120):
        root = tmp_path_factory.mktemp("app")
        found.append(page_of(*busy(count, root), root=root))
    return found


@pytest.fixture
def server(pages):
    with serving(lambda: (pages[0], "1")) as server:
        yield server


def ask(
    server: LiveServer, path: str, method: str = "GET", host: str | None = None, **headers: str
) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection(*server.server_address, timeout=10)
    connection.putrequest(method, path, skip_host=True)
    if host != "":
        connection.putheader("Host", host or "{}:{}".format(*server.server_address))
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, dict(answer.getheaders()), body


def test_it_listens_on_this_machine_alone(server):
    assert server.server_address[0] == "127.0.0.1"
    assert urlsplit(server.url).hostname == "127.0.0.1"


def test_the_printed_address_shows_the_page(server):
    status, headers, body = ask(server, f"/?token={server.token}")
    assert status == 200
    assert "connect-src &#39;self&#39;" in body
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Frame-Options"] == "DENY"
    assert not any(name.startswith("Access-Control") for name in headers)


@pytest.mark.parametrize("token", ["", "token=", "token=wrong", "token=%FF", "other=1"])
def test_without_its_token_nothing_is_told(server, token):
    for path in ("/", "/data", "/else"):
        status, _, body = ask(server, f"{path}?{token}")
        assert status == 403
        assert len(body) < 100


@pytest.mark.parametrize(
    "host", ["", "evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1", "0.0.0.0:80"]
)
def test_foreign_hosts_are_refused(server, host):
    assert ask(server, f"/data?token={server.token}", host=host)[0] == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_foreign_origins_are_refused(server, headers):
    assert ask(server, f"/data?token={server.token}", **headers)[0] == 403


def test_its_own_page_may_ask(server):
    port = server.server_address[1]
    own = {"Origin": f"http://localhost:{port}", "Sec_Fetch_Site": "same-origin"}
    status, _, _ = ask(server, f"/data?token={server.token}", host=f"localhost:{port}", **own)
    assert status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"])
def test_only_get_is_answered(server, method):
    assert ask(server, f"/?token={server.token}", method=method)[0] == 405


def test_other_paths_do_not_exist(server):
    assert ask(server, f"/etc/passwd?token={server.token}")[0] == 404
    assert ask(server, f"/../data?token={server.token}")[0] == 404


def test_data_is_sent_when_it_is_new(server, pages):
    path = f"/data?token={server.token}"
    assert ask(server, f"{path}&known=1")[0] == 204
    status, headers, body = ask(server, f"{path}&known=0")
    assert (status, headers["Content-Type"]) == (200, "application/json; charset=utf-8")
    data = json.loads(body)
    assert (data["revision"], data["live"]) == ("1", True)
    assert data["cells"] == pages[0]["cells"]


def test_what_cannot_be_drawn_is_said():
    def broken():
        raise UserError("The run has no report.")

    with serving(broken) as server:
        status, _, body = ask(server, f"/?token={server.token}")
    assert (status, body) == (500, "The run has no report.\n")


def test_the_page_in_a_browser_follows(browser, pages):
    state = {"page": pages[0], "revision": "1"}
    with serving(lambda: (state["page"], state["revision"])) as server:
        context = browser.new_context()
        watched = Watched(context.new_page())
        foreign: list[str] = []
        watched.page.on(
            "request",
            lambda request: None if "127.0.0.1" in request.url else foreign.append(request.url),
        )
        watched.page.goto(server.url)
        watched.go("#/endpoints")
        watched.page.get_by_label("Filter endpoints").fill("users")
        assert told(watched.page) == 60
        state |= {"page": pages[1], "revision": "2"}
        watched.page.get_by_text("The whole run, 120 requests.").wait_for(timeout=20_000)
        # What the reader did is kept.
        assert watched.page.get_by_label("Filter endpoints").input_value() == "users"
        assert watched.page.locator("#nav a[aria-current]").inner_text() == "Endpoints"
        context.close()
    assert [url for url in foreign if not url.startswith("data:")] == []
    assert all(trouble.startswith("asked for http://127.0.0.1") for trouble in watched.troubles)


@pytest.fixture
def eager(monkeypatch):
    """Draw whenever something changed."""
    monkeypatch.setattr(viewer, "OFTEN_S", 0.0)
    monkeypatch.setattr(viewer, "SHARE", float("inf"))


def test_the_page_is_drawn_anew_when_the_folder_changed(tmp_path, eager):
    folder = RunFolder(tmp_path)
    folder.write({"name": "shop"})
    watcher = viewer.Watcher(folder)
    page, first = watcher.draw()
    assert page["report"]["verdict"].startswith("The run goes on: 0 requests so far.")
    assert watcher.draw()[1] == first
    folder.write({"name": "shop", "exit": {"how": "stopped"}})
    page, second = watcher.draw()
    assert second != first
    assert page["report"]["verdict"] == "The run has ended; its report is being made."


def test_when_the_run_is_done_its_report_is_shown(tmp_path, eager):
    (tmp_path / "src").mkdir()
    _, report = busy(60, tmp_path / "src")
    folder = RunFolder(tmp_path)
    folder.write({"name": "shop"})
    watcher = viewer.Watcher(folder)
    watcher.draw()
    save(report, tmp_path)
    page, _ = watcher.draw()
    assert page["report"]["verdict"] == report["verdict"]
    assert len(page["report"]["findings"]) == 2
