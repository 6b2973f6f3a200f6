"""What the simulator says: of one finding, and of all together."""

from __future__ import annotations

from slowpath.report.model import FindingReport, Report
from slowpath.report.terminal.paper import Paper, Piece
from slowpath.report.words import ms, percent


def predicted(finding: FindingReport, report: Report) -> list[Piece]:
    """Say what curing one finding alone would give; nothing if nobody knows."""
    price = finding["predicted"]
    if price is None:
        return []
    load = report["load"]
    doubt = "" if report["simulation"].get("trusted", True) else "; not to be trusted, see the plan"
    return [
        "p95 ",
        (f"{ms(load['p95_ms'] or 0.0)} to {ms(price['p95_ms'])} ms", "bold"),
        f" ({ms(price['low'])} to {ms(price['high'])}), "
        f"{load['rps']:.3g} to {price['rps']:.3g} requests/s{doubt}",
    ]


def plan(report: Report, paper: Paper) -> None:
    """Write which cures to make in which order, and how far the simulator may be trusted."""
    simulation = report["simulation"]
    refused = simulation.get("refused", "")
    if refused and report["findings"]:
        paper.heading("The plan")
        paper.flow(f"No cure was priced: {refused}.")
    error = simulation["replay_error"]
    if error is None:
        return
    paper.heading("The plan", f"by simulation; its replay of this run is {percent(error)} off")
    if simulation.get("sentence"):
        paper.flow((simulation["sentence"], "bold"))
    for stage in simulation.get("plan", []):
        finding = next(f for f in report["findings"] if f["number"] == stage["finding"])
        measured = stage.get("measured_p95_ms")
        paper.item(
            f"{stage['finding']:>2}",
            f"p95 {ms(stage['p95_ms'])} ms, {stage['rps']:.3g} requests/s",
            "" if measured is None else f" (measured: {ms(measured)} ms)",
            f"  after {finding['cause']} {finding['path']}:{finding['line']}",
        )
    if not simulation.get("trusted", True):
        paper.flow(
            ("The predictions are not to be trusted: ", "yellow"),
            "; ".join(simulation.get("missing", [])) + ".",
        )
