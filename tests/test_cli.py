"""The command line: what it prints, where, and with which exit code."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from slowpath import __version__, cli
from slowpath.errors import UserError
from slowpath.recording import folder as folders
from slowpath.run import analysis, session
from slowpath.run.progress import PlainProgress, TerminalProgress, describe
from slowpath.run.session import Finished
from slowpath.traffic.job import Tick

REPORT = {"findings": [], "endpoints": [{}], "load": {"errors": 0.0}}


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("SLOWPATH_RUNS", "SLOWPATH_DEBUG"):
        monkeypatch.delenv(name, raising=False)


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The exit code of the command line."""
    monkeypatch.setattr(sys, "argv", ["slowpath", *arguments])
    try:
        cli.main()
    except SystemExit as exc:
        return int(exc.code or 0)
    return 0


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Replaces run and analysis; what is put in here is what they say."""
    told: dict[str, Any] = {"report": REPORT, "died": False, "options": None}

    def run(options: Any, progress: Any, on_start: Any) -> Finished:
        told["options"] = options
        return Finished(folders.create("x"), told["died"])

    monkeypatch.setattr(session, "run", run)
    monkeypatch.setattr(analysis, "analyse", lambda folder, progress: told["report"])
    return told


def test_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"slowpath {__version__}\n"


def test_help_fits_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "--help") == 0
    text = capsys.readouterr().out
    assert "..." not in text.replace("[ARGS]...", "")
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run"], "Give the command that starts your app"),
        (["run", "--"], "Give the command that starts your app"),
        (["run", "--users", "0", "--", "x"], "--users must be at least 1"),
        (["run", "--duration", "soon", "--", "x"], "--duration does not understand 'soon'"),
        (["run", "--duration", "0", "--", "x"], "--duration must be more than 0"),
        (["run", "--warmup", "-1s", "--", "x"], "--warmup does not understand"),
        (["run", "--header", "nonsense", "--", "x"], "--header number 1 is not of the form"),
        (["run", "--traffic", "locust", "--", "x"], "--traffic does not know 'locust'"),
        (["run", "--", "no-such-command-at-all"], "was not found"),
        (["show"], "There is no finished run"),
        (["show", "nothing"], "There is no run 'nothing'"),
        (["explain", "n-plus-two"], "Did you mean n-plus-one"),
    ],
)
def test_a_mistake_is_a_sentence_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    sentence: str,
) -> None:
    assert call(monkeypatch, *arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert sentence in " ".join(printed.err.split())
    assert "Traceback" not in printed.err
    assert max(map(len, printed.err.splitlines())) <= 80


@pytest.mark.parametrize("arguments", [["run", "--bogus"], ["bogus"], ["run", "--users", "many"]])
def test_wrong_usage_is_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert call(monkeypatch, *arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_the_command_keeps_its_own_options(
    monkeypatch: pytest.MonkeyPatch, measured: dict[str, Any]
) -> None:
    arguments = ["--users", "7", "--header", "A: b", "--", "uvicorn", "m:app", "--port", "1"]
    assert call(monkeypatch, "run", "--format", "json", *arguments) == 0
    options = measured["options"]
    assert options.command == ("uvicorn", "m:app", "--port", "1")
    assert (options.users, options.port, options.headers) == (7, None, {"A": "b"})
    assert call(monkeypatch, "run", "--format", "json", "gunicorn", "--users", "x") == 0
    assert measured["options"].command == ("gunicorn", "--users", "x")


@pytest.mark.parametrize(
    ("findings", "died", "code"), [([], False, 0), ([{}], False, 1), ([], True, 2), ([{}], True, 1)]
)
def test_the_exit_code_tells_what_was_found(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    measured: dict[str, Any],
    findings: list[Any],
    died: bool,
    code: int,
) -> None:
    measured.update(report={**REPORT, "findings": findings}, died=died)
    assert call(monkeypatch, "run", "--format", "json", "x") == code
    assert json.loads(capsys.readouterr().out)["findings"] == findings


@pytest.mark.parametrize("change", [{"endpoints": []}, {"load": {"errors": 0.9}}])
def test_a_run_that_tells_nothing_is_no_good_news(
    monkeypatch: pytest.MonkeyPatch, measured: dict[str, Any], change: dict[str, Any]
) -> None:
    measured["report"] = {**REPORT, **change}
    assert call(monkeypatch, "run", "--format", "json", "x") == 2


def test_an_interrupted_run_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(session, "run", interrupted)
    assert call(monkeypatch, "run", "x") == 130
    assert "interrupted" in capsys.readouterr().err


def test_details_of_an_error_keep_their_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = "  File x\n    " + "y" * 100

    def fail(*args: Any) -> None:
        raise UserError("It ended.", log)

    monkeypatch.setattr(session, "run", fail)
    assert call(monkeypatch, "run", "x") == 2
    assert log in capsys.readouterr().err


def test_a_defect_is_one_sentence_unless_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*args: Any) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(session, "run", fail)
    assert call(monkeypatch, "run", "x") == 2
    text = capsys.readouterr().err
    assert "ZeroDivisionError in fail (test_cli.py:" in " ".join(text.split())
    assert "Traceback" not in text
    monkeypatch.setenv("SLOWPATH_DEBUG", "1")
    assert call(monkeypatch, "run", "x") == 2
    assert "Traceback" in capsys.readouterr().err


def test_explain_prints_the_page_of_a_cause(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, "explain", "n-plus-one") == 0
    text = capsys.readouterr().out
    assert "## Why it is slow" in text
    assert "\x1b" not in text


TICK = Tick("drive", 12.0, 100, requests=4000, failed=3, rps=381.2, p95_ms=243.7)


def test_the_display_of_a_terminal_fits_and_leaves_notes() -> None:
    assert describe(TICK, 30.0) == ("driving: 100 users, 381/s, p95 244 ms, 0% errors, 18 s to go")
    out = io.StringIO()
    display = TerminalProgress(Console(file=out, force_terminal=True, width=80))
    display.phase("starting [not] markup")
    display.share("charging", 0.5)
    display.tick(TICK, 30.0)
    display.note("the app answers at http://[::1]:80")
    display.close()
    assert "the app answers at http://[::1]:80" in out.getvalue()


def test_a_pipe_gets_a_few_plain_lines() -> None:
    out = io.StringIO()
    display = PlainProgress(out)
    display.phase("waiting")
    display.share("waiting", 0.5)
    display.tick(TICK, 30.0)
    display.note("done")
    display.close()
    assert out.getvalue() == "slowpath: waiting\nslowpath: done\n"
