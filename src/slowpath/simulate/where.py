"""Finding the steps that an edit is about: by what a finding claims, or by its line."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import numpy as np
import numpy.typing as npt

from slowpath.ledger import ACTIVITIES, Ledger, Mode
from slowpath.ledger.rows import distinct
from slowpath.recording import Site
from slowpath.simulate.workload import Where

#: How statements begin that end a transaction.
CLOSING = ("ROLLBACK", "COMMIT")
#: What a round trip to a database on the next machine takes, where no statement tells.
ROUND_TRIP_NS = 1_000_000
#: A database that is full makes every statement slow; the quickest tell what they take.
AT_BEST = 0.05
#: What an async HTTP client computes for a call (`bench.costs`: aiohttp 0.1 ms, httpx 1.7 ms with
#: twenty at once; the lab's cured apps, httpx with ten: 0.4 to 1.0), and from how many calls on a
#: recording tells it better.
AWAITED_CALL_NS, FEW_CALLS = 800_000, 20
#: A client builds the request before the span of its call begins and decodes the answer after it
#: has ended: about so much of what it computes within (httpx and a small JSON answer).
AROUND_CALL = 0.15
#: The quicker ones, which nothing kept waiting.
UNDISTURBED = 0.25
#: From so many rows on, a statement's time is that of its rows.
MANY_ROWS = 20
#: A row by an index, of a page that is in memory: some µs. More is a slow search, not rows.
DEFAULT_ROW_NS, MOST_ROW_NS = 5_000.0, 10_000.0
#: An entity of a few columns, made by an ORM in Python.
DEFAULT_OBJECT_NS = 5_000.0


def claimed(ledger: Ledger, claims: npt.NDArray[np.bool_] | None) -> Where:
    """Return the steps that rows of the root view blame."""
    if claims is None:
        return Where(frozenset())
    rows = ledger.root[claims]
    names = ["culprit_site", "culprit_activity", "culprit_mode", "culprit_resource"]
    return Where(frozenset(np.unique(rows[names]).tolist()))


def at_line(ledger: Ledger, path: str, line: int, activities: Iterable[str]) -> Where:
    """Return the steps of these activities that stand at a line."""
    return _doing(ledger, lambda site: (site.path, site.line) == (path, line), activities)


def in_function(ledger: Ledger, path: str, function: str, activities: Iterable[str]) -> Where:
    """Return the steps of these activities that stand at any line of a function."""
    return _doing(ledger, lambda site: (site.path, site.function) == (path, function), activities)


def _doing(ledger: Ledger, meant: Callable[[Site], bool], activities: Iterable[str]) -> Where:
    sites = [number for number, site in enumerate(ledger.recording.sites) if meant(site)]
    codes = [ACTIVITIES[name] for name in activities]
    return Where(frozenset((site, code, -1, -1) for site in sites for code in codes))


def closing(ledger: Ledger) -> frozenset[int]:
    """Return the numbers of the statements that end a transaction."""
    texts = ledger.recording.texts
    return frozenset(n for n, text in enumerate(texts) if text.upper().startswith(CLOSING))


def at_best_ns(ledger: Ledger, but: Where) -> dict[int, int]:
    """Return what a wait for each statement takes with little in its way, ns, by resource."""
    rows = ledger.direct
    rows = rows[(rows["activity"] == ACTIVITIES["sql"]) & (rows["mode"] == Mode.WAIT)]
    sites = np.array(sorted({key[0] for key in but.keys}), np.int64)
    rows = rows[~np.isin(rows["site"], sites) | np.isin(rows["resource"], list(closing(ledger)))]
    found = {}
    for resource in np.unique(rows["resource"]).tolist():
        mine = rows[rows["resource"] == resource]
        found[resource] = int(np.quantile(mine["end"] - mine["start"], AT_BEST))
    return found


def culprits(ledger: Ledger, claims: npt.NDArray[np.bool_] | None) -> list[int]:
    """Return the endpoints (indexes into the ledger's) whose requests did what is blamed."""
    if claims is None:
        return []
    requests = distinct(ledger.root["culprit_request"][claims])
    found: list[int] = distinct(ledger.endpoint_of[requests[requests >= 0]]).tolist()
    return found


def with_many_rows(ledger: Ledger, endpoints: Collection[int]) -> Where:
    """Return what statements that bring many rows take for them, where endpoints send these.

    Their time in the database and what the ORM makes of them; a line that others go through too
    is meant for all of them.

    Args:
        endpoints: indexes into the ledger's endpoints.
    """
    spans = ledger.recording.spans
    spans = spans[(spans["kind"] == ACTIVITIES["sql"]) & (spans["a"] >= MANY_ROWS)]
    resources = distinct(spans["resource"])
    rows = ledger.direct
    mine = np.isin(ledger.endpoint_of[rows["request"]], list(endpoints))
    kinds = [ACTIVITIES[name] for name in ("sql", "fetch", "hydrate")]
    rows = rows[mine & np.isin(rows["resource"], resources) & np.isin(rows["activity"], kinds)]
    names = ["site", "activity", "mode", "resource"]
    return Where(frozenset(np.unique(rows[names]).tolist()))


def round_trip_ns(ledger: Ledger, but: Where) -> int:
    """Return what the quickest statement of this recording takes with little in its way, ns."""
    return min(at_best_ns(ledger, but).values(), default=ROUND_TRIP_NS)


def share_of_database(ledger: Ledger, where: Where) -> float:
    """Return how much of the time that all spend in the database is spent there, 0 to 1."""
    rows = ledger.direct
    rows = rows[(rows["activity"] == ACTIVITIES["sql"]) & (rows["mode"] == Mode.WAIT)]
    mine = np.isin(rows["site"], sorted({key[0] for key in where.keys}))
    mine &= ~np.isin(rows["resource"], list(closing(ledger)))
    length = rows["end"] - rows["start"]
    return float(length[mine].sum() / max(1, length.sum()))


def awaited_call_ns(ledger: Ledger) -> int:
    """Return what an awaited HTTP call computes on the loop: in this recording, or typically."""
    rows = ledger.direct
    rows = rows[rows["activity"] == ACTIVITIES["http"]]
    waits = rows[rows["mode"] == Mode.WAIT]
    work = rows[(rows["mode"] == Mode.CPU) & np.isin(rows["resource"], waits["resource"])]
    spans = ledger.recording.spans
    calls = np.count_nonzero(
        (spans["kind"] == ACTIVITIES["http"]) & np.isin(spans["resource"], waits["resource"])
    )
    if calls < FEW_CALLS or not len(work):
        return AWAITED_CALL_NS
    return int((work["end"] - work["start"]).sum() / calls)


def row_ns(ledger: Ledger) -> float:
    """Return what a row more costs the database: of statements with many rows, the median, ns.

    Beyond what the quicker of the others take, which is the way there and back.
    """
    spans = ledger.recording.spans
    spans = spans[spans["kind"] == ACTIVITIES["sql"]]
    length, rows = spans["end"] - spans["start"], spans["a"]
    many = rows >= MANY_ROWS
    if not many.any():
        return DEFAULT_ROW_NS
    others = length[~many]
    way = float(np.quantile(others, UNDISTURBED)) if len(others) else 0.0
    each = np.maximum(0.0, length[many] - way) / rows[many]
    return min(float(np.median(each)), MOST_ROW_NS)


def object_ns(ledger: Ledger) -> float:
    """Return what a row more costs the ORM on the loop, ns, where no collection interrupts it."""
    spans = ledger.recording.spans
    spans = spans[(spans["kind"] == ACTIVITIES["hydrate"]) & (spans["a"] >= MANY_ROWS)]
    rows = ledger.direct
    made = rows[(rows["activity"] == ACTIVITIES["hydrate"]) & (rows["mode"] == Mode.CPU)]
    made = made[np.isin(made["resource"], spans["resource"])]
    if not len(spans) or not len(made):
        return DEFAULT_OBJECT_NS
    return float((made["end"] - made["start"]).sum() / spans["a"].sum())
