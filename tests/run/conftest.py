"""Small servers to launch, and the proof that nothing of them is left."""

from __future__ import annotations

import os
import secrets
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from slowpath.run import processes
from tests.run.programs import Script

TEST_VARIABLE = "SLOWPATH_TEST_ID"


@pytest.fixture(autouse=True)
def nothing_left_behind(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail the test if any process that descends from it, daemons too, outlives it."""
    token = secrets.token_hex(8)
    monkeypatch.setenv(TEST_VARIABLE, token)

    def left() -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            try:
                ours = process.environ().get(TEST_VARIABLE) == token
            except (psutil.Error, OSError):
                continue
            if ours and process.pid != os.getpid() and processes.is_alive(process):
                found.append(process)
        return found

    yield
    try:
        # What was killed a moment ago may still be on its way out.
        assert processes.wait_gone(left, 2.0), [process.cmdline() for process in left()]
    finally:
        processes.kill(left)


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SLOWPATH_RUNS", raising=False)


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Write a Python program; returns the command that runs it."""

    def write(source: str) -> tuple[str, ...]:
        path = tmp_path / "program.py"
        path.write_text(textwrap.dedent(source))
        return (sys.executable, str(path))

    return write
