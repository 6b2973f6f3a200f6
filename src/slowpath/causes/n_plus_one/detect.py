"""Statements that one line sends again and again within one request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from slowpath.causes.base import Finding, Mask
from slowpath.causes.evidence import at, doing, matters, ms, spans_by_request
from slowpath.causes.n_plus_one import CAUSE
from slowpath.ledger import ACTIVITIES, Ledger

#: Fewer statements of one line are a page with a few widgets, not a query for every row.
MIN_REPEATS = 5
#: Statements that bring more rows than this each are a reader of batches.
MAX_ROWS_PER_STATEMENT = 50
#: What a line that queries is charged for, as far as the database is concerned.
DATABASE = ("sql", "fetch", "hydrate", "transaction")


@dataclass
class Repeats:
    """What one line did with one fingerprint in the requests in which it repeated it.

    Attributes:
        statements: how many, for each such request.
        wall_ns, rows: in all of them.
        routes: how many such requests each endpoint had.
    """

    statements: list[int] = field(default_factory=list)
    wall_ns: int = 0
    rows: int = 0
    routes: Counter[str] = field(default_factory=Counter)


def detect(ledger: Ledger) -> Iterator[Finding]:
    """Yield the lines that send one statement many times in one request."""
    lines: dict[int, dict[int, Repeats]] = {}
    for (site, text), repeats in _repeats(ledger).items():
        lines.setdefault(site, {})[text] = repeats
    database = doing(ledger, *DATABASE)
    for site, kinds in lines.items():
        chosen = database & at(ledger, site)
        if matters(ledger, chosen):
            # A line that loads several relationships in turn is still one line to change.
            text = max(kinds, key=lambda text: sum(kinds[text].statements))
            yield _finding(ledger, site, text, kinds[text], chosen)


def _repeats(ledger: Ledger) -> dict[tuple[int, int], Repeats]:
    """Return (site, fingerprint) of repeated statements, with what they amount to."""
    found: dict[tuple[int, int], Repeats] = {}
    for _, request, spans in spans_by_request(ledger, "sql", "fetch"):
        if request.websocket:
            continue  # as long as its user likes; repeating is what it is for
        statements: dict[tuple[int, int], list[int]] = {}
        rows: Counter[int] = Counter()
        for span in spans:
            if span.start > request.answered_ns:
                continue
            # Some drivers tell the rows with the statement, others when they are fetched.
            rows[span.site] += max(span.a, 0)
            if span.kind == ACTIVITIES["sql"] and span.site:
                statements.setdefault((span.site, span.resource), []).append(span.end - span.start)
        for key, lengths in statements.items():
            count = len(lengths)
            if count >= MIN_REPEATS and rows[key[0]] <= MAX_ROWS_PER_STATEMENT * count:
                repeats = found.setdefault(key, Repeats())
                repeats.statements.append(count)
                repeats.wall_ns += sum(lengths)
                repeats.rows += rows[key[0]]
                repeats.routes[f"{request.method} {request.route}"] += 1
    return found


def _finding(ledger: Ledger, site: int, text: int, repeats: Repeats, chosen: Mask) -> Finding:
    place = ledger.recording.sites[site]
    total = sum(repeats.statements)
    typical = float(np.median(repeats.statements))
    route = repeats.routes.most_common(1)[0][0]
    return Finding(
        cause=CAUSE,
        path=place.path,
        line=place.line,
        function=place.function,
        message=(
            f"{typical:.0f} statements of one kind run from this line in each request of "
            f"{route}, {ms(repeats.wall_ns / total):.1f} ms each."
        ),
        blame=ledger.blame(chosen),
        evidence={
            "statements_per_request": typical,
            "statements_per_request_most": max(repeats.statements),
            "fingerprint": ledger.recording.texts[text],
            "ms_per_statement": ms(repeats.wall_ns / total),
            "rows_per_statement": round(repeats.rows / total, 2),
            "requests": len(repeats.statements),
        },
        claims=chosen,
    )
