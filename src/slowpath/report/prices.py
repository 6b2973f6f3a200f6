"""Prices in the report: what the simulator says of each finding, and the plan."""

from __future__ import annotations

from slowpath.report.model import FindingReport, PlanStage, Report, Simulation
from slowpath.report.whole import verdict
from slowpath.report.words import counted
from slowpath.simulate.price import Figures, Price, Prices


def measured_of(report: Report) -> Figures:
    """Return the figures that predictions are told relative to: those of the whole load."""
    load = report["load"]
    return Figures(load["p50_ms"] or 0.0, load["p95_ms"] or 0.0, load["rps"])


def put_prices(report: Report, prices: Prices) -> None:
    """Write prices into a report, and bring its findings into their order.

    Prices by a model that is far from what was measured are told, but do not rank.
    """
    findings = report["findings"]
    for finding, price in zip(findings, prices.prices, strict=True):
        finding["predicted"] = _predicted(price)
    trusted = prices.replay is not None and prices.replay.trusted
    order = prices.order if trusted else range(len(findings))
    numbers = {position: number for number, position in enumerate(order, 1)}
    for position, finding in enumerate(findings):
        finding["number"] = numbers[position]
    report["findings"] = sorted(findings, key=lambda finding: finding["number"])
    report["simulation"] = _simulation(report, prices, numbers)
    measured = sum(endpoint["count"] for endpoint in report["endpoints"])
    report["verdict"] = verdict(report["load"], report["findings"], measured)


def _predicted(price: Price | None) -> dict[str, float] | None:
    if price is None:
        return None
    return {
        "p50_ms": round(price.figures.p50_ms, 3),
        "p95_ms": round(price.figures.p95_ms, 3),
        "rps": round(price.figures.rps, 3),
        "low": round(price.low_ms, 3),
        "high": round(price.high_ms, 3),
    }


def _simulation(report: Report, prices: Prices, numbers: dict[int, int]) -> Simulation:
    replay = prices.replay
    if replay is None:
        return {"replay_error": None, "refused": prices.refused}
    stages: list[PlanStage] = [
        {
            "finding": numbers[stage.finding],
            "p95_ms": round(stage.figures.p95_ms, 3),
            "rps": round(stage.figures.rps, 3),
        }
        for stage in prices.plan
    ]
    simulated = replay.simulated
    return {
        "replay_error": round(replay.error, 4),
        "trusted": replay.trusted,
        "missing": list(replay.missing),
        "simulated": {
            "p50_ms": round(simulated.p50_ms, 3),
            "p95_ms": round(simulated.p95_ms, 3),
            "rps": round(simulated.rps, 3),
        },
        "plan": stages,
        "sentence": sentence(report, stages) if any(prices.prices) else "",
    }


def sentence(report: Report, stages: list[PlanStage]) -> str:
    """Say the plan in one sentence."""
    priced = [finding for finding in report["findings"] if finding["predicted"] is not None]
    load = report["load"]
    before = f"{load['p95_ms'] or 0:.0f}"
    if not stages:
        return f"No cure alone or together would change p95 of {before} ms so that one noticed."
    last = stages[-1]
    rest = len(priced) - len(stages)
    order = ", ".join(f"{_place(report['findings'], stage)}" for stage in stages)
    many = (
        "This one cure takes"
        if len(stages) == 1
        else (f"These {len(stages)} cures, in this order, take")
    )
    text = (
        f"{many} p95 from {before} to {last['p95_ms']:.0f} ms and "
        f"{load['rps']:.0f} to {last['rps']:.0f} requests/s: {order}."
    )
    if rest == 1:
        text += " The other cure would change nothing that you would notice."
    elif rest:
        text += f" The other {counted(rest, 'cure')} would change nothing that you would notice."
    return text


def _place(findings: list[FindingReport], stage: PlanStage) -> str:
    finding = next(f for f in findings if f["number"] == stage["finding"])
    return f"{finding['number']} ({finding['cause']})"
