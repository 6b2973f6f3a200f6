"""The table of endpoints: figures, and a bar of where the mean request's time goes."""

from __future__ import annotations

from slowpath.report.kinds import KINDS, OTHER, Kind, apportion, kind_of
from slowpath.report.model import EndpointReport, Report
from slowpath.report.terminal.paper import Paper, Piece, fit
from slowpath.report.words import counted, ms, percent

MOST = 15
#: Segments below this share are in report.json only.
LEAST_SHARE = 0.01
NOTABLE_ERRORS = 0.01
#: Of the mean latency: a wait in the socket that is worth a word.
NOTABLE_ACCEPT_WAIT = 0.05
EXPLAINED = 0.98
COUNT, TIME, SHARE = 7, 8, 11
INDENT = 2


def endpoints(report: Report, paper: Paper) -> None:
    """Write the table and its legend."""
    every = report["endpoints"]
    has_client = any(endpoint["client"] for endpoint in every)
    titles = ["p50", "p95", "p99", *(["client"] if has_client else [])]
    name_width = paper.width - COUNT - TIME * len(titles) - SHARE
    paper.heading("Where the time goes", "times in ms")
    paper.line(
        (
            " " * name_width
            + "count".rjust(COUNT)
            + "".join(title.rjust(TIME) for title in titles)
            + "explained".rjust(SHARE),
            "dim",
        )
    )
    used: set[Kind] = set()
    for endpoint in paper.some(every, MOST):
        _figures(endpoint, paper, name_width, has_client)
        _segments(endpoint, paper, used)
    if len(every) > MOST and not paper.full:
        paper.line((f"{counted(len(every) - MOST, 'more endpoint')} with less time.", "dim"))
    _legend(report, paper, used, has_client)


def _figures(endpoint: EndpointReport, paper: Paper, width: int, has_client: bool) -> None:
    name = f"{endpoint['method']} {endpoint['route']}"
    if paper.full and len(name) > width - 1:
        paper.flow((name, "bold"))
        name = ""
    client = endpoint["client"]
    times = [endpoint["p50_ms"], endpoint["p95_ms"], endpoint["p99_ms"]]
    written = [ms(time).rjust(TIME) for time in times]
    if has_client:
        written.append(ms(client["p95_ms"] if client else None).rjust(TIME))
    explained = endpoint["explained"]
    paper.line(
        (fit(name, width), "bold"),
        f"{endpoint['count']:,}".rjust(COUNT),
        *written[:1],
        (written[1], "bold"),
        *written[2:],
        (percent(explained).rjust(SHARE), "" if explained >= EXPLAINED else "yellow"),
    )


def _segments(endpoint: EndpointReport, paper: Paper, used: set[Kind]) -> None:
    """Write the bar, and the largest segments in words as far as they fit."""
    segments = endpoint["segments"]
    bar_width = paper.width * 3 // 8
    pieces: list[Piece] = [" " * INDENT]
    for kind, cells in apportion(segments, bar_width):
        pieces.append((kind.letter * cells, f"black on {kind.colour}"))
        used.add(kind)
    if len(pieces) == 1:
        return
    left = paper.width - INDENT - bar_width
    if endpoint["errors"] > NOTABLE_ERRORS:
        words = f"  {percent(endpoint['errors'])} failed"
        pieces.append((words, "red"))
        left -= len(words)
    total = sum(segments.values())
    if _waits_in_socket(endpoint):
        words = f"  +{ms(endpoint['accept_wait_ms'])} in the socket"
        pieces.append(words)
        left -= len(words)
    for activity, mean in sorted(segments.items(), key=lambda item: -item[1]):
        kind = kind_of(activity)
        words = f"{kind.name} {ms(mean)}"
        left -= len(words) + 4
        if left < 0 or mean < LEAST_SHARE * total:
            break
        pieces += ["  ", (kind.letter, kind.colour), f" {words}"]
    paper.line(*pieces)


def _waits_in_socket(endpoint: EndpointReport) -> bool:
    mean = sum(endpoint["segments"].values())
    return endpoint["accept_wait_ms"] > NOTABLE_ACCEPT_WAIT * mean


def _legend(report: Report, paper: Paper, used: set[Kind], has_client: bool) -> None:
    pieces: list[Piece] = [("Each bar is the mean request: ", "dim")]
    for place, kind in enumerate(kind for kind in (*KINDS.values(), OTHER) if kind in used):
        pieces += [
            ("; " if place else "", "dim"),
            (kind.letter, kind.colour),
            (f" {kind.meaning}", "dim"),
        ]
    if used:
        paper.flow(*pieces, (".", "dim"))
    seen = "Times are the server's"
    if any(_waits_in_socket(endpoint) for endpoint in report["endpoints"]):
        seen += "; before them, requests lay in the socket while the event loop was held"
    if has_client:
        seen += '; "client" is the p95 that the client saw'
    if any(endpoint["segments"].get("unattributed") for endpoint in report["endpoints"]):
        seen += "; explained is what could be charged to a line"
    paper.flow((f"{seen}.", "dim"))
