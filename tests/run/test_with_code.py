"""The findings of a run beside those of a scan of the code that ran."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from slowpath.causes import catalogue
from slowpath.report import build
from slowpath.run.analysis import with_code
from slowpath.run.progress import PlainProgress
from tests.report.runs import BLOCKING, finding, ledger, placed, recording, request
from tests.report.test_report_terminal import written

CODE = {
    "app/partners.py": (
        "import requests\n\nclass Stock:\n"
        "    def _get(self, n): return requests.get(str(n), timeout=3)\n"
    ),
    "app/users.py": (
        "import time\nfrom fastapi import FastAPI\nfrom app.partners import Stock\n\n"
        "app = FastAPI()\n\n\n@app.get('/users')\nasync def list_users():\n"
        "    return Stock()._get(1)\n\n\n@app.get('/rare')\nasync def rare():\n    time.sleep(3)\n"
    ),
    "app/never_imported.py": "import time\n\nasync def go():\n    time.sleep(3)\n",
}


@pytest.fixture
def book(tmp_path: Path):
    run = recording([request(i, took_ms=10) for i in range(1, 9)], sites=placed(tmp_path))
    for path, text in CODE.items():
        (tmp_path / path).write_text(text)
    return ledger(run, {"/users": [("loop", BLOCKING, 1.0)]})


def read(book, root: Path):
    measured = finding(catalogue()["blocking-call"], BLOCKING, book)
    heard = io.StringIO()
    return with_code(book, [measured], root, PlainProgress(heard)), heard.getvalue()


def test_a_measured_finding_gets_its_chain_and_the_rest_is_told_apart(book, tmp_path):
    joined, _ = read(book, tmp_path)
    [both] = joined.findings
    assert both.seen_by == ("scan", "run")
    assert [(Path(hop.path).name, hop.line) for hop in both.chain] == [
        ("users.py", 10),
        ("partners.py", 4),
    ]
    [alone] = joined.in_code
    assert (Path(alone.path).name, alone.line, alone.seen_by) == ("users.py", 15, ("scan",))


def test_the_report_tells_it_without_a_price_and_after_the_findings(book, tmp_path):
    joined, _ = read(book, tmp_path)
    report = build(book.recording, book, joined.findings, tmp_path, joined.in_code)
    assert len(report["findings"]) == 1
    [alone] = report["in_code"]
    assert (alone["path"], alone["line"], alone["cause"]) == ("app/users.py", 15, "blocking-call")
    text = written(report)
    assert text.index("app/partners.py:4") < text.index("Also in the code")
    assert "blocking-call  app/users.py:15  rare" in text


def test_an_ignore_comment_holds_for_what_only_the_scan_saw(book, tmp_path):
    users = tmp_path / "app/users.py"
    users.write_text(users.read_text().replace("sleep(3)", "sleep(3)  # slowpath: ignore"))
    joined, _ = read(book, tmp_path)
    assert joined.in_code == []


def test_an_app_elsewhere_is_not_read(book, tmp_path):
    (tmp_path / "empty").mkdir()
    joined, heard = read(book, tmp_path / "empty")
    assert [each.seen_by for each in joined.findings] == [("run",)]
    assert heard == ""


def test_settings_that_cannot_be_read_cost_the_scan_alone(book, tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.slowpath.scan]\nselct = []\n")
    joined, heard = read(book, tmp_path)
    assert [each.seen_by for each in joined.findings] == [("run",)]
    assert "the code was not read" in heard
