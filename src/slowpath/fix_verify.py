"""`slowpath fix --verify`: the same traffic again, predicted beside measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from slowpath.errors import UserError

if TYPE_CHECKING:
    from slowpath.recording.folder import RunFolder
    from slowpath.run.options import Options

SUFFIX = "-cured"
#: What tells a finding from all others of a run.
PLACE = ("cause", "path", "line", "function")


def again(folder: RunFolder, cured: Sequence[Mapping[str, Any]] = ()) -> Options:
    """The options of a run as they were, to make it once more.

    Args:
        cured: the findings that are cured meanwhile.

    Raises:
        UserError: it cannot be made again as it was.
    """
    from slowpath.run.options import Options
    from slowpath.run.redact import HIDDEN

    run = folder.read()
    traffic = run.get("traffic") or {}
    spec = traffic.get("spec") or ("openapi" if traffic.get("kind") == "openapi" else "")
    if not run.get("command") or not spec:
        raise UserError("What that run did is not known well enough to do it again; run it anew.")
    if any(HIDDEN in word for word in run["command"]):
        raise UserError(
            "The command of that run holds a secret, which is not kept; write the cures with "
            "--write, run again, and `slowpath compare` the two."
        )
    if traffic.get("headers"):
        raise UserError(
            "That run sent headers, and their values are not kept; write the cures with --write, "
            "run again with the headers, and `slowpath compare` the two."
        )
    if spec == "none":
        raise UserError("That run was driven by hand, so its traffic cannot be sent again.")
    name = str(run.get("name") or "run")
    return Options(
        command=tuple(run["command"]),
        traffic=spec,
        users=int(traffic.get("users") or 1),
        duration_s=traffic.get("duration_s"),
        warmup_s=float(traffic.get("warmup_s") or 0.0),
        rate=traffic.get("rate"),
        name=name if name.endswith(SUFFIX) else f"{name}{SUFFIX}",
        runs=folder.path.parent,
        py_spy=bool((run.get("py_spy") or {}).get("samples")),
        cured={
            "run": folder.name,
            "findings": [{key: one[key] for key in PLACE} for one in cured],
        },
    )


def verify(before: RunFolder, options: Options) -> bool:
    """Run the app again and print both runs beside each other; tell whether findings are left.

    Raises:
        UserError: the app does not start any more, or nothing was measured.
    """
    from rich.console import Console

    from slowpath.report.compare import compare
    from slowpath.report.compare_text import render
    from slowpath.run import analysis, pages, progress, session

    display = progress.for_this_terminal()
    try:
        finished = session.run(options, display)
        report = analysis.analyse(finished.folder, display)
        if finished.app_died or not report["endpoints"]:
            raise UserError(
                "With the cures the app did not last through the run; "
                f"what it said is in {finished.folder.app_log}. The changes stand."
            )
        sides = [pages.side_of(folder, display) for folder in (before, finished.folder)]
        display.phase("comparing")
        found = compare(*sides)
        kept = pages.keep_measured(before, sides, found)
    finally:
        display.close()
    render(found, (), Console())
    if kept:
        print(f"\nIt is kept with the plan: slowpath show {before.name}")
    return bool(report["findings"])
