"""The commands, each a thin one over the package that does the work."""

from __future__ import annotations

import json
import os
import sys
import textwrap
import traceback
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from slowpath import __version__
from slowpath.cli_options import EXIT_FINDINGS, Format, FormatOption, RunsOption
from slowpath.compare_cli import compare
from slowpath.errors import UserError
from slowpath.fix_cli import fix
from slowpath.plan_cli import plan
from slowpath.scan_cli import scan

if TYPE_CHECKING:
    from slowpath.report import Report

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130
WIDTH = 80
MOSTLY_ERRORS = 0.5
DEBUG_VARIABLE = "SLOWPATH_DEBUG"

app = typer.Typer(
    name="slowpath",
    help="Tells why a Python API is slow, and names the line.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Shown(StrEnum):
    """How a stored run is printed: as a report, or for another viewer."""

    TEXT = "text"
    JSON = "json"
    SPEEDSCOPE = "speedscope"
    PERFETTO = "perfetto"


HtmlOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write the page: one file that opens offline."),
]


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"slowpath {__version__}")
        raise typer.Exit


@app.callback()
def slowpath(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Tells why a Python API is slow, and names the line."""


@app.command(
    context_settings={"allow_interspersed_args": False},
    short_help="Start your app with the probe inside, drive it, diagnose it.",
)
def run(
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- COMMAND...", help="What you start your app with."),
    ] = None,
    traffic: Annotated[
        str,
        typer.Option(
            metavar="KIND", help="openapi, har:FILE, locust:FILE, url:/path,/other or none."
        ),
    ] = "openapi",
    users: Annotated[int, typer.Option(help="How many users send at the same time.")] = 100,
    duration: Annotated[
        str | None,
        typer.Option(help="Of the measured part, such as 30s or 2m.", show_default="30s"),
    ] = None,
    warmup: Annotated[str, typer.Option(help="Traffic before it, not measured.")] = "3s",
    rate: Annotated[
        float | None,
        typer.Option(help="Requests a second; else each user sends as soon as it can."),
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(metavar="'NAME: VALUE'", help="Sent with every request; may be repeated."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="What to call the run.")] = None,
    port: Annotated[
        int | None, typer.Option(help="Where the app answers; else it is found.")
    ] = None,
    start_timeout: Annotated[
        str, typer.Option(help="How long the app may take until it answers.")
    ] = "60s",
    format: FormatOption = Format.TEXT,
    live: Annotated[
        bool, typer.Option("--live", help="Serve a page on 127.0.0.1 that follows the run.")
    ] = False,
    py_spy: Annotated[
        bool,
        typer.Option("--py-spy", help="Let py-spy sample all threads too, for a flame graph."),
    ] = False,
    runs: RunsOption = None,
) -> None:
    """Start your app with the probe inside, drive it, and say what makes it slow."""
    from slowpath.run import analysis, progress, session
    from slowpath.run.options import Options, parse_headers, parse_seconds
    from slowpath.run.viewer import Viewer

    options = Options(
        command=tuple(command or ()),
        traffic=traffic,
        users=users,
        duration_s=None if duration is None else parse_seconds("--duration", duration),
        warmup_s=parse_seconds("--warmup", warmup),
        rate=rate,
        headers=parse_headers(header or ()),
        name=name,
        port=port,
        start_timeout_s=parse_seconds("--start-timeout", start_timeout),
        runs=runs,
        py_spy=py_spy,
    )
    display = progress.for_this_terminal()
    with Viewer(display) as viewer:
        try:
            finished = session.run(options, display, viewer.start if live else None)
            report = analysis.analyse(finished.folder, display)
        except KeyboardInterrupt:
            display.note("interrupted; the app was stopped")
            raise typer.Exit(EXIT_INTERRUPTED) from None
        finally:
            display.close()
        _print(report, format)
        # A pipeline is not kept waiting.
        if viewer.url and sys.stderr.isatty():
            print(f"slowpath: {viewer.url} until you press Ctrl-C", file=sys.stderr)
            viewer.wait()
    if report["findings"]:
        raise typer.Exit(EXIT_FINDINGS)
    if finished.app_died or not _is_telling(report):
        raise typer.Exit(EXIT_ERROR)


@app.command()
def show(
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="Its folder, name or how that begins; else the last."),
    ] = None,
    format: Annotated[
        Shown, typer.Option(help="For people, for machines, or for another viewer.")
    ] = Shown.TEXT,
    all: Annotated[bool, typer.Option("--all", help="Leave nothing out for length.")] = False,
    html: HtmlOption = None,
    live: Annotated[
        bool, typer.Option("--live", help="Serve the page on 127.0.0.1, until Ctrl-C.")
    ] = False,
    runs: RunsOption = None,
) -> None:
    """Show the report of a run again."""
    from slowpath.recording.folder import newest, resolve
    from slowpath.run import analysis, pages, progress, viewer

    if live:
        with viewer.serve(newest(runs) if run is None else resolve(run, runs)) as server:
            print(f"slowpath: {server.url} until you press Ctrl-C", file=sys.stderr)
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                return
    folder = resolve(run, runs)
    display = progress.for_this_terminal()
    try:
        if html is not None:
            pages.write_page(folder, html, display)
            return
        if format in (Shown.SPEEDSCOPE, Shown.PERFETTO):
            sys.stdout.writelines(pages.exported(folder, format, display))
            return
        report = analysis.report_of(folder, display)
    finally:
        display.close()
    _print(report, Format(format), full=all)


@app.command(short_help="Say what a cause is and what to do instead.")
def explain(
    cause: Annotated[str, typer.Argument(help="Such as n-plus-one.")],
) -> None:
    """Say what a cause is, why it is slow, how it looks and what to do instead."""
    from difflib import get_close_matches

    from rich.console import Console
    from rich.markdown import Markdown

    from slowpath.causes import catalogue

    known = catalogue()
    if cause not in known:
        close = get_close_matches(cause, known, n=3, cutoff=0.4)
        meant = f" Did you mean {' or '.join(close)}?" if close else ""
        listed = textwrap.fill(", ".join(sorted(known)), WIDTH, break_on_hyphens=False)
        raise UserError(f"There is no cause {cause!r}.{meant} These are known:", listed)
    found = known[cause]
    page = found.page or f"# {found.title}\n\n{found.why}\n\n{found.advice}\n"
    console = Console()
    if console.is_terminal:
        console.print(Markdown(page))
    else:
        print(page.rstrip())


app.command(short_help="Say what other settings, loads or cures would do.")(plan)
app.command(short_help="Read the code alone, without running it.")(scan)
app.command(short_help="Show or make the changes that cure the findings.")(fix)
app.command(short_help="Hold two runs against each other; a gate for pipelines.")(compare)


def _is_telling(report: Report) -> bool:
    """Whether that nothing was found means anything: a pipeline must not take it for health."""
    return bool(report["endpoints"]) and report["load"]["errors"] <= MOSTLY_ERRORS


def _print(report: Report, format: Format, full: bool = False) -> None:
    if format is Format.JSON:
        print(json.dumps(report, indent=2))
        return
    from rich.console import Console

    from slowpath.report.terminal import render

    render(report, Console(), full=full)


def main() -> None:
    """Run the command line; errors of the user's become one sentence and exit code 2."""
    try:
        app()
    except UserError as exc:
        print(_wrapped(f"slowpath: {exc.message}"), file=sys.stderr)
        if exc.details:
            print("\n" + exc.details, file=sys.stderr)
        sys.exit(EXIT_ERROR)
    except Exception as exc:
        _tell_of_defect(exc)
        sys.exit(EXIT_ERROR)


def _tell_of_defect(exc: Exception) -> None:
    if os.environ.get(DEBUG_VARIABLE) == "1":
        traceback.print_exception(exc)
        return
    frame = traceback.extract_tb(exc.__traceback__)[-1]
    text = (
        f"slowpath: A defect of slowpath itself, {type(exc).__name__} in {frame.name} "
        f"({Path(frame.filename).name}:{frame.lineno}): {exc}. "
        f"Please report it, with what {DEBUG_VARIABLE}=1 prints."
    )
    print(_wrapped(text), file=sys.stderr)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    main()
