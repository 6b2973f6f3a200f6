"""Starting, watching and stopping apps of every temper."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from slowpath.errors import UserError
from slowpath.run import ports, processes
from slowpath.run.launch import App, new_marker
from slowpath.run.readiness import wait_until_ready
from tests.run.programs import SERVER, Script


@contextmanager
def started(command: tuple[str, ...], tmp_path: Path) -> Iterator[App]:
    app = App.start(command, tmp_path / "app.log", {}, new_marker())
    try:
        yield app
    finally:
        app.stop(patience_s=0.2)


def wait_for_word(app: App, word: str) -> None:
    deadline = time.monotonic() + 10
    while word not in app.last_words():
        assert time.monotonic() < deadline, app.last_words()
        time.sleep(0.02)


def test_the_port_is_found_by_itself(script: Script, tmp_path: Path) -> None:
    with started(script(SERVER + "serve()"), tmp_path) as app:
        address = wait_until_ready(app, 20)
        assert httpx.get(address.base_url).status_code == 200
        assert address.others == ()


def test_the_port_is_found_in_a_grandchild(script: Script, tmp_path: Path) -> None:
    python, program = script(SERVER + "serve()")
    with started(("sh", "-c", f"{python} {program}; true"), tmp_path) as app:
        address = wait_until_ready(app, 20)
        assert httpx.get(address.base_url).status_code == 200


def test_a_port_that_speaks_no_http_is_passed_over(script: Script, tmp_path: Path) -> None:
    program = script(
        SERVER
        + """
import socket
other = socket.create_server(("127.0.0.1", 0))
def hang_up():
    while True:
        other.accept()[0].close()
threading.Thread(target=hang_up, daemon=True).start()
serve()
"""
    )
    with started(program, tmp_path) as app:
        address = wait_until_ready(app, 20)
        assert len(ports.listeners(app.processes())) == 2
        assert httpx.get(address.base_url).status_code == 200


def test_of_two_http_ports_the_one_with_a_description_is_taken(
    script: Script, tmp_path: Path
) -> None:
    program = script(
        SERVER
        + """
class Metrics(Handler):
    def do_GET(self):
        self.send_error(404)
metrics = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
threading.Thread(target=metrics.serve_forever, daemon=True).start()
serve()
"""
    )
    with started(program, tmp_path) as app:
        deadline = time.monotonic() + 10
        while len(ports.listeners(app.processes())) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        address = wait_until_ready(app, 20)
        assert httpx.get(address.base_url).status_code == 200
        [other] = address.others
        assert httpx.get(other).status_code == 404


def test_an_app_that_dies_at_start_is_quoted(script: Script, tmp_path: Path) -> None:
    with (
        started(script("import no_such_module_at_all"), tmp_path) as app,
        pytest.raises(UserError) as caught,
    ):
        wait_until_ready(app, 20)
    assert "exit code 1" in caught.value.message
    assert "No module named 'no_such_module_at_all'" in caught.value.details


def test_an_app_that_opens_no_port(script: Script, tmp_path: Path) -> None:
    program = script("import time; print('thinking', flush=True); time.sleep(60)")
    with started(program, tmp_path) as app:
        wait_for_word(app, "thinking")
        with pytest.raises(UserError, match="opened no TCP port") as caught:
            wait_until_ready(app, 0.3)
    assert "thinking" in caught.value.details


def test_a_port_that_never_answers(script: Script, tmp_path: Path) -> None:
    program = script(
        """
        import socket, time
        server = socket.create_server(("127.0.0.1", 0))
        print(server.getsockname()[1], flush=True)
        time.sleep(60)
        """
    )
    with (
        started(program, tmp_path) as app,
        pytest.raises(UserError, match=r"listens on port \d+ but did not answer HTTP"),
    ):
        wait_until_ready(app, 1.5)


@pytest.mark.parametrize("command", [("/no/such/command",), ("\0",), ("/",)])
def test_a_command_that_cannot_be_started(command: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="could not be started"):
        App.start(command, tmp_path / "app.log", {}, new_marker())


def test_a_server_that_handles_sigterm_stops_in_order(script: Script, tmp_path: Path) -> None:
    program = script(
        """
        import signal, sys, time
        def leave(*args):
            print("closed the pool", flush=True)
            sys.exit(0)
        signal.signal(signal.SIGTERM, leave)
        print("ready", flush=True)
        time.sleep(60)
        """
    )
    with started(program, tmp_path) as app:
        wait_for_word(app, "ready")
        end = app.stop()
    assert (end.code, end.signal, end.how) == (0, None, "stopped")
    assert "closed the pool" in app.last_words()


def test_a_plain_program_is_stopped_as_by_ctrl_c(script: Script, tmp_path: Path) -> None:
    program = script(
        """
        import atexit, time
        atexit.register(lambda: print("flushed", flush=True))
        print("ready", flush=True)
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            pass
        """
    )
    with started(program, tmp_path) as app:
        wait_for_word(app, "ready")
        assert app.stop().how == "stopped"
    assert "flushed" in app.last_words()


def test_an_app_that_ignores_signals_is_killed(script: Script, tmp_path: Path) -> None:
    program = script(
        """
        import signal, time
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, lambda *args: print("no", flush=True))
        print("ready", flush=True)
        while True:
            time.sleep(1)
        """
    )
    with started(program, tmp_path) as app:
        wait_for_word(app, "ready")
        end = app.stop(patience_s=0.3)
    assert (end.code, end.signal, end.how) == (None, "SIGKILL", "killed")


FORKS = r"""
import os, signal, sys, time
for number in range(3):
    if os.fork() == 0:
        if {detach}:
            os.setsid()
            if os.fork():
                os._exit(0)
        os.write(1, b"worker %d\n" % number)
        while True:
            time.sleep(1)
