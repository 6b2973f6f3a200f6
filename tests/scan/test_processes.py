"""A scan by several processes says what one alone says, in the same order."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from slowpath import scan as scanning
from slowpath.program.team import FORKS

LAB = Path(__file__).parents[2] / "lab"
CAUSES = Path(scanning.__file__).parent / "causes"
CALLED = """\
import requests

def load(url):
    return requests.get(url, timeout=3)

class Base:
    def fetch(self):
        raise NotImplementedError

class Client(Base):
    @property
    def rate(self):
        return load("http://rate")

    def fetch(self):
        return load("http://all")
"""
CALLER = """\
from a_called import Base, Client

async def through_a_property(client: Client):
    return client.rate

async def through_an_override(client: Base):
    return client.fetch()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    for each in sorted(LAB.glob("*/sick.py")):
        shutil.copy(each, root / f"m_{each.parent.name}.py")
    (root / "a_called.py").write_text(CALLED)
    (root / "z_caller.py").write_text(CALLER)
    return root


@pytest.mark.skipif(not FORKS, reason="needs fork")
@pytest.mark.parametrize("processes", [2, 5])
def test_several_processes(processes: int, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "_processes", lambda lines: 1)
    alone = scanning.scan(project).findings
    assert {each.path for each in alone} >= {"a_called.py"}
    monkeypatch.setattr(scanning, "_processes", lambda lines: processes)
    assert scanning.scan(project).findings == alone


@pytest.mark.skipif(not FORKS, reason="needs fork")
def test_one_process_alone_tells_how_far_it_is(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "_processes", lambda lines: 3)
    told = tmp_path / "told"

    def tell(done: float, total: float) -> None:
        with told.open("a") as stream:
            stream.write(f"{os.getpid()}\n")

    scanning.scan(project, progress=tell)
    assert set(told.read_text().split()) == {str(os.getpid())}


@pytest.mark.parametrize("file", sorted(CAUSES.rglob("*.py")), ids=lambda file: file.stem)
def test_no_cause_goes_through_all_files_by_itself(file: Path) -> None:
    """It is asked of each file: what it wants to know of all it looks up in an index."""
    text = file.read_text("utf-8")
    assert "program.files" not in text
    assert "program.functions()" not in text
