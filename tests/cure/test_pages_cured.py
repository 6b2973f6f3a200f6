"""Every cure of the causes' pages and of the lab's sick apps: it compiles, and cures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import lab
from slowpath.causes import Safety, catalogue
from slowpath.causes.base import Finding
from slowpath.codemod import Project
from slowpath.codemod.change import check, spliced
from slowpath.cure import Offer, offer, site_of
from slowpath.scan import scan

_BLOCK = re.compile(r"```python\n(.*?)```", re.S)
_MARK = re.compile(r"  # culprit: [\w, -]+$", re.M)
LAB = Path(lab.__file__).parent
#: Where a tool can write the cure: the page's example and the lab's case must get one.
CURED = {
    "async-on-nothing",
    "blocking-call",
    "client-per-request",
    "cpu-on-loop",
    "debug-left-on",
    "false-offload",
    "forgotten-await",
    "long-transaction",
    "lost-task",
    "missing-pagination",
    "missing-timeout",
    "over-fetch-columns",
    "sequential-awaits",
    "side-effect-in-request",
    "unbounded-cache",
}


def guilty() -> Iterator[tuple[str, str]]:
    for slug, cause in sorted(catalogue().items()):
        for block in _BLOCK.findall(cause.page):
            if f"# culprit: {slug}" in block:
                yield slug, block


def told(folder: Path) -> list[Finding]:
    return [each for each in scan(folder).findings if each.confidence != "possible"]


def key(finding: Finding) -> tuple[object, ...]:
    """What stays the same of a finding when lines move: its cause, its place and its way."""
    way = tuple((hop.path, hop.function) for hop in finding.chain)
    return finding.cause.slug, finding.path, finding.function, finding.culprit, way


def cure_and_scan(folder: Path, finding: Finding, made: Offer) -> None:
    """Make a change in a copy, and see that the finding is gone and no other has come."""
    assert made.change is not None
    file = folder / made.change.path
    before = file.read_text()
    known = {key(each) for each in told(folder)}
    text = spliced(before, made.change.splices)
    check(text)
    file.write_text(text)
    try:
        after = {key(each) for each in told(folder)}
    finally:
        file.write_text(before)
    assert key(finding) not in after
    assert after <= known


@pytest.mark.parametrize(("slug", "block"), [*guilty()])
def test_the_examples_of_the_pages(slug: str, block: str, tmp_path: Path) -> None:
    (tmp_path / "page.py").write_text(block)
    project = Project(tmp_path)
    for finding in told(tmp_path):
        made = offer(finding.cause.slug, site_of(finding, project))
        assert not made.defect, made.why
        if finding.cause.slug == slug and slug in CURED:
            assert made.safety is not Safety.NONE, made.why
        if made.change is not None:
            cure_and_scan(tmp_path, finding, made)


def test_the_sick_apps_of_the_lab(tmp_path: Path) -> None:
    for file in LAB.rglob("*.py"):
        copy = tmp_path / "lab" / file.relative_to(LAB)
        if "cured" not in copy.parts and file.stem != "cured":
            copy.parent.mkdir(parents=True, exist_ok=True)
            # The marks are the tests' own, and a comment holds some changes back.
            copy.write_text(_MARK.sub("", file.read_text()))
    project = Project(tmp_path)
    offers = [(each, offer(each.cause.slug, site_of(each, project))) for each in told(tmp_path)]
    assert not [made.why for _, made in offers if made.defect]
    changed = [(each, made) for each, made in offers if made.change is not None]
    assert len(changed) >= 12
    for finding, made in changed:
        cure_and_scan(tmp_path, finding, made)


def test_a_cause_says_that_it_has_cures_if_it_has() -> None:
    for slug, cause in catalogue().items():
        has = cause.part("cure") is not None
        assert has is (cause.cure is not Safety.NONE), slug
