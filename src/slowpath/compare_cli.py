"""`slowpath compare`: two runs in, what changed and an exit code out."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

EXIT_FAILED = 1
VERSION = 1


class CompareFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


def compare(
    before: Annotated[str, typer.Argument(metavar="A", help="A run: folder, name or its start.")],
    after: Annotated[str, typer.Argument(metavar="B", help="The run to hold against it.")],
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITION",
            help="Exit with 1 if it holds: 'p95>+10%', 'errors>1%', 'new-findings>0'; "
            "may be repeated.",
        ),
    ] = None,
    format: Annotated[
        CompareFormat, typer.Option(help="For people or for machines.")
    ] = CompareFormat.TEXT,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the page of both runs.")
    ] = None,
    all: Annotated[bool, typer.Option("--all", help="Leave nothing out for length.")] = False,
    runs: Annotated[
        Path | None, typer.Option("--runs", help="Where runs are kept (else $SLOWPATH_RUNS).")
    ] = None,
) -> None:
    """Hold two runs against each other, with 95% intervals.

    What B measured after cures of findings of A is kept with A's plan.
    """
    from slowpath.errors import UserError
    from slowpath.recording.folder import resolve
    from slowpath.report import compare as comparing
    from slowpath.report import compare_gates as gates
    from slowpath.report.compare_text import render
    from slowpath.report.html import compare_page
    from slowpath.report.html import render as render_page
    from slowpath.run import pages, progress

    conditions = [gates.parse(text) for text in fail_if or ()]
    folders = [resolve(name, runs) for name in (before, after)]
    display = progress.for_this_terminal()
    try:
        old, new = (pages.side_of(folder, display) for folder in folders)
        display.phase("comparing")
        found = comparing.compare(old, new)
        try:
            if pages.keep_measured(folders[0], (old, new), found):
                display.note(f"what was measured is kept with the plan of {old.name}")
        except UserError as exc:
            display.note(f"what was measured is not kept with the plan: {exc}")
        if html is not None:
            pages.write(html, render_page(compare_page(old, new, found)))
            display.note(f"the page is in {html}")
    finally:
        display.close()
    outcomes = [gates.judge(gate, found) for gate in conditions]
    if format is CompareFormat.JSON:
        told = {"version": VERSION, **found, "gates": [asdict(one) for one in outcomes]}
        print(json.dumps(told, indent=2))
    elif html is None or conditions:
        from rich.console import Console

        render(found, outcomes, Console(), full=all)
    if any(outcome.failed for outcome in outcomes):
        sys.exit(EXIT_FAILED)
