"""A scan's SARIF is what the standard's own schema allows.

The schema is the one of npm's `@microsoft/jest-sarif` 1.0.0-beta.0 (MIT, see `vendor/sarif`),
which is that of the standard but for its errata; `ERRATA` has what these tightened.
"""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest

from slowpath.report.scan_result import Result
from slowpath.report.scan_sarif import render
from slowpath.scan import scan
from tests.scan.project import write

SCHEMA = Path(__file__).parent / "vendor" / "sarif" / "sarif-2.1.0-rtm.5.json"
ERRATA = {
    "region": {
        "anyOf": [{"required": [each]} for each in ("startLine", "charOffset", "byteOffset")]
    }
}
LAB = Path(__file__).parents[2] / "lab"

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
NAP = "import time\nasync def f():\n    time.sleep(1)\n"
PATHS = [
    "with space.py",
    "ünïcödé/日本.py",
    "100%/50%25.py",
    "c#/what?.py",
    "a:b.py",
    "[x]/{y}&'z'.py",
    os.fsdecode(b"caf\xe9.py"),
]


@pytest.fixture(scope="module")
def valid() -> jsonschema.Draft4Validator:
    schema = json.loads(SCHEMA.read_text("utf-8"))
    for name, more in ERRATA.items():
        schema["definitions"][name].update(more)
    formats = jsonschema.FormatChecker()
    assert "uri-reference" in formats.checkers  # else no address is checked
    return jsonschema.Draft4Validator(schema, format_checker=formats)


def sarif_of(root: Path) -> dict[str, Any]:
    """What is printed, read again."""
    seen = scan(root)
    text = render(Result(root, seen.findings, seen.files, seen.lines, seen.errors))
    found: dict[str, Any] = json.loads(text.encode("utf-8"))
    return found


def breaches(valid: jsonschema.Draft4Validator, document: dict[str, Any]) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in valid.iter_errors(document)]


@pytest.fixture
def sarif(tmp_path: Path) -> dict[str, Any]:
    """Findings with and without a way, in a path to be quoted, and a file that is not read."""
    write(tmp_path, **{"my app__main": APP, "my app__svc": SVC})
    (tmp_path / "broken.py").write_text("def (:\n")
    return sarif_of(tmp_path)


def test_findings_chains_and_unread_files_are_valid(sarif, valid) -> None:
    [run] = sarif["runs"]
    assert {each["ruleId"] for each in run["results"]} >= {"blocking-call", "lost-task"}
    assert any("codeFlows" in each for each in run["results"])
    assert run["invocations"][0]["toolExecutionNotifications"]
    assert breaches(valid, sarif) == []


def test_a_scan_without_findings_is_valid(tmp_path: Path, valid) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    document = sarif_of(tmp_path)
    assert document["runs"][0]["results"] == []
    assert breaches(valid, document) == []


def test_every_cause_in_one_document_is_valid(valid) -> None:
    document = sarif_of(LAB)
    assert len(document["runs"][0]["tool"]["driver"]["rules"]) > 10
    assert breaches(valid, document) == []


@pytest.mark.parametrize("name", PATHS)
def test_any_path_is_an_address_that_leads_back_to_it(name: str, tmp_path: Path, valid) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(NAP)
    (path.parent / f"broken {path.name}").write_text("def (:\n")
    document = sarif_of(tmp_path)
    assert breaches(valid, document) == []
    [run] = document["runs"]
    places = [
        location["physicalLocation"]["artifactLocation"]["uri"]
        for each in (*run["results"], *run["invocations"][0]["toolExecutionNotifications"])
        for location in each["locations"]
    ]
    assert len(places) == 2
    for place in places:
        assert Path(unquote(place, errors="surrogateescape")).exists()


def test_one_file_alone_is_valid(tmp_path: Path, valid) -> None:
    (tmp_path / "a b.py").write_text(NAP)
    document = sarif_of(tmp_path / "a b.py")
    assert len(document["runs"][0]["results"]) == 1
    assert breaches(valid, document) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda result: result.update(level="fatal"),
        lambda result: result.update(unknown=1),
        lambda result: result["locations"][0]["physicalLocation"]["region"].update(startLine=0),
        lambda result: result["locations"][0]["physicalLocation"]["region"].pop("startLine"),
        lambda result: result["locations"][0]["physicalLocation"].update(
            artifactLocation={"uri": "a b%"}
        ),
    ],
)
def test_the_schema_is_strict_enough_to_tell(spoil, sarif, valid) -> None:
    spoiled = copy.deepcopy(sarif)
    spoil(spoiled["runs"][0]["results"][0])
    assert breaches(valid, spoiled)