"""


@pytest.mark.parametrize("detach", [False, True], ids=["workers", "daemons"])
@pytest.mark.parametrize("leader_dies", [False, True], ids=["with leader", "orphans"])
def test_all_that_was_forked_ends_too(
    script: Script, tmp_path: Path, detach: bool, leader_dies: bool
) -> None:
    ending = "os._exit(0)" if leader_dies else "time.sleep(60)"
    with started(script(FORKS.format(detach=detach) + ending), tmp_path) as app:
        for number in range(3):
            wait_for_word(app, f"worker {number}")
        assert app.is_alive()
        app.stop(patience_s=1.0)
        assert not app.is_alive()
    # And `nothing_left_behind` looks for the workers.


def test_a_shell_passes_nothing_on_so_its_children_are_asked(
    script: Script, tmp_path: Path
) -> None:
    python, program = script(
        """
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *args: (print("bye", flush=True), sys.exit(0)))
        print("ready", flush=True)
        time.sleep(60)
        """
    )
    with started(("sh", "-c", f"{python} {program}; true"), tmp_path) as app:
        wait_for_word(app, "ready")
        end = app.stop()
    assert "bye" in app.last_words()
    assert end.how == "stopped"


def test_an_app_that_died_says_how(script: Script, tmp_path: Path) -> None:
    program = script("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with started(program, tmp_path) as app:
        assert processes.wait_gone(lambda: [0] if app.is_alive() else [], 10)  # type: ignore[list-item, return-value]
        end = app.stop()
    assert (end.code, end.signal, end.how) == (None, "SIGKILL", "died")


@pytest.mark.parametrize("detach", [False, True], ids=["workers", "daemons"])
def test_when_slowpath_is_killed_the_guardian_ends_the_app(
    script: Script, tmp_path: Path, detach: bool
) -> None:
    app_command = script(FORKS.format(detach=detach) + "time.sleep(60)")
    owner = tmp_path / "owner.py"
    owner.write_text(
        textwrap.dedent(
            f"""
            import pathlib, time
            from slowpath.run.guardian import Guardian
            from slowpath.run.launch import App, new_marker
            with Guardian(marker := new_marker()) as guardian:
                app = App.start({app_command!r}, pathlib.Path("app.log"), {{}}, marker)
                guardian.watch(app.pid)
                print(app.pid, flush=True)
                time.sleep(60)
            """
        )
    )
    with subprocess.Popen([sys.executable, str(owner)], stdout=subprocess.PIPE, text=True) as one:
        assert one.stdout is not None
        leader = psutil.Process(int(one.stdout.readline()))
        deadline = time.monotonic() + 10
        while (tmp_path / "app.log").read_text().count("worker") < 3:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(one.pid, signal.SIGKILL)
    assert processes.wait_gone(lambda: [leader] if processes.is_alive(leader) else [], 15)
