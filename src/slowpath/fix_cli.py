"""`slowpath fix`: what would be changed to cure the findings, and changing it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from slowpath.cli_options import EXIT_FINDINGS, Format, FormatOption, RunsOption
from slowpath.errors import UserError

if TYPE_CHECKING:
    from slowpath.codemod import Project
    from slowpath.cure import Offer
    from slowpath.recording.folder import RunFolder

MOST_WAYS = 3


def fix(
    finding: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FINDING]...",
            help="Numbers of findings, causes, files or FILE:LINE; else all.",
        ),
    ] = None,
    run: Annotated[
        str | None, typer.Option(metavar="RUN", help="Of this run; else of the last.")
    ] = None,
    scan: Annotated[
        bool, typer.Option("--scan", help="Of the code as it is now, not of a run.")
    ] = False,
    write: Annotated[bool, typer.Option("--write", help="Make the safe changes.")] = False,
    unsafe: Annotated[
        bool,
        typer.Option("--unsafe", help="With --write, --verify or --diff: the unsafe ones as well."),
    ] = False,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Make them, and run again: predicted beside measured."),
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Only the patch, such as for `git apply`.")
    ] = False,
    allow_dirty: Annotated[
        bool,
        typer.Option("--allow-dirty", help="Also files with changes that are not committed."),
    ] = False,
    format: FormatOption = Format.TEXT,
    runs: RunsOption = None,
) -> None:
    """Show how your own lines would change to cure the findings; --write makes the safe changes."""
    from slowpath.codemod import Project
    from slowpath.cure import choose, offer_of_report

    if diff and (write or verify):
        raise UserError("--diff only shows; leave it or --write out.")
    if scan and verify:
        raise UserError("--verify holds a run against one before; leave --scan out.")
    if scan and run is not None:
        raise UserError("--scan reads the code and --run a run; choose one.")
    root = Path.cwd()
    meant = choose.wanted(finding or (), root)
    every = _of_scan(root, finding or ()) if scan else _of_run(run, runs)
    if every is None:
        every = _of_scan(root, finding or ())
        print("slowpath: there is no run; these are the findings of a scan", file=sys.stderr)
    chosen = [(number, each) for number, each in every if meant.has(each, number)]
    if meant and not chosen:
        raise UserError("There is no such finding.", _hint(every, scan))
    project = Project(root)
    offers = [(number, each, offer_of_report(each, project)) for number, each in chosen]
    if format is Format.JSON:
        _print_json(offers, project)
        left = bool(offers)
    elif verify:
        left = _verify(offers, project, unsafe, allow_dirty, _folder(run, runs))
    elif write:
        left = len(_write(offers, project, unsafe, allow_dirty)) < len(offers)
    elif diff:
        left = _print_patch(offers, project, unsafe)
    else:
        left = _show(offers, project)
    if left:
        raise typer.Exit(EXIT_FINDINGS)


Numbered = list[tuple[int, Any, "Offer"]]


def _hint(every: list[tuple[int, Any]], scan: bool) -> str:
    source = "scan" if scan else "run"
    if not every:
        return f"The {source} has no findings."
    return f"The {source} has {len(every)}, numbered from 1: `slowpath fix` shows them."


def _folder(name: str | None, runs: Path | None) -> RunFolder:
    from slowpath.recording.folder import resolve

    return resolve(name, runs)


def _of_run(name: str | None, runs: Path | None) -> list[tuple[int, Any]] | None:
    """The findings of a run; None where no run was named and there is none."""
    from slowpath.cure.choose import numbered
    from slowpath.run import analysis, progress

    try:
        folder = _folder(name, runs)
    except UserError:
        if name is not None:
            raise
        return None
    display = progress.for_this_terminal()
    try:
        report = analysis.report_of(folder, display)
    finally:
        display.close()
    return numbered(report["findings"], report.get("in_code", []))


def _of_scan(root: Path, words: Sequence[str]) -> list[tuple[int, Any]]:
    """The findings of the code as `slowpath scan` tells them.

    Of the one folder that the user named, else of the working folder.
    """
    from slowpath import scan_options as options
    from slowpath.report.scan_json import finding as as_data
    from slowpath.scan import scan

    folders = [Path(word) for word in words if Path(word).is_dir()]
    folder = folders[0].absolute() if len(folders) == 1 else root
    if not folder.is_relative_to(root):
        raise UserError(f"{folders[0]} is outside of the working folder; go there first.")
    config = options.read_config(folder)
    seen = scan(folder, select=config.select, ignore=config.ignore, cache=Path(".slowpath/cache"))
    findings, _ = options.without_ignored(
        options.without_excluded(seen.findings, config), seen.ignores
    )
    told = [as_data(each) for each in findings if each.confidence != "possible"]
    prefix = folder.relative_to(root)
    for each in told:
        for place in (each, each["entry"] or {}, *each["chain"]):
            if "path" in place:
                place["path"] = (prefix / place["path"]).as_posix()
    return list(enumerate(told, 1))


def _print_json(offers: Numbered, project: Project) -> None:
    from slowpath.cure.told import told

    findings = [
        {
            "number": number,
            "cause": offer.cause,
            "path": offer.path,
            "line": offer.line,
            "function": each["function"],
            **told(offer, project),
        }
        for number, each, offer in offers
    ]
    print(json.dumps({"version": 1, "findings": findings}, indent=2))


def _print_patch(offers: Numbered, project: Project, unsafe: bool) -> bool:
    from slowpath.cure.apply import put_together

    files, waiting = put_together(_taken(offers, unsafe), project)
    for file in files:
        sys.stdout.write("".join(f"{line}\n" for line in file.diff()))
    _tell_waiting(waiting)
    return bool(files)


def _taken(offers: Numbered, unsafe: bool) -> list[Offer]:
    from slowpath.causes import Safety

    allowed = (Safety.SAFE, Safety.UNSAFE) if unsafe else (Safety.SAFE,)
    return [offer for _, _, offer in offers if offer.safety in allowed]


def _tell_waiting(waiting: list[Offer]) -> None:
    if waiting:
        number = len({(each.path, each.line, each.cause) for each in waiting})
        print(
            f"slowpath: {number} more touch the same lines; `slowpath fix --scan` shows them "
            "afterwards",
            file=sys.stderr,
        )


def _verify(
    offers: Numbered, project: Project, unsafe: bool, allow_dirty: bool, folder: RunFolder
) -> bool:
    from slowpath import fix_verify

    # Before anything is written: what cannot be proven is not half done.
    fix_verify.again(folder)
    written = _write(offers, project, unsafe, allow_dirty)
    if not written:
        raise UserError("No cure was written, so there is nothing to verify.")
    cured = [each for _, each, offer in offers if any(offer is one for one in written)]
    return fix_verify.verify(folder, fix_verify.again(folder, cured))


def _write(offers: Numbered, project: Project, unsafe: bool, allow_dirty: bool) -> list[Offer]:
    """Make the changes; return those that were made."""
    from slowpath.causes import Safety
    from slowpath.cure import apply
    from slowpath.report.words import counted

    files, waiting = apply.put_together(_taken(offers, unsafe), project)
    if not allow_dirty:
        dirty = apply.unsaved(files, project)
        if dirty:
            raise UserError(
                "Nothing was written: these files have changes that git has not committed, and "
                "the cure could not be told from them. Commit them, or add --allow-dirty.",
                "\n".join(dirty),
            )
    for file in files:
        apply.write(file, project)
    written = [offer for file in files for offer in file.offers]
    for file in files:
        print(f"{file.source.path}: {counted(len(file.offers), 'cure')}")
    print(f"{counted(len(written), 'cure')} written to {counted(len(files), 'file')}.")
    held = [each for _, _, each in offers if each.safety is Safety.UNSAFE]
    if held and not unsafe:
        print(f"{counted(len(held), 'cure')} more to look at first; --unsafe writes them, too.")
    _tell_waiting(waiting)
    return written


def _show(offers: Numbered, project: Project) -> bool:
    from rich.console import Console

    from slowpath.cure.show import show

    show(offers, project, Console())
    return bool(offers)
