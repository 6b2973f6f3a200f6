"""`slowpath fix`: what it shows, what it writes, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scan.project import write

SLEEPS = """
import time


async def idle():
    time.sleep(1)
"""
DROPS = """
import asyncio


async def note(): ...


async def handle():
    asyncio.create_task(note())
"""
WAITS = "import requests\n\n\ndef stock():\n    return requests.get('x')\n"


def fix(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "slowpath.cli", "fix", *arguments],
        capture_output=True, text=True, cwd=cwd, check=False, timeout=120,
    )  # fmt: skip


def git(*arguments: str, cwd: Path) -> str:
    command = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *arguments]
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write(tmp_path, sleeps=SLEEPS, drops=DROPS, waits=WAITS)


def test_it_shows_and_writes_nothing(project: Path) -> None:
    before = {file: file.read_bytes() for file in project.rglob("*.py")}
    told = fix(cwd=project)
    assert told.returncode == 1
    assert "there is no run" in told.stderr
    assert "+    await asyncio.sleep(1)" in told.stdout
    assert "    Safe. Keep the task in _background_tasks until it is done.\n" in told.stdout
    assert "    Look at it first. Wait at most 10 seconds" in told.stdout
    assert "3 findings: 2 with a safe cure, 1 with one to look at, 0 without." in told.stdout
    assert max(map(len, told.stdout.splitlines())) <= 80
    assert "\x1b" not in told.stdout
    assert {file: file.read_bytes() for file in project.rglob("*.py")} == before


def test_only_the_safe_ones_are_written_unless_asked(project: Path) -> None:
    told = fix("--scan", "--write", cwd=project)
    assert told.returncode == 1
    assert "2 cures written to 2 files." in told.stdout
    assert "--unsafe" in told.stdout
    assert "await asyncio.sleep(1)" in (project / "sleeps.py").read_text()
    assert "_background_tasks.add(task)" in (project / "drops.py").read_text()
    assert (project / "waits.py").read_text() == WAITS
    assert fix("--scan", "--write", "--unsafe", cwd=project).returncode == 0
    assert "timeout=10" in (project / "waits.py").read_text()
    assert fix("--scan", cwd=project).returncode == 0


@pytest.mark.parametrize(
    ("named", "files"),
    [
        ("blocking-call", {"sleeps.py"}),
        ("sleeps.py", {"sleeps.py"}),
        ("sleeps.py:6", {"sleeps.py"}),
        ("waits.py:5", {"waits.py"}),
        (".", {"drops.py", "sleeps.py", "waits.py"}),
    ],
)
def test_findings_are_named_in_several_ways(project: Path, named: str, files: set[str]) -> None:
    told = fix("--scan", named, "--format", "json", cwd=project)
    assert {each["changes"] for each in json.loads(told.stdout)["findings"]} == files


def test_a_patch_is_what_git_takes(project: Path) -> None:
    git("init", "-q", cwd=project)
    (project / "drops.py").write_bytes((project / "drops.py").read_bytes().rstrip(b"\n"))
    (project / "sleeps.py").write_bytes(SLEEPS.replace("\n", "\r\n").encode())
    told = subprocess.run(
        [sys.executable, "-m", "slowpath.cli", "fix", "--scan", "--diff", "--unsafe"],
        cwd=project, capture_output=True, check=False,
    )  # fmt: skip
    assert told.returncode == 1
    subprocess.run(["git", "apply", "-"], cwd=project, input=told.stdout, check=True)
    assert b"    await asyncio.sleep(1)\r\n" in (project / "sleeps.py").read_bytes()
    assert (project / "drops.py").read_text().endswith("_background_tasks.discard)")
    assert fix("--scan", cwd=project).returncode == 0


def test_a_file_with_changes_that_are_not_committed_is_left_alone(project: Path) -> None:
    (project / ".gitignore").write_text(".slowpath\n__pycache__\n")
    git("init", "-q", cwd=project)
    git("add", ".", cwd=project)
    git("commit", "-qm", "x", cwd=project)
    sick = SLEEPS + "# more\n"
    (project / "sleeps.py").write_text(sick)
    told = fix("--scan", "--write", cwd=project)
    assert told.returncode == 2
    assert "have changes that git has not committed" in told.stderr.replace("\n", " ")
    assert "sleeps.py" in told.stderr
    assert (project / "sleeps.py").read_text() == sick
    assert git("status", "--porcelain", cwd=project) == " M sleeps.py\n"
    (project / ".gitignore").write_text(".slowpath\n__pycache__\nnew.py\n")
    (project / "new.py").write_text(DROPS)
    told = fix("--scan", "new.py", "--write", cwd=project)
    assert (told.returncode, "new.py" in told.stderr) == (2, True)
    (project / "new.py").unlink()
    fix("--scan", "--write", "--allow-dirty", cwd=project)
    assert (project / "sleeps.py").read_text() == sick.replace(
        "time.sleep", "await asyncio.sleep"
    ).replace("import time", "import asyncio\nimport time")


def test_two_changes_of_one_line_wait_for_each_other(tmp_path: Path) -> None:
    both = "import requests\n\n\nasync def stock():\n    return requests.get('x')\n"
    write(tmp_path, both=both)
    told = fix("--scan", "--write", "--unsafe", cwd=tmp_path)
    assert told.returncode == 1
    assert "1 more touch" in told.stderr
    fix("--scan", "--write", "--unsafe", cwd=tmp_path)
    assert (tmp_path / "both.py").read_text() == (
        "import asyncio\n\nimport requests\n\n\nasync def stock():\n"
        "    return await asyncio.to_thread(requests.get, 'x', timeout=10)\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("blocking-cal",), "Did you mean blocking-call?"),
        (("--scan", "99"), "There is no such finding"),
        (("--run", "nothing"), "nothing"),
        (("--write", "--diff"), "--diff only shows"),
        (("--scan", "--run", "x"), "choose one"),
        (("--scan", "/"), "outside of the working folder"),
    ],
)
def test_a_mistake_is_a_sentence(project: Path, arguments: tuple[str, ...], said: str) -> None:
    told = fix(*arguments, cwd=project)
    assert told.returncode == 2
    assert said in told.stderr.replace("\n", " ")
    assert "Traceback" not in told.stderr
