"""The lab's sick apps with the cures that slowpath writes: as quick as the case demands."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.harness import Call, Case, Parts, cases, drive, parts
from lab.services import app_server
from slowpath.codemod import Project
from slowpath.codemod.change import spliced
from slowpath.cure import offer, site_of
from slowpath.scan import scan

pytestmark = pytest.mark.slow
#: Cases whose whole defect is one that a tool can cure.
CASES = {"blocking_call", "client_per_request", "long_transaction"}


@pytest.fixture(scope="module")
def shared() -> Iterator[Parts]:
    with parts() as found:
        yield found


def cured(sick: str, folder: Path) -> str:
    """The text of an app with what is offered for its one finding."""
    (folder / "app.py").write_text(sick)
    [finding] = [each for each in scan(folder).findings if each.confidence != "possible"]
    made = offer(finding.cause.slug, site_of(finding, Project(folder)))
    assert made.change is not None, made.why
    return spliced(sick, made.change.splices)


def answered(case: Case, text: str, shared: Parts, folder: Path) -> list[Call]:
    """Serve an app of this text under the case's load."""
    folder.mkdir()
    (folder / "served.py").write_text(text)
    path = os.pathsep.join([str(folder), str(Path(__file__).parents[2])])
    env = {**shared.env(case, "tool"), "PYTHONPATH": path}
    with app_server("served:app", env, ready="/openapi.json") as server:
        calls, _ = asyncio.run(drive(case, server.url, case.users))
    assert not [call for call in calls if call.status >= 400]
    return calls


@pytest.mark.parametrize(
    "case", [case for case in cases() if case.name in CASES], ids=lambda case: case.name
)
def test_the_cure_gains_what_the_case_demands(case: Case, shared: Parts, tmp_path: Path) -> None:
    sick = (case.folder / "sick.py").read_text()
    (tmp_path / "scanned").mkdir()
    before = answered(case, sick, shared, tmp_path / "before")
    after = answered(case, cured(sick, tmp_path / "scanned"), shared, tmp_path / "after")
    # The rate of a closed loop; the slowest calls of so short a run are chance.
    assert len(after) / len(before) >= case.gain["rps"]
