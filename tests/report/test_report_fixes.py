"""The cure of each finding in a report: as data, and as a command on the terminal."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console

from slowpath.report import Report, build, fixes
from slowpath.report.terminal import render
from tests.report.runs import (
    BLOCKING,
    BLOCKING_CALL,
    N_PLUS_ONE,
    QUERY,
    finding,
    ledger,
    placed,
    recording,
    request,
)

SLEEPS = "import time\n\n\nasync def idle():\n    time.sleep(1)\n"


def report(root: Path, text: str = SLEEPS) -> Report:
    """Two findings, the first in a file of this text; the second also as what a scan saw."""
    run = recording([request(i) for i in range(1, 21)], sites=placed(root))
    book = ledger(run, {"/users": [("loop", BLOCKING, 0.5), ("sql", QUERY, 0.5)]})
    (root / "app" / "idle.py").write_text(text)
    first = replace(
        finding(BLOCKING_CALL, BLOCKING, book, culprit="time.sleep"),
        path=str(root / "app" / "idle.py"),
        line=5,
        function="idle",
        confidence="certain",
    )
    found = [first, finding(N_PLUS_ONE, QUERY, book)]
    return build(run, book, found, root, in_code=[replace(first, seen_by=("scan",))])


def told(made: Any) -> str:
    out = StringIO()
    render(made, Console(file=out, width=80))
    return out.getvalue()


def test_a_finding_tells_its_own_cure(tmp_path: Path) -> None:
    made = report(tmp_path)
    first, second = made["findings"]
    assert first["cure"] == first["fix"]["cure"] == "safe"
    assert first["fix"]["changes"] == "app/idle.py"
    assert "+    await asyncio.sleep(1)" in first["fix"]["diff"]
    assert (first["fix"]["look"], first["fix"]["cut"]) == ("", 0)
    assert made["in_code"][0]["cure"] == "safe"
    # Its cause has cures, but none for this line.
    assert second["cure"] == second["fix"]["cure"] == "none"
    assert "more ways than one" in second["fix"]["why"]


def test_the_terminal_names_the_command_where_there_is_a_cure(tmp_path: Path) -> None:
    text = told(report(tmp_path))
    assert "fix       slowpath fix app/idle.py:5  safe" in text
    assert "    slowpath fix app/idle.py:5  safe" in text
    assert text.count("slowpath fix") == 2


def test_what_must_be_looked_at_says_so(tmp_path: Path) -> None:
    made = report(tmp_path, SLEEPS.replace("(1)", "(1)\n    state.done = True"))
    assert "slowpath fix app/idle.py:5  look at it first" in told(made)
    assert fixes.command(made["findings"][0], write=True).endswith(":5 --write --unsafe")


def test_of_very_many_findings_the_first_get_a_cure(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(fixes, "MOST_FIXES", 1)
    first, second = report(tmp_path)["findings"]
    assert "fix" in first
    assert "fix" not in second
    assert second["cure"] == str(N_PLUS_ONE.cure)
