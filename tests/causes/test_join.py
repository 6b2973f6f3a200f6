"""What a run measured and what a scan read are put together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from slowpath.causes import catalogue
from slowpath.causes.base import Entry, Finding, Hop
from slowpath.causes.join import join

ROOT = Path("/srv/shop")
MAIN, SVC = str(ROOT / "app/main.py"), str(ROOT / "app/svc.py")
BLOCKING, N_PLUS_ONE = catalogue()["blocking-call"], catalogue()["n-plus-one"]

SCANNED = Finding(
    BLOCKING,
    "app/svc.py",
    12,
    "Billing._get",
    "requests.get waits",
    end_line=14,
    culprit="requests.get",
    confidence="certain",
    entry=Entry("route", "app/main.py", 10, "order"),
    chain=(
        Hop("app/main.py", 13, "order"),
        Hop("app/svc.py", 9, "Billing.price"),
        Hop("app/svc.py", 12, "Billing._get"),
    ),
    seen_by=("scan",),
)
MEASURED = Finding(BLOCKING, SVC, 12, "Billing._get", "held for 300 ms", evidence={"calls": 3})


def joined(measured: list[Finding], scanned: list[Finding], executed=(MAIN, SVC)):
    return join(measured, scanned, ROOT, executed)


PLACES = {
    "the line itself": (SVC, 12),
    "a later line of the same call": (SVC, 14),
    "the call in the route": (MAIN, 13),
    "a call on the way": (SVC, 9),
}


@pytest.mark.parametrize(("path", "line"), PLACES.values(), ids=PLACES.keys())
def test_the_same_cause_is_one_finding_at(path: str, line: int) -> None:
    result = joined([replace(MEASURED, path=path, line=line)], [SCANNED])
    [found] = result.findings
    assert found.seen_by == ("scan", "run")
    assert (found.path, found.line) == (path, line)
    assert (found.message, found.evidence) == (MEASURED.message, MEASURED.evidence)
    assert found.entry == Entry("route", MAIN, 10, "order")
    assert [(hop.path, hop.line) for hop in found.chain] == [(MAIN, 13), (SVC, 9), (SVC, 12)]
    assert (found.confidence, found.culprit) == ("certain", "requests.get")
    assert result.in_code == []


def test_a_line_on_the_way_that_the_stack_shows_is_one_finding() -> None:
    deeper = replace(MEASURED, path="/lib/requests/api.py", line=3, chain=(Hop(SVC, 12, "_get"),))
    [found] = joined([deeper], [SCANNED]).findings
    assert found.seen_by == ("scan", "run")


APART = {
    "another cause": replace(MEASURED, cause=N_PLUS_ONE),
    "another line": replace(MEASURED, line=15),
    "another file": replace(MEASURED, path="/lib/billing/svc.py"),
}


@pytest.mark.parametrize("measured", APART.values(), ids=APART.keys())
def test_two_findings_stay_apart_with(measured: Finding) -> None:
    result = joined([measured], [SCANNED])
    assert result.findings == [measured]
    assert [(each.path, each.line) for each in result.in_code] == [(SVC, 12)]


def test_what_only_the_scan_saw_is_told_once_for_each_line() -> None:
    another_way = replace(SCANNED, entry=Entry("route", "app/main.py", 30, "orders"))
    assert len(joined([], [SCANNED, another_way]).in_code) == 1


def test_what_is_only_possible_is_not_told_but_joined() -> None:
    possible = replace(SCANNED, confidence="possible")
    assert joined([], [possible]).in_code == []
    [found] = joined([MEASURED], [possible]).findings
    assert found.seen_by == ("scan", "run")


def test_code_that_starts_in_a_file_that_did_not_run_is_not_told() -> None:
    assert joined([], [SCANNED], executed=(SVC,)).in_code == []


def test_the_findings_of_the_run_keep_their_order() -> None:
    first = replace(MEASURED, line=99)
    assert [each.line for each in joined([first, MEASURED], [SCANNED]).findings] == [99, 12]
