"""What `--traffic` may say: HAR files, URLs, locustfiles, and nonsense."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from slowpath.errors import UserError
from slowpath.traffic import har, urls, verdict
from slowpath.traffic.client_log import Summary
from slowpath.traffic.drive import Driven
from slowpath.traffic.har import Har
from slowpath.traffic.plan import NotDriven, Plan
from slowpath.traffic.routes import RouteNames, path_of
from slowpath.traffic.sources import source
from slowpath.traffic.urls import Urls


@pytest.fixture(autouse=True)
def app_with_a_description(monkeypatch: pytest.MonkeyPatch) -> None:
    routes = ("/users/{user_id}", "/users/me", "/files/{path:path}")
    for module in (har, urls):
        monkeypatch.setattr(module, "known_routes", lambda base_url, headers: routes)


def entry(url: str, method: str = "GET", **headers: str) -> dict[str, Any]:
    pairs = [{"name": name.replace("_", "-"), "value": text} for name, text in headers.items()]
    return {"request": {"method": method, "url": url, "headers": pairs}}


def write_har(tmp_path: Path, *entries: dict[str, Any]) -> str:
    path = tmp_path / "session.har"
    path.write_text(json.dumps({"log": {"entries": entries}}))
    return f"har:{path}"


def planned(option: str) -> Plan:
    traffic = source(option)
    assert traffic is not None
    traffic.check()
    return traffic.plan("http://127.0.0.1:1", {})


def test_a_har_is_replayed_in_order_safe_requests_only(tmp_path: Path) -> None:
    option = write_har(
        tmp_path,
        entry("https://shop.example/users/7?tab=1", Cookie="s=1", If_None_Match="x", Host="y"),
        entry("https://cdn.example/lib.js"),
        entry("https://shop.example/users/7", "DELETE"),
        entry("https://shop.example/", Accept="text/event-stream"),
        entry("https://shop.example/users/me"),
        entry("https://shop.example/users/7?tab=1"),
    )
    plan = planned(option)
    assert plan.in_order
    assert [(target.name, target.urls) for target in plan.targets] == [
        ("/users/{user_id}", ("/users/7?tab=1",)),
        ("/users/me", ("/users/me",)),
        ("/users/{user_id}", ("/users/7?tab=1",)),
    ]
    assert plan.targets[0].headers == {"Cookie": "s=1"}
    assert [(one.method, one.route) for one in plan.not_driven] == [
        ("DELETE", "/users/{user_id}"),
        ("GET", "/"),
    ]
    assert "s=1" not in json.dumps(plan.as_json())


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"log": {}}', '{"log": {"entries": [{}]}}', "\x00"]
)
def test_a_broken_har_is_a_sentence(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.har"
    path.write_text(content)
    with pytest.raises(UserError, match="is not a HAR file"):
        Har(str(path)).check()


def test_a_har_without_a_safe_request(tmp_path: Path) -> None:
    option = write_har(tmp_path, entry("http://a/b", "POST"))
    with pytest.raises(UserError, match="no request with a safe method"):
        planned(option)


def test_urls_keep_their_queries_and_lose_their_host() -> None:
    plan = planned("url:/users/3?fields=a,b, https://x.example/other ,/users/me")
    assert [(target.name, target.urls) for target in plan.targets] == [
        ("/users/{user_id}", ("/users/3?fields=a,b",)),
        ("/other", ("/other",)),
        ("/users/me", ("/users/me",)),
    ]


@pytest.mark.parametrize("listed", ["users", "ftp://a/b", "http:///b"])
def test_a_url_must_be_one(listed: str) -> None:
    with pytest.raises(UserError, match="takes paths such as /users"):
        Urls(listed).check()


@pytest.mark.parametrize("option", ["", "openAPI", "har:", "har", "locusts:x", "url:"])
def test_traffic_of_no_known_kind(option: str) -> None:
    with pytest.raises(UserError, match="--traffic does not know"):
        source(option)


def test_none_is_no_source() -> None:
    assert source("none") is None


@pytest.mark.parametrize("kind", ["har", "locust"])
def test_a_file_that_is_not_there(kind: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Cannot read the .* No such file"):
        planned(f"{kind}:{tmp_path}/none")


def test_a_locustfile_with_a_syntax_error_is_found_before_anything_runs(tmp_path: Path) -> None:
    path = tmp_path / "locustfile.py"
    path.write_text("import locust\ndef f(:\n")
    with pytest.raises(UserError, match="has a syntax error in line 2"):
        planned(f"locust:{path}")


def test_routes_name_paths() -> None:
    names = RouteNames(["/users/{id}", "/users/me", "/files/{path:path}", "/a.b"])
    assert names.name("http://x:1/users/7?secret=1") == "/users/{id}"
    assert names.name("/users/me#top") == "/users/me"
    assert names.name("/files/a/b") == "/files/{path:path}"
    assert names.name("/aXb?secret=1") == "/aXb"
    assert path_of("https://x.example?a=1") == "/"


def summary(**changes: Any) -> Summary:
    result = Summary(requests=100)
    for name, value in changes.items():
        getattr(result, name).update(value) if isinstance(value, dict) else setattr(
            result, name, value
        )
    return result


DONE = Driven(0, 1)


def test_a_good_run_needs_no_words() -> None:
    assert verdict.notes(summary(statuses={200: 100}), Plan("openapi"), DONE) == []


@pytest.mark.parametrize(
    ("status", "hint"),
    [(401, "--header"), (403, "--header"), (404, "--traffic"), (429, "rate"), (500, "app.log")],
)
def test_when_most_fails_it_is_said_what_and_why(status: int, hint: str) -> None:
    failed = summary(
        failed=98, statuses={200: 2, status: 98}, failed_by_endpoint={("GET", "/a"): 98}
    )
    [note] = verdict.notes(failed, Plan("openapi"), DONE)
    assert note.startswith("98% of 100 requests failed")
    assert f"98 × status {status}" in note
    assert "GET /a" in note
    assert hint in note


def test_some_failures_are_told_quietly() -> None:
    some = summary(failed=5, statuses={200: 95, 500: 5}, failed_by_endpoint={("GET", "/a"): 5})
    [note] = verdict.notes(some, Plan("openapi"), DONE)
    assert note == "5.0% of 100 requests failed (5 × status 500), most of all GET /a."


def test_what_was_left_out_is_told_up_to_a_number() -> None:
    plan = Plan("openapi", not_driven=tuple(NotDriven("GET", f"/{n}", "so") for n in range(10)))
    notes = verdict.notes(summary(statuses={200: 100}), plan, DONE)
    assert notes[0] == "Not driven: GET /0, because so."
    assert notes[-1].startswith("Not driven: 2 more endpoints")


def test_no_answers_at_all() -> None:
    notes = verdict.notes(summary(requests=0, unfinished=3), Plan("openapi"), DONE)
    assert notes[0].startswith("Not one request")
    assert notes[1].startswith("3 requests were still waiting")
