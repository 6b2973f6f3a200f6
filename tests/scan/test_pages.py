"""The code on a cause's page is what its rule finds, and what it leaves alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from slowpath.scan import scan, scanning_causes

_BLOCK = re.compile(r"```python\n(.*?)```", re.S)
_MARK = re.compile(r"# culprit: ([\w\-, ]+)$")

BLOCKS = [
    pytest.param(slug, block, id=f"{slug}-{number}")
    for slug, cause in scanning_causes().items()
    for number, block in enumerate(_BLOCK.findall(cause.page))
]


def expected(block: str) -> set[tuple[str, int]]:
    marks = set()
    for number, line in enumerate(block.splitlines(), 1):
        match = _MARK.search(line)
        if match:
            marks |= {(slug.strip(), number) for slug in match[1].split(",")}
    return marks


@pytest.mark.parametrize(("slug", "block"), BLOCKS)
def test_a_page_shows_what_its_rule_finds(slug: str, block: str, tmp_path: Path) -> None:
    (tmp_path / "page.py").write_text(block, encoding="utf-8")
    wanted = expected(block)
    found = set()
    for each in scan(tmp_path).findings:
        if each.confidence != "possible":
            # A call over several lines is marked where it ends.
            lines = range(each.line, each.end_line + 1)
            marked = [mark for mark in wanted if mark[0] == each.cause.slug and mark[1] in lines]
            found.add(marked[0] if marked else (each.cause.slug, each.line))
    assert found == wanted


@pytest.mark.parametrize("slug", scanning_causes())
def test_every_cause_that_reads_code_has_a_page(slug: str) -> None:
    page = scanning_causes()[slug].page
    for heading in ("What it is", "Why it is slow", "Example", "Use instead", "When it is wrong"):
        assert f"## {heading}" in page
