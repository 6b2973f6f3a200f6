"""Whole runs: real apps, real traffic, and every way in which they go wrong."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slowpath.errors import UserError
from slowpath.recording import folder as folders
from slowpath.recording.folder import RunFolder
from slowpath.run import session
from slowpath.run.interrupts import Interrupts
from slowpath.run.options import Options
from slowpath.run.progress import PlainProgress
from slowpath.run.session import Finished
from slowpath.traffic import client_log
from tests.run.programs import APP, SERVER, Script

pytestmark = pytest.mark.slow

SERVE = APP + "serve()"


def run(command: tuple[str, ...], **changes: Any) -> Finished:
    settings = {"users": 4, "duration_s": 0.6, "warmup_s": 0.2, "start_timeout_s": 20.0}
    options = Options(command, **{**settings, **changes})  # type: ignore[arg-type]
    return session.run(options, PlainProgress(io.StringIO()))


def requests_of(folder: RunFolder) -> list[dict[str, str]]:
    """Those that ended; a user may have been stopped as it was about to send one more."""
    logged = client_log.read(folder.client_csv)
    return [row for row in logged if row["error"] != client_log.UNFINISHED]


def call_when(condition: Callable[[], bool], act: Callable[[], object]) -> None:
    """Act from another thread as soon as the condition holds."""

    def wait() -> None:
        deadline = time.monotonic() + 30
        while not condition():
            if time.monotonic() > deadline:
                return
            time.sleep(0.02)
        act()

    threading.Thread(target=wait, daemon=True).start()


def client_log_has_lines() -> bool:
    return any(path.stat().st_size > 2000 for path in Path().glob(".slowpath/runs/*/client.csv"))


def test_a_run_leaves_a_folder_with_all_of_it(script: Script) -> None:
    before_ns = time.perf_counter_ns()
    finished = run(script(SERVE), name="mine", headers={"Authorization": "Bearer hunter2"})
    assert not finished.app_died
    record = finished.folder.read()
    assert record["version"] == 1
    assert record["name"] == "mine"
    assert finished.folder.name.endswith("-mine")
    assert record["traffic"]["kind"] == "openapi"
    assert (record["traffic"]["users"], record["traffic"]["duration_s"]) == (4, 0.6)
    assert record["traffic"]["headers"] == ["Authorization"]
    assert {one["route"] for one in record["traffic"]["driven"]} == {
        "/",
        "/items",
        "/items/{item_id}",
    }
    assert record["exit"]["how"] == "stopped"
    assert record["notes"] == []
    window = record["window"]
    assert before_ns < window["start_ns"] < window["end_ns"] < time.perf_counter_ns()
    assert window["end_ns"] - window["start_ns"] >= 0.6e9
    logged = requests_of(finished.folder)
    assert {row["name"] for row in logged} == {"/", "/items", "/items/{item_id}"}
    assert {row["status"] for row in logged} == {"200"}
    for path in finished.folder.path.iterdir():
        assert b"hunter2" not in path.read_bytes()
    assert folders.latest() == finished.folder


@pytest.mark.parametrize(
    "server",
    [
        ("uvicorn", "app:app", "--port", "0"),
        ("uvicorn", "app:app", "--port", "0", "--workers", "2"),
        ("gunicorn", "app:app", "-k", "uvicorn.workers.UvicornWorker", "-b", "127.0.0.1:0", "-w2"),
        ("hypercorn", "app:app", "-b", "127.0.0.1:0"),
    ],
    ids=["uvicorn", "uvicorn workers", "gunicorn", "hypercorn"],
)
def test_any_server(server: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "async def app(scope, receive, send):\n"
        "    if scope['type'] != 'http':\n"
        "        raise RuntimeError\n"
        "    start = {'type': 'http.response.start', 'status': 200, 'headers': []}\n"
        "    await send(start)\n"
        "    await send({'type': 'http.response.body', 'body': b'hello'})\n"
    )
    pytest.importorskip(server[0])
    finished = run((sys.executable, "-m", *server), traffic="url:/a,/b")
    record = finished.folder.read()
    assert record["exit"]["how"] == "stopped"
    logged = requests_of(finished.folder)
    assert {(row["name"], row["status"]) for row in logged} == {("/a", "200"), ("/b", "200")}
    # The probe was in there, in whichever process served.
    assert list(finished.folder.path.glob("probe-*.bin"))


def test_without_traffic_the_user_clicks_until_ctrl_c(script: Script) -> None:
    shown = io.StringIO()
    call_when(lambda: "recording" in shown.getvalue(), lambda: os.kill(os.getpid(), signal.SIGINT))
    options = Options(script(SERVE), traffic="none", start_timeout_s=20)
    finished = session.run(options, PlainProgress(shown))
    record = finished.folder.read()
    assert record["window"]["end_ns"] > record["window"]["start_ns"]
    assert record["notes"] == []
    assert requests_of(finished.folder) == []


def test_without_traffic_a_duration_ends_it(script: Script) -> None:
    window = run(script(SERVE), traffic="none", duration_s=0.3).folder.read()["window"]
    assert window["end_ns"] - window["start_ns"] >= 0.3e9


def test_ctrl_c_while_driving_ends_it_early_and_reports(script: Script) -> None:
    call_when(client_log_has_lines, lambda: os.kill(os.getpid(), signal.SIGINT))
    finished = run(script(SERVE), duration_s=60.0, warmup_s=0.0)
    record = finished.folder.read()
    assert "The run ended early" in record["notes"][0]
    assert "Ctrl-C" in record["notes"][0]
    assert record["window"]["end_ns"] - record["window"]["start_ns"] < 30e9
    assert not finished.app_died


def test_a_second_ctrl_c_waits_for_nothing(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Interrupts] = []

    class Seen(Interrupts):
        def __init__(self) -> None:
            super().__init__()
            made.append(self)

    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)

    def asked() -> bool:
        return any("asked" in log.read_text() for log in Path().glob(".slowpath/runs/*/app.log"))

    monkeypatch.setattr(session, "Interrupts", Seen)
    hang = APP.replace("SEEN.append(path)", "print('asked', flush=True); threading.Event().wait()")
    call_when(asked, interrupt)
    call_when(lambda: bool(made) and made[0].noted, interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(script(hang + "serve()"), traffic="url:/hang", duration_s=60.0, warmup_s=0.0)


def test_ctrl_c_before_anything_was_measured_aborts(script: Script) -> None:
    call_when(
        lambda: bool(list(Path().glob(".slowpath/runs/*/app.log"))),
        lambda: os.kill(os.getpid(), signal.SIGINT),
    )
    with pytest.raises(KeyboardInterrupt):
        run(script("import time; time.sleep(60)"))
    [folder] = folders.list_runs()
    assert folder.read()["window"] is None
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_stop_the_app_too(script: Script, signum: signal.Signals) -> None:
    call_when(client_log_has_lines, lambda: os.kill(os.getpid(), signum))
    with pytest.raises(SystemExit) as caught:
        run(script(SERVE), duration_s=60.0)
    assert caught.value.code == 128 + signum


def test_when_slowpath_is_killed_nothing_is_left(script: Script) -> None:
    command = script(SERVE)
    slowpath = subprocess.Popen(
        [sys.executable, "-m", "slowpath.cli", "run", "--users", "2", "--duration", "60s", "--",
         *command],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while not client_log_has_lines():
        assert time.monotonic() < deadline
        assert slowpath.poll() is None
        time.sleep(0.05)
    slowpath.kill()
    slowpath.wait()
    # `nothing_left_behind` waits for the guardian to do its work.


def test_an_app_that_is_killed_under_load_is_reported(script: Script) -> None:
    suicide = APP.replace("SEEN.append(path)", "SEEN.append(path); len(SEEN) > 300 and die()")
    program = suicide + "def die(): os.kill(os.getpid(), signal.SIGKILL)\nserve()"
    finished = run(script(program), duration_s=30.0, warmup_s=0.0)
    assert finished.app_died
    record = finished.folder.read()
    assert "the app died by itself (signal SIGKILL)" in record["notes"][0]
    assert record["exit"] == {"code": None, "signal": "SIGKILL", "how": "died"}
    assert len(requests_of(finished.folder)) >= 300


def test_an_app_that_dies_in_the_warm_up_is_an_error(script: Script) -> None:
    suicide = APP.replace("SEEN.append(path)", "SEEN.append(path); len(SEEN) > 30 and die()")
    program = suicide + "def die(): print('out of luck', flush=True); os._exit(3)\nserve()"
    with pytest.raises(UserError, match=r"During the warm-up the app died .*exit code 3") as caught:
        run(script(program), warmup_s=30.0)
    assert "out of luck" in caught.value.details


def test_an_app_that_dies_when_it_is_asked_is_an_error(script: Script) -> None:
    program = APP.replace("SEEN.append(path)", "os._exit(3)") + "serve()"
    with pytest.raises(UserError, match=r"While it was asked .* the app died .*exit code 3"):
        run(script(program))


@pytest.mark.parametrize("status", [401, 500])
def test_when_all_answers_are_errors_it_is_said(script: Script, status: int) -> None:
    program = APP.replace("SEEN.append(path)", f"return {status}, b''") + "serve()"
    [note, *_] = run(script(program), traffic="url:/a").folder.read()["notes"]
    assert note.startswith("100% of")
    assert f"status {status}" in note
    assert "GET /a" in note


def test_without_a_description_it_says_what_else_there_is(script: Script) -> None:
    program = SERVER + "def answer(path): return 404, b''\nserve()"
    with pytest.raises(UserError, match=r"no OpenAPI description.*--traffic url:"):
        run(script(program))


def test_a_locustfile_drives(script: Script, tmp_path: Path) -> None:
    (tmp_path / "locustfile.py").write_text(
        "from locust import FastHttpUser, task\n"
        "class Buyer(FastHttpUser):\n"
        "    @task\n"
        "    def look(self):\n"
        "        self.client.get('/items/2?secret=1')\n"
    )
    finished = run(script(SERVE), traffic="locust:locustfile.py")
    assert {row["name"] for row in requests_of(finished.folder)} == {"/items/{item_id}"}


def test_a_har_drives(script: Script, tmp_path: Path) -> None:
    request = {"method": "GET", "url": "https://www.example/items/1?secret=1", "headers": []}
    (tmp_path / "a.har").write_text(json.dumps({"log": {"entries": [{"request": request}]}}))
    finished = run(script(SERVE), traffic="har:a.har")
    assert {row["name"] for row in requests_of(finished.folder)} == {"/items/{item_id}"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"command": ("no-such-command-at-all",)}, "was not found or is not executable"),
        ({"traffic": "locust:none.py"}, "Cannot read the locustfile"),
        ({"traffic": "har:none.har"}, "Cannot read the HAR file"),
        ({"traffic": "bogus"}, "--traffic does not know"),
    ],
)
def test_what_can_be_known_before_is_said_before(
    changes: dict[str, Any], sentence: str, script: Script
) -> None:
    settings = {"command": script(SERVE), **changes}
    with pytest.raises(UserError, match=sentence):
        run(**settings)
    assert not Path(".slowpath").exists()


def test_a_port_that_is_taken_is_said_before(script: Script) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"Port {port} is already taken"):
            run(script(SERVE), port=port)


def test_a_run_folder_that_cannot_be_made(script: Script, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Cannot write to"):
        run(script(SERVE), runs=tmp_path / "file")


def test_secrets_of_the_command_line_are_not_stored(script: Script) -> None:
    finished = run((*script(SERVE), "--api-key", "hunter2"))
    assert "hunter2" not in finished.folder.run_json.read_text()
