"""The load generator, against a server that remembers what it was asked."""

from __future__ import annotations

import csv
import http.server
import itertools
import os
import signal
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slowpath.errors import UserError
from slowpath.traffic import client_log
from slowpath.traffic.drive import Driven, drive
from slowpath.traffic.job import Job, Tick
from slowpath.traffic.plan import Plan, Target

pytestmark = pytest.mark.slow


class Server(http.server.ThreadingHTTPServer):
    """Answers 200 with three bytes; `/slow` holds back until `release` is set."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.release = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def spans(self) -> set[str]:
        return {headers["traceparent"].split("-")[2] for _, _, headers in self.seen}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.rfile.read(int(headers.get("content-length", 0)))
        self.server.seen.append((self.command, self.path, headers))
        if self.path == "/slow":
            self.server.release.wait(30)
        self.send_response(404 if self.path == "/missing" else 200)
        body = b"" if self.command == "HEAD" else b"abc"
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_HEAD = do_POST = answer

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.release.set()
        server.shutdown()


def job(server: Server, tmp_path: Path, plan: Plan, **changes: Any) -> Job:
    settings: dict[str, Any] = {
        "users": 4,
        "warmup_s": 0.3,
        "duration_s": 0.7,
        "client_csv": str(tmp_path / "client.csv"),
        "headers": {},
    }
    return Job(base_url=server.url, plan=plan, **{**settings, **changes})


def go(job: Job, tmp_path: Path, **hooks: Any) -> Driven:
    hooks = {"on_tick": lambda tick: None, "should_stop": lambda: None, **hooks}
    return drive(job, tmp_path / "traffic.log", **hooks)


def rows(tmp_path: Path) -> list[dict[str, str]]:
    """The requests that ended; a user may have been stopped as it was about to send one more."""
    logged = client_log.read(tmp_path / "client.csv")
    return [row for row in logged if row["error"] != client_log.UNFINISHED]


TWO = Plan(
    "url",
    (Target("GET", "/users/{id}", ("/users/1?token=x", "/users/2")), Target("HEAD", "/b", ("/b",))),
)


def test_each_request_is_logged_under_the_span_that_the_app_received(
    server: Server, tmp_path: Path
) -> None:
    ticks: list[Tick] = []
    driven = go(
        job(server, tmp_path, TWO, headers={"Authorization": "Bearer hunter2"}),
        tmp_path,
        on_tick=ticks.append,
    )
    assert driven.start_ns is not None
    assert driven.end_ns is not None
    assert driven.ended_early is None
    logged = rows(tmp_path)
    assert {row["span_id"] for row in logged} == server.spans()
    assert len(logged) == len(server.seen)
    assert all(len(row["span_id"]) == 16 for row in logged)
    assert {(row["method"], row["name"], row["status"], row["bytes"]) for row in logged} == {
        ("GET", "/users/{id}", "200", "3"),
        ("HEAD", "/b", "200", "0"),
    }
    assert {path for _, path, _ in server.seen} == {"/users/1?token=x", "/users/2", "/b"}
    assert {headers["authorization"] for _, _, headers in server.seen} == {"Bearer hunter2"}
    for file in tmp_path.iterdir():
        assert b"hunter2" not in file.read_bytes()
        assert b"token" not in file.read_bytes()
    # The warm-up is in the log, and outside the window.
    assert any(int(row["start_ns"]) < driven.start_ns for row in logged)
    summary = client_log.summarise(tmp_path / "client.csv", driven.start_ns, driven.end_ns)
    assert 0 < summary.requests < len(logged)
    assert summary.failed == 0
    assert [tick.phase for tick in ticks] == sorted((t.phase for t in ticks), reverse=True)
    assert ticks[-1].requests > 0


def test_the_clock_is_the_one_of_this_process(server: Server, tmp_path: Path) -> None:
    before_ns = time.perf_counter_ns()
    go(job(server, tmp_path, TWO), tmp_path)
    after_ns = time.perf_counter_ns()
    for row in rows(tmp_path):
        assert before_ns < int(row["start_ns"]) < int(row["end_ns"]) < after_ns


def test_a_plan_in_order_is_gone_through_in_order(server: Server, tmp_path: Path) -> None:
    paths = ["/1", "/2", "/3"]
    plan = Plan("har", tuple(Target("GET", path, (path,)) for path in paths), in_order=True)
    go(job(server, tmp_path, plan, users=1), tmp_path)
    asked = [path for _, path, _ in server.seen]
    assert len(asked) > 3
    assert asked == [paths[number % 3] for number in range(len(asked))]


def test_errors_are_told_apart(server: Server, tmp_path: Path) -> None:
    plan = Plan("url", (Target("GET", "/missing", ("/missing",)),))
    go(job(server, tmp_path, plan), tmp_path)
    assert {(row["status"], row["error"]) for row in rows(tmp_path)} == {("404", "")}


def test_nobody_at_the_port(server: Server, tmp_path: Path) -> None:
    closed = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    address = f"http://127.0.0.1:{closed.server_address[1]}"
    closed.server_close()
    plan = Plan("url", (Target("GET", "/", ("/",)),))
    unanswered = Job(address, 2, 0.0, 0.5, str(tmp_path / "client.csv"), plan, {})
    driven = go(unanswered, tmp_path)
    assert driven.start_ns is not None
    logged = rows(tmp_path)
    assert {row["status"] for row in logged} == {"0"}
    assert {row["error"] for row in logged} == {"ConnectionRefusedError"}
    # Users pause after a refusal; otherwise there would be thousands.
    assert len(logged) < 50


def test_told_to_stop_it_stops_and_keeps_what_there_is(server: Server, tmp_path: Path) -> None:
    def reason() -> str | None:
        return "enough" if len(server.seen) > 20 else None

    driven = go(job(server, tmp_path, TWO, warmup_s=0.0, duration_s=60.0), tmp_path,
                should_stop=reason)  # fmt: skip
    assert driven.ended_early == "enough"
    assert driven.start_ns is not None
    assert driven.end_ns is not None
    assert driven.end_ns - driven.start_ns < 30e9
    assert len(rows(tmp_path)) == len(server.seen)


def test_requests_without_an_answer_do_not_hold_it_up(server: Server, tmp_path: Path) -> None:
    plan = Plan("url", (Target("GET", "/slow", ("/slow",)),))
    driven = go(job(server, tmp_path, plan, users=2, duration_s=0.5, grace_s=0.2), tmp_path)
    assert driven.start_ns is not None
    logged = list(client_log.read(tmp_path / "client.csv"))
    assert [row["error"] for row in logged] == [client_log.UNFINISHED] * 2
    assert {row["span_id"] for row in logged} == server.spans()


def test_a_rate_counts_latency_from_when_a_request_was_due(server: Server, tmp_path: Path) -> None:
    plan = Plan("url", (Target("GET", "/a", ("/a",)),))
    go(job(server, tmp_path, plan, warmup_s=0.0, duration_s=1.0, rate=40.0), tmp_path)
    starts = sorted(int(row["start_ns"]) for row in rows(tmp_path))
    assert 20 <= len(starts) <= 45
    gaps = {later - earlier for earlier, later in itertools.pairwise(starts)}
    assert gaps == {25_000_000}


LOCUSTFILE = """
from locust import FastHttpUser, HttpUser, constant
print("printed to where the events go")

