"""`run --py-spy`: samples of all threads, or a sentence that says why there are none."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from slowpath.errors import UserError
from slowpath.recording.folder import RunFolder
from slowpath.report.stacks import stacks_of
from slowpath.run import pyspy
from slowpath.run.pyspy import PySpy
from tests.run.programs import APP, Script
from tests.run.test_session import run

DENIED = "Error: Permission Denied: Try running again with elevated permissions"


def fake(tmp_path: Path, *lines: str) -> str:
    """A py-spy that does what the lines of Python say; `output` is where it is to write."""
    program = tmp_path / "py-spy"
    head = [
        f"#!{sys.executable}",
        "import signal, sys",
        "output = sys.argv[-3]",
    ]
    program.write_text("\n".join([*head, *lines]) + "\n")
    program.chmod(0o755)
    return str(program)


def sampled(program: str, tmp_path: Path) -> dict[str, object]:
    """What is told of a program that was started, and stopped once it did its part."""
    with PySpy(program, RunFolder(tmp_path)) as spy:
        pid = spy.start(os.getpid())
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        return spy.stop()


def test_what_it_wrote_is_kept_without_command_lines(tmp_path: Path) -> None:
    line = 'process 7:"python --password=hunter2";main (/a.py:1) 12'
    program = fake(tmp_path, f"open(output, 'w').write({line!r})")
    assert sampled(program, tmp_path) == {"samples": 12, "rate": 100}
    assert (tmp_path / "stacks.txt").read_text() == "process 7;main (/a.py:1) 12\n"
    assert not (tmp_path / "stacks.raw").exists()
    assert stacks_of(RunFolder(tmp_path)).counts.total() == 12


def test_it_is_asked_to_end(tmp_path: Path) -> None:
    program = fake(
        tmp_path,
        "signal.signal(signal.SIGINT, lambda *_: None)",
        "print('ready', flush=True)",
        "signal.pause()",
        "open(output, 'w').write('process 7:\"x\";main (/a.py:1) 3')",
    )
    with PySpy(program, RunFolder(tmp_path)) as spy:
        spy.start(os.getpid())
        while "ready" not in (tmp_path / "py-spy.log").read_text():
            os.sched_yield()
        assert spy.stop()["samples"] == 3


def test_none_is_left_when_nobody_stopped_it(tmp_path: Path) -> None:
    program = fake(tmp_path, "signal.signal(signal.SIGINT, signal.SIG_IGN)", "signal.pause()")
    with PySpy(program, RunFolder(tmp_path)) as spy:
        pid = spy.start(os.getpid())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


NOT_FOUND = "Error: No python processes found in process 7 or any of its subprocesses"


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([f"sys.exit({DENIED!r})"], "py-spy may not attach to the app"),
        (
            [f"sys.exit({DENIED!r} if sys.argv[1] == 'dump' else {NOT_FOUND!r})"],
            "py-spy may not attach to the app",
        ),
        ([f"sys.exit({NOT_FOUND!r})"], NOT_FOUND),
        ([f"sys.exit({NOT_FOUND!r} if sys.argv[1] == 'record' else 0)"], NOT_FOUND),
        (["print('py-spy> Sampling')"], "no thread of the app compute"),
    ],
    ids=["not allowed", "not allowed but not told", "not Python", "another error", "idle"],
)
def test_why_there_is_nothing_is_told(lines: list[str], sentence: str, tmp_path: Path) -> None:
    told = sampled(fake(tmp_path, *lines), tmp_path)
    assert told["samples"] == 0
    assert sentence in str(told["trouble"])
    assert stacks_of(RunFolder(tmp_path)).counts.total() == 0


def test_that_it_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyspy.shutil, "which", lambda name, path=None: None)
    with pytest.raises(UserError, match=r"pip install 'slowpath\[py-spy\]'"):
        pyspy.find()


@pytest.mark.slow
def test_a_run_that_may_not_be_sampled_is_still_a_run(
    script: Script, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = fake(tmp_path, f"sys.exit({DENIED!r})")
    monkeypatch.setattr(pyspy, "find", lambda: program)
    record = run(script(APP + "serve()"), py_spy=True).folder.read()
    assert record["window"]["end_ns"] > record["window"]["start_ns"]
    assert [record["py_spy"]["trouble"]] == record["notes"]


@pytest.mark.slow
def test_a_run_is_sampled(script: Script) -> None:
    try:
        pyspy.find()
    except UserError as exc:
        pytest.skip(f"PY-SPY IS NOT TESTED: {exc.message}")
    spinning = APP + "def spin():\n    while True:\n        sum(range(1000))\n"
    threads = "threading.Thread(target=spin, daemon=True).start()\nserve()"
    finished = run(script(spinning + threads), py_spy=True, duration_s=3.0)
    told = finished.folder.read()["py_spy"]
    if "may not attach" in told.get("trouble", ""):
        pytest.skip(f"PY-SPY IS NOT TESTED: {told['trouble']}")
    stacks = stacks_of(finished.folder)
    functions = {site.function for stack in stacks.counts for site in stack}
    assert told["samples"] == stacks.counts.total() > 0
    assert "spin" in functions
