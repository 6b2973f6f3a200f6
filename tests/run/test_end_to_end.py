"""The command line from a command to a verdict."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

pytest.importorskip("uvicorn")

pytestmark = pytest.mark.slow

APP = """
import asyncio, os, signal, time

served = 0

async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("no lifespan")
    global served
    served += 1
    {work}
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": b"hello"}})
"""


def slowpath(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "slowpath.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def run_app(work: str, *options: str, end: str = "") -> subprocess.CompletedProcess[str]:
    Path("app.py").write_text(APP.format(work=work) + end)
    return slowpath(
        *("run", "--format", "json", "--traffic", "url:/a", "--users", "4"),
        *("--duration", "2s", "--warmup", "0.5s", *options, "--"),
        *(sys.executable, "-m", "uvicorn", "app:app", "--port", "0", "--log-level", "warning"),
    )


def report_of(result: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    report = json.loads(result.stdout)
    assert isinstance(report, dict)
    return report


def test_a_sick_app_is_told_its_line_and_exit_code_1() -> None:
    result = run_app("time.sleep(0.03)  # culprit: blocking-call")
    assert result.returncode == 1, result.stderr
    report = report_of(result)
    first = report["findings"][0]
    lines = Path("app.py").read_text().splitlines()
    assert first["cause"] == "blocking-call"
    assert first["path"] == "app.py"
    assert "culprit: blocking-call" in lines[first["line"] - 1]
    assert report["load"]["users"] == 4
    # Every request that the client sent in the window was joined to one that the app served.
    assert {endpoint["client"] is not None for endpoint in report["endpoints"]} == {True}
    # And again, from what was stored.
    again = slowpath("show", "--format", "json")
    assert (again.returncode, report_of(again)) == (0, report)
    text = slowpath("show")
    assert "blocking-call" in text.stdout
    assert "\x1b" not in text.stdout
    assert max(map(len, text.stdout.splitlines())) <= 80


def test_a_healthy_app_is_told_so_and_exit_code_0() -> None:
    result = run_app("await asyncio.sleep(0.01)")
    assert result.returncode == 0, result.stderr
    report = report_of(result)
    assert report["findings"] == []
    assert report["load"]["errors"] == 0
    assert "Traceback" not in result.stderr


def test_an_app_that_is_killed_under_load_is_reported_and_said() -> None:
    result = run_app(
        "await asyncio.sleep(0.01); served > 300 and os.kill(os.getpid(), signal.SIGKILL)",
        *("--warmup", "0s", "--duration", "30s"),
    )
    assert result.returncode in (1, 2), result.stderr
    report = report_of(result)
    assert "the app died by itself (signal SIGKILL)" in " ".join(report["notes"])
    assert report["load"]["requests"] > 100
    assert "Traceback" not in result.stderr


def test_a_report_that_was_never_made_is_made_when_asked_for() -> None:
    result = run_app("await asyncio.sleep(0.01)")
    [stored] = Path().glob(".slowpath/runs/*/report.json")
    stored.unlink()
    again = slowpath("show", "--format", "json")
    assert again.returncode == 0, again.stderr
    assert report_of(again)["load"] == report_of(result)["load"]
    assert stored.exists()


def test_a_run_is_stored_as_tables() -> None:
    result = run_app("await asyncio.sleep(0.01)")
    [stored] = Path().glob(".slowpath/runs/*/run.duckdb")
    with duckdb.connect(str(stored), read_only=True) as database:
        counted = database.execute("SELECT count(charged_id) FROM requests").fetchone()
    [endpoint] = report_of(result)["endpoints"]
    assert counted == (endpoint["count"],)


def test_an_app_that_dies_at_start_is_quoted_with_exit_code_2() -> None:
    result = run_app("pass", end="raise SystemExit('no database')")
    assert result.returncode == 2
    assert result.stdout == ""
    assert "The app ended before it answered" in result.stderr
    assert "no database" in result.stderr
