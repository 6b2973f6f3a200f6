"""A comparison on a terminal or in a pipe."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from slowpath.report.compare import Comparison, Difference, FindingChange, signed
from slowpath.report.compare_gates import Outcome
from slowpath.report.compare_proof import Proof
from slowpath.report.html.names import short_path
from slowpath.report.terminal.paper import Paper, fit, ink
from slowpath.report.words import ms, number, percent

FIGURE, CHANGE, INTERVAL, VERDICT = 9, 9, 17, 9
MOST_ENDPOINTS, MOST_FINDINGS = 15, 10
STYLES = {"better": "green", "worse": "bold red", "same": "dim", "unclear": "dim"}


def render(
    comparison: Comparison, gates: Sequence[Outcome], console: Console, *, full: bool = False
) -> None:
    """Write a comparison and what came of its gates.

    Args:
        full: leave nothing out for length.
    """
    paper = Paper(console, full)
    paper.flow(f"{comparison['before']} → {comparison['after']}")
    paper.line(("─" * paper.width, "dim"))
    paper.flow((comparison["verdict"], "bold"))
    for note in comparison["notes"]:
        paper.flow(note, indent=2, first=ink(("! ", "yellow")))
    _table("The service", comparison["overall"], paper)
    if comparison["endpoints"]:
        shown = paper.some(comparison["endpoints"], MOST_ENDPOINTS)
        _table("Endpoints: p95, ms", shown, paper)
    if comparison["proof"]:
        _proof(comparison["proof"], paper)
    _findings("New findings", comparison["new"], paper)
    _findings("Findings gone", comparison["gone"], paper)
    _findings("Findings in both", comparison["kept"], paper)
    if gates:
        paper.heading("Gates")
        for gate in gates:
            word = ("FAIL", "bold red") if gate.failed else ("ok  ", "green")
            paper.flow(f"{gate.gate}: {gate.why}", indent=6, first=ink(word, "  "))
    if paper.cut:
        paper.blank()
        paper.flow(("Some of this is cut for length: --all has all of it.", "dim"))


def _table(title: str, rows: Sequence[Difference], paper: Paper) -> None:
    width = paper.width - 2 * FIGURE - CHANGE - INTERVAL - VERDICT
    paper.heading(title)
    heads = [("before", FIGURE), ("after", FIGURE), ("change", CHANGE), ("95% interval", INTERVAL)]
    paper.line((" " * width + "".join(head.rjust(size) for head, size in heads), "dim"))
    for row in rows:
        share = row["metric"] == "errors"
        low, high = row["low"], row["high"]
        label = row["label"]
        if paper.full and len(label) >= width:
            paper.flow(label)
            label = ""
        interval = "-" if low is None or high is None else f"{signed(low)} to {signed(high)}"
        paper.line(
            fit(label, width),
            _figure(row["before"], row["metric"]).rjust(FIGURE),
            _figure(row["after"], row["metric"]).rjust(FIGURE),
            ("-" if row["change"] is None else signed(row["change"])).rjust(CHANGE),
            interval.rjust(INTERVAL),
            (f"  {row['verdict']}", STYLES[row["verdict"]]),
        )
        if share and row["change"]:
            paper.line(("  of failed, the change is in percentage points", "dim"))


def _figure(value: float | None, metric: str) -> str:
    if value is None:
        return "-"
    return percent(value) if metric == "errors" else number(value) if metric == "rps" else ms(value)


def _proof(proof: Proof, paper: Paper) -> None:
    """Write what was predicted beside what was measured."""
    paper.heading("Predicted and measured", "p95, ms")
    for step in paper.some(proof["steps"], MOST_FINDINGS):
        figure, word = (step["p95_ms"], "to") if step["p95_ms"] else (step["alone"], "alone to")
        paper.flow(
            (step["cause"], "bold"),
            f"  {short_path(step['path'])}:{step['line']}",
            f"  predicted {word} {ms(figure)}" if figure else "  not predicted",
            indent=4,
            first=ink("  - "),
        )
    paper.flow((proof["sentence"], "bold"))
    if proof["note"]:
        paper.flow(proof["note"], indent=2, first=ink(("! ", "yellow")))


def _findings(title: str, found: Sequence[FindingChange], paper: Paper) -> None:
    if not found:
        return
    paper.heading(title)
    for one in paper.some(list(found), MOST_FINDINGS):
        paper.flow(
            (one["cause"], "bold"),
            f"  {short_path(one['path'])}:{one['line']}  {one['function']}",
            indent=4,
            first=ink("  - "),
        )