def journey(user):
    user.client.get("/users/7?q=1", headers={{"X-Own": "1"}})
    with user.client.post("/users", json={{}}, catch_response=True) as response:
        response.failure("not good enough")
    user.client.get("/things/5", name="/things/[id]")
    {extra}

class Fast(FastHttpUser):
    wait_time = constant(0.02)
    tasks = [journey]

class Classic(HttpUser):
    wait_time = constant(0.02)
    tasks = [journey]
"""


def locust_plan(tmp_path: Path, source: str) -> Plan:
    path = tmp_path / "my_locustfile.py"
    path.write_text(textwrap.dedent(source))
    return Plan("locust", locustfile=str(path), routes=("/users/{user_id}", "/users"))


def test_a_locustfile_of_both_kinds_of_user(server: Server, tmp_path: Path) -> None:
    plan = locust_plan(tmp_path, LOCUSTFILE.format(extra=""))
    driven = go(job(server, tmp_path, plan, headers={"x-all": "2"}), tmp_path)
    assert driven.exceptions == ()
    logged = rows(tmp_path)
    finished = {row["span_id"] for row in logged}
    assert finished == server.spans()
    assert {(row["method"], row["name"]) for row in logged} == {
        ("GET", "/users/{user_id}"),
        ("POST", "/users"),
        ("GET", "/things/[id]"),
    }
    agents = {headers.get("user-agent", "").split("/")[0] for _, _, headers in server.seen}
    assert len(agents) == 2
    assert all(headers["x-all"] == "2" for _, _, headers in server.seen)
    assert {headers.get("x-own") for _, path, headers in server.seen if "?" in path} == {"1"}


def test_requests_to_others_get_no_header_and_no_line(server: Server, tmp_path: Path) -> None:
    with Server() as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        calls = f"""for url in ("{server.url}/whole", "{other.url}/other"):
        user.client.get(url)"""
        plan = locust_plan(tmp_path, LOCUSTFILE.format(extra=calls))
        go(job(server, tmp_path, plan, headers={"Authorization": "hunter2"}), tmp_path)
        other.shutdown()
    assert other.seen
    for _, _, headers in other.seen:
        assert not {"authorization", "traceparent"} & headers.keys()
    names = {row["name"] for row in rows(tmp_path)}
    assert "/whole" in names
    assert "/other" not in names


def test_what_a_locustfile_raises_is_told(server: Server, tmp_path: Path) -> None:
    plan = locust_plan(tmp_path, LOCUSTFILE.format(extra="raise KeyError('basket')"))
    driven = go(job(server, tmp_path, plan), tmp_path)
    [(message, count)] = driven.exceptions
    assert "basket" in message
    assert count > 1


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("x = 1", "it defines no user class"),
        ("raise SystemExit(3)", "SystemExit"),
    ],
)
def test_a_locustfile_that_cannot_be_loaded(
    server: Server, tmp_path: Path, source: str, sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence) as caught:
        go(job(server, tmp_path, locust_plan(tmp_path, source)), tmp_path)
    assert "my_locustfile.py" in caught.value.message
    assert server.seen == []


def test_a_generator_that_is_killed_leaves_what_it_wrote(server: Server, tmp_path: Path) -> None:
    pids: list[int] = []

    def kill_when_busy() -> None:
        if len(server.seen) > 50 and pids:
            os.kill(pids.pop(), signal.SIGKILL)

    driven = go(
        job(server, tmp_path, TWO, warmup_s=0.0, duration_s=30.0),
        tmp_path,
        should_stop=kill_when_busy,
        on_start=pids.append,
    )
    assert driven.ended_early is not None
    assert "load generator ended by itself" in driven.ended_early
    list(rows(tmp_path))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_a_sentence(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No space left"):
        go(job(server, tmp_path, TWO, client_csv="/dev/full"), tmp_path)


def test_a_torn_line_is_skipped(tmp_path: Path) -> None:
    log = tmp_path / "client.csv"
    with log.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(client_log.COLUMNS)
        writer.writerow(("ab", 10, 20, "GET", "/a", 200, 3, ""))
        writer.writerow(("cd", 11, 31, "GET", "/a", 500, 3, ""))
        file.write("ef,12,3")
    summary = client_log.summarise(log, 0, 100)
    assert (summary.requests, summary.failed, summary.latencies_ns) == (2, 1, [10, 20])
    assert client_log.summarise(log, 11, 100).requests == 1


@pytest.mark.parametrize(
    ("count", "share", "expected"), [(1, 0.95, 1), (20, 0.95, 19), (100, 0.95, 95), (21, 0.95, 20)]
)
def test_a_quantile_is_one_of_the_latencies(count: int, share: float, expected: int) -> None:
    latencies = [number * 1_000_000 for number in range(count, 0, -1)]
    assert client_log.quantile_ms(latencies, share) == expected
