"""The cure of the user's own lines on the page: as a diff, in words, and as a command."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from slowpath.codemod import Project
from slowpath.report import Report
from slowpath.report.fixes import put_fixes
from slowpath.report.html import render
from slowpath.report.html.data import page_of
from slowpath.report.html.texts import texts_of
from slowpath.report.source import excerpt
from tests.report.page.busy import busy
from tests.report.page.test_page_browser import Watched

SICK = """\
import time

state = {}


async def idle(name):
    state[name] = "</script><img src=x onerror=alert(1)>"
    time.sleep(1)
    return f"<b>{name}</b>"
"""
PATH = "sick & tired.py"


def cured(root: Path, text: str, line: int) -> Report:
    """A run whose first finding stands in a file of this text; the second's file is gone."""
    report = busy(120, root)[1]
    (root / PATH).write_text(text)
    first = report["findings"][0]
    first.update(
        {
            "path": PATH,
            "line": line,
            "end_line": line,
            "function": "idle",
            "culprit": "time.sleep",
            "chain": [],
            "source": excerpt(root / PATH, line),
        }
    )
    put_fixes(report["findings"], Project(root))
    return report


@pytest.fixture
def page(browser, tmp_path: Path) -> Iterator[Watched]:
    report = cured(tmp_path, SICK, 8)
    (tmp_path / "elsewhere").mkdir()
    drawn = page_of(busy(120, tmp_path / "elsewhere")[0], report, root=tmp_path)
    file = tmp_path / "page.html"
    file.write_text(render(drawn))
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    watched = Watched(context.new_page())
    watched.page.set_default_timeout(20_000)
    watched.page.goto(file.as_uri())
    yield watched
    context.close()
    assert watched.troubles == []


def test_the_change_of_the_users_own_lines_is_shown(page: Watched) -> None:
    page.go("#/finding/1")
    cure = page.page.locator("figure.cure")
    assert "own lines" in cure.locator("figcaption").inner_text()
    assert PATH in cure.locator("figcaption").inner_text()
    gone = cure.locator(".removed").all_inner_texts()
    come = cure.locator(".added").all_inner_texts()
    assert [line.removeprefix("-").rstrip("\n") for line in gone] == ["    time.sleep(1)"]
    assert [line.removeprefix("+").rstrip("\n") for line in come] == [
        "import asyncio",
        "    await asyncio.sleep(1)",
    ]
    # What surrounds the change is the app's, and stays text.
    assert "</script><img src=x onerror=alert(1)>" in cure.inner_text()
    assert "Look at it first." in cure.inner_text()
    assert page.page.locator(".beside").count() == 0


def test_the_command_makes_the_change(page: Watched) -> None:
    page.go("#/finding/1")
    command = f"slowpath fix '{PATH}:8' --write --unsafe"
    assert command in page.page.locator(".take").inner_text()
    page.page.get_by_role("button", name="Copy command").click()
    assert page.page.get_by_label("What was copied").input_value() == command


def test_without_a_change_it_says_why_and_shows_the_example(page: Watched) -> None:
    page.go("#/finding/2")
    assert page.page.locator("figure.cure").count() == 0
    text = page.page.locator("#main").inner_text()
    assert "of this cause" in text
    assert "not your code" in text


def test_a_long_change_is_cut(tmp_path: Path) -> None:
    text = "import requests\n\n\nasync def idle(key):\n" + "".join(
        f"    answer_{number} = fetch(key)\n" for number in range(200)
    )
    text += "\n\ndef fetch(key):\n    return requests.get(key, timeout=5)\n"
    report = cured(tmp_path, text, 5)
    first = report["findings"][0]
    line = text.count("\n")
    first.update({"line": line, "end_line": line, "function": "fetch", "culprit": "requests.get"})
    first["chain"] = [
        {"path": PATH, "line": 5, "function": "idle"},
        {"path": PATH, "line": line, "function": "fetch"},
    ]
    first["source"] = excerpt(tmp_path / PATH, line)
    put_fixes([first], Project(tmp_path))
    assert len(first["fix"]["diff"]) == 80
    assert first["fix"]["cut"] > 300


def test_a_finding_without_a_change_copies_its_explanation(tmp_path: Path) -> None:
    report = cured(tmp_path, SICK, 8)
    commands = [texts_of(one, report, "")["command"] for one in report["findings"][:2]]
    assert commands == [
        f"slowpath fix '{PATH}:8' --write --unsafe",
        f"slowpath explain {report['findings'][1]['cause']}",
    ]
    assert report["findings"][1]["fix"]["cure"] == "none"
    assert report["findings"][1]["cure"] == "none"
