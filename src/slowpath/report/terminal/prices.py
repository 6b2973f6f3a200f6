"""What the simulator says: of one finding, and of all together."""

from __future__ import annotations

from slowpath.report.measured import alone, beside_the_plan
from slowpath.report.model import FindingReport, Measured, Report
from slowpath.report.terminal.paper import Paper, Piece
from slowpath.report.words import listed, ms, percent


def predicted(finding: FindingReport, report: Report) -> list[Piece]:
    """Say what curing one finding alone would give; nothing if nobody knows."""
    price = finding["predicted"]
    if price is None:
        return []
    load = report["load"]
    doubt = "" if report["simulation"].get("trusted", True) else "; not to be trusted, see the plan"
    measured = alone(report, finding)
    return [
        "p95 ",
        (f"{ms(load['p95_ms'] or 0.0)} to {ms(price['p95_ms'])} ms", "bold"),
        f" ({ms(price['low'])} to {ms(price['high'])}), "
        f"{load['rps']:.3g} to {price['rps']:.3g} requests/s{doubt}",
        f"; measured since: {_figures(measured['p95_ms'], measured['rps'])}" if measured else "",
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
        _measured(report, paper)
        return
    paper.heading("The plan", f"by simulation; its replay of this run is {percent(error)} off")
    if simulation.get("sentence"):
        paper.flow((simulation["sentence"], "bold"))
    for stage in simulation.get("plan", []):
        finding = next(f for f in report["findings"] if f["number"] == stage["finding"])
        measured, rate = stage.get("measured_p95_ms"), stage.get("measured_rps")
        paper.item(
            f"{stage['finding']:>2}",
            _figures(stage["p95_ms"], stage["rps"]),
            "" if measured is None else (f" (measured: {_figures(measured, rate)})", "green"),
            f"  after {finding['cause']} {finding['path']}:{finding['line']}",
        )
    _measured(report, paper)
    if not simulation.get("trusted", True):
        paper.flow(
            ("The predictions are not to be trusted: ", "yellow"),
            "; ".join(simulation.get("missing", [])) + ".",
        )


def _measured(report: Report, paper: Paper) -> None:
    """Write what runs after cures measured that are no step of the plan."""
    for row in beside_the_plan(report):
        paper.item(
            "  ",
            (f"measured {_figures(row['p95_ms'], row['rps'])}", "green"),
            f" (predicted: {_predicted(row)})  with only {_numbers(row)} cured, in {row['run']}",
        )


def _predicted(row: Measured) -> str:
    figure = row["predicted_p95_ms"]
    return "not together" if figure is None else _figures(figure, row["predicted_rps"])


def _numbers(row: Measured) -> str:
    return listed([str(number) for number in row["findings"]], 12)


def _figures(p95_ms: float, rps: float | None) -> str:
    rate = "" if rps is None else f", {rps:.3g} requests/s"
    return f"p95 {ms(p95_ms)} ms{rate}"
