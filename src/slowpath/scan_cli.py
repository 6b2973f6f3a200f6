"""`slowpath scan`: options in, a report and an exit code out."""

from __future__ import annotations

import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from slowpath.cli_options import EXIT_FINDINGS
from slowpath.errors import UserError

_PROGRESS_AFTER_S = 2.0


class ScanFormat(StrEnum):
    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"


def scan(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A folder or a file.")],
    format: Annotated[ScanFormat, typer.Option(help="How to say it.")] = ScanFormat.TEXT,
    select: Annotated[
        list[str] | None,
        typer.Option(metavar="CAUSE", help="Only these causes; may be repeated."),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="CAUSE", help="Not these causes; may be repeated."),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Show what is new since; made if it is not there."),
    ] = None,
    diff: Annotated[
        str | None,
        typer.Option(metavar="REV", help="Only what lines changed since REV have to do with."),
    ] = None,
    show_possible: Annotated[
        bool, typer.Option("--show-possible", help="Also what is only possible.")
    ] = False,
    python: Annotated[
        Path | None,
        typer.Option(metavar="ENV", help="Read the installed packages of this environment too."),
    ] = None,
    cache: Annotated[bool, typer.Option(help="Keep what was parsed in .slowpath/cache.")] = True,
) -> None:
    """Read the code alone: follow the calls of whatever runs on the event loop."""
    from slowpath import scan_options as options
    from slowpath.report.scan_result import Result
    from slowpath.report.words import counted
    from slowpath.scan import scan as run
    from slowpath.scan import scanning_causes

    if not path.exists():
        raise UserError(f"There is no file or folder {path}.")
    config = options.read_config(path if path.is_dir() else path.parent)
    chosen = _slugs(select) or config.select
    left_out = [*_slugs(ignore), *config.ignore]
    options.check_slugs([*chosen, *left_out], scanning_causes())
    changed = options.changed_lines(path, diff) if diff is not None else None
    start = time.monotonic()
    bar = _Progress()
    try:
        result = run(
            path,
            select=chosen,
            ignore=left_out,
            cache=Path(".slowpath/cache") if cache else None,
            environment=python,
            progress=bar.update,
        )
    finally:
        bar.close()
    findings = options.without_excluded(result.findings, config)
    findings, unused = options.without_ignored(findings, result.ignores)
    possible = 0
    if not (show_possible or config.show_possible):
        shown = [found for found in findings if found.confidence != "possible"]
        possible = len(findings) - len(shown)
        findings = shown
    if changed is not None:
        findings = options.touching(findings, changed)
    known = 0
    if baseline is not None:
        if baseline.exists():
            fresh = options.new_since(baseline, findings)
        else:
            options.write_baseline(baseline, findings)
            wrote = counted(len(findings), "finding")
            print(f"slowpath: wrote {wrote} to {baseline}", file=sys.stderr)
            fresh = []
        known = len(findings) - len(fresh)
        findings = fresh
    if not result.files:
        raise UserError(f"There is no Python file under {path} that could be read.")
    _print(
        Result(
            root=path,
            findings=findings,
            files=result.files,
            lines=result.lines,
            errors=result.errors,
            # A comment for a cause that was not asked has not been tried.
            unused_ignores=[] if chosen or left_out or changed is not None else unused,
            possible=possible,
            known=known,
            seconds=time.monotonic() - start,
        ),
        format,
    )
    if findings:
        raise typer.Exit(EXIT_FINDINGS)


def _slugs(values: list[str] | None) -> list[str]:
    return [slug.strip() for value in values or () for slug in value.split(",") if slug.strip()]


def _print(result: object, format: ScanFormat) -> None:
    from slowpath.report import scan_github, scan_json, scan_sarif, scan_text
    from slowpath.report.scan_result import Result

    assert isinstance(result, Result)
    if format is ScanFormat.TEXT:
        from rich.console import Console

        scan_text.render(result, Console())
        return
    renderer = {
        ScanFormat.JSON: scan_json.render,
        ScanFormat.SARIF: scan_sarif.render,
        ScanFormat.GITHUB: scan_github.render,
    }[format]
    print(renderer(result))


class _Progress:
    """A line on a terminal, once scanning has taken a while; nothing in a pipe."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._wanted = sys.stderr.isatty()
        self._shown = False

    def update(self, done: float, total: float) -> None:
        if not self._wanted or time.monotonic() - self._start < _PROGRESS_AFTER_S:
            return
        part = done / total if total else 1.0
        bar = "#" * round(part * 30)
        sys.stderr.write(f"\rscanning [{bar:30}] {part:4.0%}")
        sys.stderr.flush()
        self._shown = True

    def close(self) -> None:
        if self._shown:
            sys.stderr.write("\r" + " " * 50 + "\r")
            sys.stderr.flush()
