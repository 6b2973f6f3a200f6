"""The report on a terminal or in a pipe, made from its data alone."""

from __future__ import annotations

from datetime import datetime
from pathlib import PurePath

from rich.console import Console

from slowpath.report.model import Report
from slowpath.report.terminal.endpoints import endpoints
from slowpath.report.terminal.findings import findings, in_code
from slowpath.report.terminal.paper import Paper, Piece, ink
from slowpath.report.terminal.prices import plan
from slowpath.report.words import counted, listed, ms, number, percent

MOST_NOTES = 8
MOST_BLIND = 10
MANY_ERRORS = 0.01


def render(report: Report, console: Console, *, full: bool = False) -> None:
    """Write a report.

    Args:
        full: leave nothing out for length.
    """
    paper = Paper(console, full)
    _head(report, paper)
    _load(report, paper)
    _notes(report, paper)
    if report["endpoints"]:
        endpoints(report, paper)
    findings(report, paper)
    plan(report, paper)
    in_code(report, paper)
    _blind(report, paper)
    _price(report, paper)
    _more(report, paper)


def _head(report: Report, paper: Paper) -> None:
    run = report["run"]
    words = [str(word) for word in run.get("command") or []]
    # Of the program, its name is enough.
    name = " ".join([*(PurePath(word).name for word in words[:1]), *words[1:]])
    name = name or str(run.get("name") or "a run")
    room = paper.width - 34
    if len(name) > room and not paper.full:
        name = f"{name[: room - 1]}…"
    started = str(run.get("started") or "")
    paper.line(("slowpath  ", "bold"), (name, ""), "  ", _day(started))
    paper.line(("─" * paper.width, "dim"))
    wrong = not report["endpoints"] or report["load"]["errors"] > MANY_ERRORS
    paper.flow((report["verdict"], "bold red" if wrong else "bold"))
    if report["hints"]:
        paper.heading("What may be wrong")
        for hint in report["hints"]:
            paper.flow(hint, indent=2, first=ink("- "))


def _day(started: str) -> str:
    try:
        return datetime.fromisoformat(started).strftime("%Y-%m-%d %H:%M %Z").strip()
    except ValueError:
        return started


def _load(report: Report, paper: Paper) -> None:
    load = report["load"]
    if not load["requests"]:
        return
    by = "by the server" if load["seen_by"] == "server" else "as the client saw them"
    users = f" from {counted(load['users'], 'user')}" if load["users"] else ""
    errors = f"{percent(load['errors'])} failed" if load["errors"] else "none failed"
    if bad := _bad(load["statuses"]):
        errors += f" ({bad})"
    paper.blank()
    paper.item(
        "load",
        (f"{number(load['rps'])} requests/s", "bold"),
        f"{users}: {load['requests']:,} in {number(load['seconds'])} s, ",
        (errors, "red" if load["errors"] > MANY_ERRORS else ""),
        indent=0,
    )
    pieces: list[Piece] = []
    for name, value in (("p50", load["p50_ms"]), ("p95", load["p95_ms"]), ("p99", load["p99_ms"])):
        pieces += [f"{name} ", (f"{ms(value)} ms", "bold"), "  "]
    paper.item("latency", *pieces, by, indent=0)


def _bad(statuses: dict[str, int]) -> str:
    """Name the statuses of failures, the most frequent first."""
    bad = [
        (count, "no answer" if status == "0" else f"status {status}")
        for status, count in statuses.items()
        if int(status) >= 400 or status == "0"
    ]
    return listed([f"{count:,} × {what}" for count, what in sorted(bad, reverse=True)], 3)


def _notes(report: Report, paper: Paper) -> None:
    notes = paper.some(report["notes"], MOST_NOTES)
    if notes:
        paper.blank()
    for note in notes:
        paper.flow(note, indent=2, first=ink(("! ", "yellow")))
    if hidden := len(report["notes"]) - len(notes):
        paper.line((f"  {counted(hidden, 'more note')}.", "dim"))


def _blind(report: Report, paper: Paper) -> None:
    if not report["blind"]:
        if report["endpoints"]:
            paper.heading("What this run could not see")
            paper.flow("Nothing that is known of: all hooks ran, nothing was dropped.")
        return
    paper.heading("What this run could not see")
    shown = paper.some(report["blind"], MOST_BLIND)
    for blind in shown:
        paper.flow(blind["message"], indent=2, first=ink("- "))
    if hidden := len(report["blind"]) - len(shown):
        paper.line((f"  {counted(hidden, 'more thing')} it could not see.", "dim"))


def _price(report: Report, paper: Paper) -> None:
    cost = report["probe"]["overhead_ms_per_request"]
    if cost is not None:
        paper.flow(f"The probe itself cost {ms(cost)} ms a request, which is in these figures.")


def _more(report: Report, paper: Paper) -> None:
    words = []
    if report["findings"]:
        slug = report["findings"][0]["cause"]
        words.append(f"`slowpath explain {slug}` tells more about a cause.")
    if paper.cut:
        words.append("Some of this is cut for length: `slowpath show --all` has all of it.")
    if words:
        paper.blank()
        paper.flow((" ".join(words), "dim"))
