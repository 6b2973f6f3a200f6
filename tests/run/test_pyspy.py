"""`run --py-spy`: samples of all threads, or a sentence that says why there are none."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
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
        started: list[int] = []
        spy.start(os.getpid(), started.append)
        with contextlib.suppress(ProcessLookupError):
            while True:
                os.kill(started[0], 0)
                time.sleep(0.001)
        return spy.stop()


#: Samples until it is told to end; what it writes tells from when to when that was.
PATIENT = (
    "import time",
    "signal.signal(signal.SIGINT, lambda *_: None)",
    "began = time.perf_counter_ns()",
    "print('py-spy> Sampling process 100 times a second', flush=True)",
    "signal.pause()",
    "ended = time.perf_counter_ns()",
    'lines = f\'process 7:"x";began (/a.py:{began}) 3\\nprocess 7:"x";ended (/a.py:{ended}) 2\'',
    "open(output, 'w').write(lines)",
)


def test_what_it_wrote_is_kept_without_command_lines(tmp_path: Path) -> None:
    line = 'process 7:"python --password=hunter2";main (/a.py:1) 12'
    program = fake(tmp_path, f"open(output, 'w').write({line!r})")
    told = sampled(program, tmp_path)
    assert (told["samples"], told["rate"]) == (12, 100)
    [_, stack] = (tmp_path / "stacks.txt").read_text().splitlines()
    assert stack == "process 7;main (/a.py:1) 12"
    assert not list(tmp_path.glob("*.raw"))
    assert stacks_of(RunFolder(tmp_path)).counts.total() == 12


def until(tmp_path: Path, number: int) -> None:
    """Wait until the fake of that number samples."""
    log = tmp_path / f"py-spy-{number}.log"
    while not (log.exists() and "Sampling" in log.read_text()):
        time.sleep(0.001)


def test_it_is_asked_to_end(tmp_path: Path) -> None:
    with PySpy(fake(tmp_path, *PATIENT), RunFolder(tmp_path)) as spy:
        spy.start(os.getpid())
        until(tmp_path, 1)
        assert spy.stop()["samples"] == 5


def test_one_follows_another_without_a_gap_by_the_clock_of_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pyspy, "STRETCH_S", 0.01)
    before_ns = time.perf_counter_ns()
    with PySpy(fake(tmp_path, *PATIENT), RunFolder(tmp_path)) as spy:
        spy.start(os.getpid())
        until(tmp_path, 4)
        told = spy.stop()
    stretches = stacks_of(RunFolder(tmp_path)).stretches
    assert told["samples"] == 5 * len(stretches)
    assert len(stretches) >= 3
    windows = [stretch.window for stretch in stretches if stretch.window]
    assert before_ns < windows[0][0]
    assert [end for _, end in windows[:-1]] == [start for start, _ in windows[1:]]
    for stretch, (start, end) in zip(stretches, windows, strict=True):
        own = {site.function: site.line for (site,) in stretch.counts}
        # Each sampled all of its stretch, and a little more.
        assert own["began"] <= start < end <= own["ended"]
    assert not [*tmp_path.glob("*.raw"), *tmp_path.glob("py-spy-*.log")]


def test_when_no_other_can_follow_the_first_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pyspy, "STRETCH_S", 0.01)
    once = "if not output.endswith('-1.raw'): sys.exit('Error: no')"
    with PySpy(fake(tmp_path, once, *PATIENT), RunFolder(tmp_path)) as spy:
        spy.start(os.getpid())
        while not list(tmp_path.glob("py-spy-3.log")):
            time.sleep(0.001)
        assert spy.stop()["samples"] == 5
    assert len(stacks_of(RunFolder(tmp_path)).stretches) == 1


def test_none_is_left_when_nobody_stopped_it(tmp_path: Path) -> None:
    program = fake(tmp_path, "signal.signal(signal.SIGINT, signal.SIG_IGN)", "signal.pause()")
    started: list[int] = []
    with PySpy(program, RunFolder(tmp_path)) as spy:
        spy.start(os.getpid(), started.append)
    with pytest.raises(ProcessLookupError):
        os.kill(started[0], signal.SIGCONT)


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


@pytest.mark.slow
def test_samples_are_told_of_the_time_they_were_taken_at(script: Script) -> None:
    """A thread computes in one function, then in another, and says when that was."""
    try:
        pyspy.find()
    except UserError as exc:
        pytest.skip(f"PY-SPY IS NOT TESTED: {exc.message}")
    lines = [
        "import time",
        "def compute(ends):",
        "    while time.perf_counter() < ends:",
        "        sum(range(1000))",
        "def earlier(ends): compute(ends)",
        "def later(ends): compute(ends)",
        "def both():",
        "    time.sleep(1)",
        "    now = time.perf_counter()",
        "    earlier(now + 2)",
        "    print('turned', time.perf_counter_ns(), flush=True)",
        "    later(now + 4)",
        "threading.Thread(target=both, daemon=True).start()",
        "serve()",
    ]
    finished = run(script(APP + "\n".join(lines)), py_spy=True, duration_s=6.0)
    told = finished.folder.read()["py_spy"]
    if "may not attach" in told.get("trouble", ""):
        pytest.skip(f"PY-SPY IS NOT TESTED: {told['trouble']}")
    turned_ns = int(finished.folder.app_log.read_text().split("turned ")[1].split()[0])
    # Two py-spys sample for a moment; on a busy machine it may last.
    slack_ns = 200_000_000
    seen: dict[str, int] = {"earlier": 0, "later": 0}
    for stretch in stacks_of(finished.folder).stretches:
        assert stretch.window is not None
        start, end = stretch.window
        for stack, count in stretch.counts.items():
            for function in seen.keys() & {site.function for site in stack}:
                seen[function] += count
                if function == "earlier":
                    assert start < turned_ns + slack_ns
                else:
                    assert end > turned_ns - slack_ns
    assert seen["earlier"] > 50 < seen["later"]
    assert told["stretch_s"] < 3
