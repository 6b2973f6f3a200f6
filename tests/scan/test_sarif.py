"""A scan's SARIF is what the standard's own schema allows.

The schema is OASIS's and is not kept here. It is `sarif-2.1/schema/sarif-schema-2.1.0.json` of
https://github.com/oasis-tcs/sarif-spec; put it in `.cache/` or name it in SLOWPATH_SARIF_SCHEMA.
"""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from slowpath.report.scan_result import Result
from slowpath.report.scan_sarif import document
from slowpath.scan import scan
from tests.scan.project import write

_CACHED = Path(__file__).parents[2] / ".cache" / "sarif-schema-2.1.0.json"
SCHEMA = Path(os.environ.get("SLOWPATH_SARIF_SCHEMA", _CACHED))

pytestmark = pytest.mark.skipif(
    not SCHEMA.is_file(), reason=f"no SARIF 2.1.0 schema at {SCHEMA}; see this file's docstring"
)

APP = """
import asyncio, time
from fastapi import FastAPI
from .svc import work

app = FastAPI()

@app.get("/")
async def route():
    asyncio.create_task(route())
    return work()
"""
SVC = """
import time

def work():
    time.sleep(1)
"""


@pytest.fixture(scope="module")
def valid() -> jsonschema.Draft4Validator:
    schema = json.loads(SCHEMA.read_text("utf-8"))
    return jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker())


@pytest.fixture
def sarif(tmp_path: Path) -> dict[str, Any]:
    """Findings with and without a way, in a path to be quoted, and a file that is not read."""
    write(tmp_path, **{"my app__main": APP, "my app__svc": SVC})
    (tmp_path / "broken.py").write_text("def (:\n")
    seen = scan(tmp_path)
    return document(Result(tmp_path, seen.findings, seen.files, seen.lines, seen.errors))


def test_findings_chains_and_unread_files_are_valid(sarif, valid) -> None:
    [run] = sarif["runs"]
    assert {each["ruleId"] for each in run["results"]} >= {"blocking-call", "lost-task"}
    assert run["invocations"][0]["toolExecutionNotifications"]
    assert [error.message for error in valid.iter_errors(sarif)] == []


def test_a_scan_without_findings_is_valid(tmp_path: Path, valid) -> None:
    assert list(valid.iter_errors(document(Result(tmp_path, [], 0, 0)))) == []


def test_the_schema_is_strict_enough_to_tell(sarif, valid) -> None:
    for spoil in (
        lambda result: result.update(level="fatal"),
        lambda result: result.update(unknown=1),
        lambda result: result["locations"][0]["physicalLocation"]["region"].update(startLine=0),
    ):
        spoiled = copy.deepcopy(sarif)
        spoil(spoiled["runs"][0]["results"][0])
        assert list(valid.iter_errors(spoiled))
