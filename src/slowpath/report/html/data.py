"""From a run's recording, ledger and report to what its page shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from slowpath import __version__
from slowpath.causes import catalogue
from slowpath.ledger import Ledger
from slowpath.report.figures import endpoints_of
from slowpath.report.findings import as_finding
from slowpath.report.html.cells import buckets, calls_of, cells_of, culprits_of
from slowpath.report.html.examples import example_of
from slowpath.report.html.flame import flames_of
from slowpath.report.html.grid import grids
from slowpath.report.html.model import CauseData, Page, Texts
from slowpath.report.html.names import MOST_CHARACTERS, Names
from slowpath.report.html.palette import kinds
from slowpath.report.html.resources import resources_of
from slowpath.report.html.texts import texts_of
from slowpath.report.html.waterfall import requests_of
from slowpath.report.model import VERSION, FindingReport, Report
from slowpath.report.stacks import NONE, Stacks
from slowpath.report.words import shorten

#: Of what only a scan saw; a project's whole list is `slowpath scan`'s.
MOST_IN_CODE = 200
#: Of the endpoints that a finding hurts; the rest cost little and would fill the page.
MOST_HURT = 30


def page_of(
    ledger: Ledger,
    report: Report,
    *,
    stacks: Stacks = NONE,
    live: bool = False,
    root: Path | None = None,
) -> Page:
    """Put together what the page of a run shows.

    Args:
        stacks: what py-spy sampled.
        live: the page is served, and asks for more.
        root: paths beneath it are told relative to it; the working folder by default.
    """
    recording = ledger.recording
    names = Names(recording.sites, recording.texts, (root or Path.cwd()).absolute())
    fine, coarse = grids(ledger)
    in_code = [as_finding(one, i) for i, one in enumerate(report.get("in_code", []), 1)]
    shown = in_code[:MOST_IN_CODE]
    causes = _causes({one["cause"] for one in [*report["findings"], *shown]})
    page: Page = {
        "version": VERSION,
        "slowpath": __version__,
        "name": str(recording.run.get("name") or report["run"].get("name") or "run"),
        "live": live,
        "report": _bounded(report, ledger),
        "kinds": kinds(),
        "places": [],
        "words": [],
        "grid": {
            "bins": coarse.bins,
            "points": fine.bins,
            "length_ms": round((fine.end_ns - fine.start_ns) / 1e6, 3),
        },
        "buckets": buckets(),
        "cells": cells_of(ledger, coarse),
        "culprits": culprits_of(ledger, coarse, names),
        "calls": calls_of(ledger, coarse, names),
        "resources": resources_of(ledger, fine, names),
        "requests": requests_of(ledger, coarse, names),
        "flames": flames_of(ledger, coarse, names, stacks),
        "texts": _texts(report["findings"], report, causes),
        "in_code": shown,
        "in_code_texts": _texts(shown, report, causes),
        "in_code_count": len(in_code),
        "causes": causes,
        "compare": None,
        "revision": "",
    }
    # Numbers are handed out by the parts above.
    page["places"], page["words"] = names.places, names.words
    return page


def _causes(slugs: Iterable[str]) -> dict[str, CauseData]:
    known = catalogue()
    pages = {slug: known[slug].page.strip() for slug in sorted(slugs) if slug in known}
    return {slug: {"page": page, "example": example_of(page)} for slug, page in pages.items()}


def _texts(
    findings: Iterable[FindingReport], report: Report, causes: Mapping[str, CauseData]
) -> list[Texts]:
    return [
        texts_of(one, report, causes[one["cause"]]["page"] if one["cause"] in causes else "")
        for one in findings
    ]


def _bounded(report: Report, ledger: Ledger) -> Report:
    """Leave out what would make the page large and nobody would read there.

    Endpoints are those of the ledger in its order, as all the rest of the page; the report's where
    the recording is gone.
    """
    bounded: dict[str, Any] = dict(report)
    bounded["endpoints"] = [
        {**endpoint, "route": shorten(endpoint["route"], MOST_CHARACTERS)}
        for endpoint in endpoints_of(ledger) or report["endpoints"]
    ]
    bounded["findings"] = [_finding(finding) for finding in report["findings"]]
    bounded["in_code"] = []  # the page has its own
    return bounded  # type: ignore[return-value]


def _finding(finding: FindingReport) -> FindingReport:
    hurt = [
        {**charged, "route": shorten(charged["route"], MOST_CHARACTERS)}
        for charged in finding["endpoints"][:MOST_HURT]
    ]
    return {**finding, "endpoints": hurt}  # type: ignore[typeddict-item]
