"""What must be said about the traffic before anyone believes the figures."""

from __future__ import annotations

from collections.abc import Iterator

from slowpath.traffic.client_log import NO_STATUS, Summary
from slowpath.traffic.drive import Driven
from slowpath.traffic.plan import Plan

MOST = 0.5
MANY = 0.01
LISTED = 8


def notes(summary: Summary, plan: Plan, driven: Driven) -> list[str]:
    """Sentences for the report, the most important first."""
    return [*_on_answers(summary), *_on_generator(driven), *_on_not_driven(plan)]


def _on_answers(summary: Summary) -> Iterator[str]:
    if not summary.requests:
        yield "Not one request was answered within the measured time."
    elif summary.error_rate > MANY:
        share = f"{summary.error_rate:.{0 if summary.error_rate >= 0.1 else 1}%}"
        hint = f" {_hint(summary)}" if summary.error_rate > MOST else ""
        yield (
            f"{share} of {summary.requests:,} requests failed "
            f"({_statuses(summary)}), most of all {_worst(summary)}.{hint}"
        )
    if summary.unfinished:
        yield (
            f"{summary.unfinished} requests were still waiting for their answer when the traffic "
            "ended; they count nowhere, so the slowest may be slower than shown."
        )


def _statuses(summary: Summary) -> str:
    bad = [(status, count) for status, count in summary.statuses.most_common() if status >= 400]
    parts = [f"{count:,} × status {status}" for status, count in bad]
    parts += [f"{count:,} × {error}" for error, count in summary.errors.most_common()]
    return ", ".join(parts[:4])


def _worst(summary: Summary) -> str:
    [((method, name), _)] = summary.failed_by_endpoint.most_common(1)
    return f"{method} {name}"


def _hint(summary: Summary) -> str:
    failed = {
        status: count
        for status, count in summary.statuses.items()
        if status == NO_STATUS or status >= 400
    }
    status = max(failed, key=failed.__getitem__)
    if status in (401, 403):
        return "The app wants to know who asks: add --header 'Authorization: …'."
    if status == 429:
        return "The app limits the rate of requests: lift the limit for this run."
    if status == NO_STATUS:
        return "The app did not take, or broke off, the connections: see app.log of this run."
    if status >= 500:
        return "The app's own words are in app.log of this run."
    return "It does not accept what was sent: choose other traffic with --traffic."


def _on_generator(driven: Driven) -> Iterator[str]:
    if driven.short_of_cpu:
        yield (
            "The load generator itself was short of CPU: latencies as the client saw them hold "
            "its own delays too. Fewer --users may send as many requests."
        )
    for message, count in driven.exceptions[:LISTED]:
        yield f"The locustfile raised {count} ×: {message}"


def _on_not_driven(plan: Plan) -> Iterator[str]:
    for endpoint in plan.not_driven[:LISTED]:
        yield f"Not driven: {endpoint.method} {endpoint.route}, because {endpoint.because}."
    if (more := len(plan.not_driven) - LISTED) > 0:
        yield f"Not driven: {more} more endpoints; run.json tells which and why."
