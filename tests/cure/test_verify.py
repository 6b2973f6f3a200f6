"""`slowpath fix --verify`: the cures made, the run repeated, both set beside each other."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from slowpath.errors import UserError
from slowpath.fix_verify import again
from slowpath.recording.folder import RunFolder, list_runs
from slowpath.report.words import ms

SICK = """\
import time


async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("no lifespan")
    time.sleep(0.03)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})
"""
RUN = {
    "name": "shop",
    "command": ["uvicorn", "main:app"],
    "traffic": {
        "kind": "har",
        "spec": "har:a.har",
        "users": 20,
        "duration_s": 5.0,
        "warmup_s": 1.0,
        "rate": 50.0,
        "headers": [],
    },
}


def recorded(folder: Path, **other: Any) -> RunFolder:
    run = {**RUN, "traffic": {**RUN["traffic"], **other.pop("traffic", {})}, **other}
    (folder / "x").mkdir()
    (folder / "x" / "run.json").write_text(json.dumps(run))
    return RunFolder(folder / "x")


def test_a_run_is_made_again_as_it_was(tmp_path: Path) -> None:
    options = again(recorded(tmp_path))
    assert (options.command, options.traffic) == (("uvicorn", "main:app"), "har:a.har")
    assert (options.users, options.duration_s, options.warmup_s, options.rate) == (20, 5, 1, 50)
    assert (options.name, options.runs) == ("shop-cured", tmp_path)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"traffic": {"headers": ["authorization"]}}, "headers"),
        ({"traffic": {"spec": "none"}}, "by hand"),
        ({"traffic": {"spec": ""}}, "not known well enough"),
        ({"command": ["serve", "--token", "***"]}, "secret"),
    ],
)
def test_a_run_that_cannot_be_made_again_is_refused(
    tmp_path: Path, other: dict[str, Any], why: str
) -> None:
    with pytest.raises(UserError, match=why):
        again(recorded(tmp_path, **other))


def slowpath(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "slowpath.cli", *arguments],
        capture_output=True, text=True, timeout=120, check=False, cwd=cwd,
    )  # fmt: skip


@pytest.mark.slow
def test_the_gain_is_measured_beside_what_was_predicted(tmp_path: Path) -> None:
    pytest.importorskip("uvicorn")
    (tmp_path / "main.py").write_text(SICK)
    before = slowpath(
        *("run", "--traffic", "url:/a", "--users", "6", "--duration", "3s", "--warmup", "0.5s"),
        *("--", sys.executable, "-m", "uvicorn", "main:app", "--port", "0"),
        cwd=tmp_path,
    )
    assert before.returncode == 1, before.stderr
    told = slowpath("fix", "blocking-call", "--verify", "--unsafe", cwd=tmp_path)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "1 cure written to 1 file." in told.stdout
    assert "await asyncio.sleep(0.03)" in (tmp_path / "main.py").read_text()
    assert "Findings gone" in told.stdout
    assert "p95 was predicted to go from" in " ".join(told.stdout.split())
    runs = tmp_path / ".slowpath" / "runs"
    [old, new] = list_runs(runs)
    after = json.loads((new.path / "report.json").read_text())
    assert after["findings"] == []
    assert after["load"]["users"] == 6
    # The run before has it in its plan, wherever that is shown.
    assert f"slowpath show {old.name}" in told.stdout
    shown = json.loads(slowpath("show", old.name, "--format", "json", cwd=tmp_path).stdout)
    [step] = shown["simulation"]["plan"]
    assert step["finding"] == 1
    assert step["measured_p95_ms"] == after["load"]["p95_ms"] < shown["load"]["p95_ms"] / 2
    assert step["measured_rps"] == after["load"]["rps"]
    [row] = shown["simulation"]["measured"]
    assert (row["run"], row["findings"], row["steps"]) == (new.name, [1], 1)
    text = " ".join(slowpath("show", old.name, cwd=tmp_path).stdout.split())
    assert f"(measured: p95 {ms(step['measured_p95_ms'])} ms" in text
    slowpath("show", old.name, "--html", "page.html", cwd=tmp_path)
    assert f'"measured_p95_ms":{step["measured_p95_ms"]}' in (tmp_path / "page.html").read_text()
    # To compare them tells nothing new.
    again = slowpath("compare", old.name, new.name, cwd=tmp_path)
    assert "is kept with the plan" not in again.stderr
    assert json.loads((old.path / "report.json").read_text()) == shown


TWO = """\
import time


async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("no lifespan")
    if scope["path"] == "/a":
        await first()
    else:
        await second()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


async def first():
    time.sleep(0.03)


async def second():
    time.sleep(0.01)
"""


@pytest.mark.slow
def test_a_cure_by_hand_that_is_no_first_step_of_the_plan_has_its_own_row(tmp_path: Path) -> None:
    pytest.importorskip("uvicorn")
    (tmp_path / "main.py").write_text(TWO)
    command = (
        *("run", "--traffic", "url:/a,/b", "--users", "6", "--duration", "3s", "--warmup", "0.5s"),
        *("--", sys.executable, "-m", "uvicorn", "main:app", "--port", "0"),
    )
    assert slowpath(*command, cwd=tmp_path).returncode == 1
    # Nothing was done meanwhile: whatever the second run shows, it is not the gain of a cure.
    assert slowpath(*command, cwd=tmp_path).returncode == 1
    (tmp_path / "main.py").write_text(
        TWO.replace("import time", "import asyncio\nimport time").replace(
            "time.sleep(0.01)", "await asyncio.sleep(0.01)"
        )
    )
    assert slowpath(*command, cwd=tmp_path).returncode == 1
    first, second, third = list_runs(tmp_path / ".slowpath" / "runs")
    for one in (second, third):
        assert slowpath("compare", first.name, one.name, cwd=tmp_path).returncode == 0
    report = json.loads((first.path / "report.json").read_text())
    lines = {finding["number"]: finding["line"] for finding in report["findings"]}
    [row] = report["simulation"]["measured"]
    assert (row["run"], [lines[number] for number in row["findings"]]) == (third.name, [20])
    assert row["steps"] == 0
    assert all("measured_p95_ms" not in step for step in report["simulation"]["plan"])
    [number] = row["findings"]
    text = " ".join(slowpath("show", first.name, cwd=tmp_path).stdout.split())
    assert f"measured p95 {ms(row['p95_ms'])} ms" in text
    assert f"with only {number} cured, in {third.name}" in text
