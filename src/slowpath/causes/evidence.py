"""What run-time detection has in common: choosing rows of the root view and reading them.

A detector asks the root view (after the cascade) which line is charged with what. A *mask* is one
boolean for each row of `Ledger.root`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from slowpath.causes.base import Hop, Mask
from slowpath.ledger.model import ACTIVITIES, Mode
from slowpath.recording import Recording, Request, Site, Span

if TYPE_CHECKING:
    from slowpath.ledger import Ledger

Int64s = npt.NDArray[np.int64]

#: A finding matters from this share of the time of all slow requests ...
MIN_SHARE = 0.02
#: ... or, on one endpoint with enough requests to tell, from this share of what it does itself,
#: apart from queueing behind others,
MIN_ENDPOINT_SHARE = 0.10
MIN_ENDPOINT_REQUESTS = 10
#: if it is also time that a caller could notice.
MIN_ENDPOINT_MS = 1.0
QUEUES = frozenset(("loop_wait", "pool_wait", "http_pool_wait", "thread_wait", "lock_wait"))
#: From this length a slice hurts others: the design's stall.
STALL_NS = 10_000_000
#: So many stalls of a line are no accident, nor are fewer if that share of the requests has one.
HABIT, HABIT_SHARE = 3, 1 / 3

#: Files of the standard library, as a path of any environment looks.
_STDLIB = ("/lib/python3", "/lib64/python3", "\\Lib\\")
_INSTALLED = ("site-packages", "dist-packages")


def activity_codes(*names: str) -> Int64s:
    """Return the codes of activities, for `np.isin`."""
    return np.array([ACTIVITIES[name] for name in names], np.int64)


def doing(ledger: Ledger, *activities: str) -> Mask:
    """Return the rows whose culprit was doing one of `activities`."""
    return np.isin(ledger.root["culprit_activity"], activity_codes(*activities))


def in_mode(ledger: Ledger, *modes: Mode) -> Mask:
    """Return the rows whose culprit spent the time in one of `modes`."""
    return np.isin(ledger.root["culprit_mode"], np.array(modes, np.int64))


#: Modes of a charge whose culprit waited without holding the loop.
PATIENT = (Mode.WAIT, Mode.THREAD_BLOCKED)


def waiting_for(ledger: Ledger, *activities: str) -> Mask:
    """Return the rows in which the request that bears them stood in one of `activities`."""
    return np.isin(ledger.root["activity"], activity_codes(*activities))


def at(ledger: Ledger, site: int) -> Mask:
    """Return the rows that are charged to one site."""
    chosen: Mask = ledger.root["culprit_site"] == site
    return chosen


def matters(ledger: Ledger, chosen: Mask, *, on_one_endpoint: bool = True) -> bool:
    """Tell whether what some rows amount to is worth a person's time.

    Args:
        on_one_endpoint: to one endpoint is enough. Not for what is told by lengths alone, which
            an overloaded machine stretches: of many lines, some would always seem long.
    """
    if ledger.blame(chosen).share_of_p95 >= MIN_SHARE:
        return True
    if not on_one_endpoint:
        return False
    rows = ledger.root
    own = ledger.blame(
        chosen
        & (rows["culprit_request"] == rows["request"])
        & (rows["activity"] == rows["culprit_activity"])
    )
    for index, ns in own.by_endpoint.items():
        count = len(ledger.endpoints[index].requests)
        segments = ledger.segments(index)
        own_ms = sum(spent for name, spent in segments.items() if name not in QUEUES)
        found_ms = ns / count / 1e6
        if (
            count >= MIN_ENDPOINT_REQUESTS
            and found_ms >= MIN_ENDPOINT_MS
            and found_ms >= MIN_ENDPOINT_SHARE * own_ms
        ):
            return True
    return False


def by_site(
    ledger: Ledger, mask: Mask, *, on_one_endpoint: bool = True
) -> Iterator[tuple[int, Mask]]:
    """Yield the sites that the rows of `mask` are charged to, with their rows, largest first.

    Only known sites with charges that matter.
    """
    rows = ledger.root[mask]
    sites, which = np.unique(rows["culprit_site"], return_inverse=True)
    totals = np.bincount(which, (rows["end"] - rows["start"]).astype(np.float64), len(sites))
    for position in np.argsort(-totals, kind="stable").tolist():
        site = int(sites[position])
        if site:
            chosen = mask & at(ledger, site)
            if matters(ledger, chosen, on_one_endpoint=on_one_endpoint):
                yield site, chosen


def by_function(ledger: Ledger, mask: Mask) -> Iterator[tuple[int, Mask]]:
    """Yield the functions that rows are charged to, each as its most charged site, with its rows.

    Work that computes is spread over the lines of a loop; none of them alone may matter.
    """
    rows = ledger.root[mask]
    size = len(ledger.recording.sites)
    totals = np.bincount(
        rows["culprit_site"], (rows["end"] - rows["start"]).astype(np.float64), size
    )
    functions: dict[tuple[str, str], list[int]] = {}
    for site in np.flatnonzero(totals).tolist():
        if site:
            place = ledger.recording.sites[site]
            functions.setdefault((place.path, place.function), []).append(site)
    for sites in sorted(functions.values(), key=lambda sites: -sum(totals[sites])):
        chosen = mask & np.isin(ledger.root["culprit_site"], np.array(sites))
        if matters(ledger, chosen, on_one_endpoint=False):
            yield max(sites, key=lambda site: float(totals[site])), chosen


def holds(ledger: Ledger, mask: Mask) -> Int64s:
    """Return the lengths (ns) of the intervals in which the culprits did what `mask` chooses.

    Read from the culprits' own charges: those of others who waited for them are dealt out, and
    tell how much but not when. For work of no measured request, such as a background task, the
    slices in which it was sampled stand.
    """
    rows = ledger.root
    rows = rows[mask & (rows["culprit_request"] == rows["request"])]
    if not len(rows):
        return _sampled_slices(ledger, np.unique(ledger.root["culprit_site"][mask]))
    first = np.ones(len(rows), np.bool_)
    first[1:] = (rows["request"][1:] != rows["request"][:-1]) | (
        rows["start"][1:] > rows["end"][:-1]
    )
    lengths: Int64s = np.add.reduceat(rows["end"] - rows["start"], np.flatnonzero(first))
    return lengths


def _sampled_slices(ledger: Ledger, sites: npt.NDArray[np.integer[Any]]) -> Int64s:
    samples, slices = ledger.recording.samples, ledger.recording.slices
    seen = np.unique(samples[["line", "slice_start"]][np.isin(samples["site"], sites)])
    slices = slices[np.isin(slices[["line", "start"]].astype(seen.dtype), seen)]
    lengths: Int64s = slices["end"] - slices["start"]
    return lengths


def in_stalls(lengths: Int64s) -> float:
    """Return the share of the held time that lies in intervals long enough to hurt others."""
    total = int(lengths.sum())
    return float(lengths[lengths >= STALL_NS].sum()) / total if total else 0.0


def is_habit(ledger: Ledger, chosen: Mask, stalls: int) -> bool:
    """Tell whether the lines in the rows stall the loop as a rule.

    A pause of the machine befalls some line of some request, and the slowest requests are those
    that met it.
    """
    culprits = np.unique(ledger.root["culprit_request"][chosen])
    endpoints = np.unique(ledger.endpoint_of[culprits[culprits >= 0]])
    served = sum(len(ledger.endpoints[i].requests) for i in endpoints.tolist())
    return stalls >= min(HABIT, HABIT_SHARE * served)


def total_ns(ledger: Ledger, mask: Mask) -> int:
    """Return the sum of the rows of `mask`."""
    rows = ledger.root[mask]
    return int((rows["end"] - rows["start"]).sum())


def ms(ns: float) -> float:
    """Return nanoseconds as milliseconds, to three digits behind the point."""
    return round(float(ns) / 1e6, 3)


def victims(ledger: Ledger, chosen: Mask) -> dict[str, float]:
    """Return ms per request by endpoint that requests waited for work of others, largest first."""
    rows = ledger.root[chosen]
    rows = rows[rows["culprit_request"] != rows["request"]]
    if not len(rows):
        return {}
    lengths = (rows["end"] - rows["start"]).astype(np.float64)
    sums = np.bincount(ledger.endpoint_of[rows["request"]], lengths, len(ledger.endpoints))
    found = {}
    for index in np.argsort(-sums, kind="stable").tolist()[:5]:
        endpoint = ledger.endpoints[index]
        if sums[index]:
            found[endpoint.name] = ms(sums[index] / len(endpoint.requests))
    return found


class Computed(NamedTuple):
    """How much of some time a thread had a core, 0 to 1: surely `least`, at most `most`."""

    least: float
    most: float


def computed_share(ledger: Ledger, sites: Sequence[int]) -> Computed | None:
    """Return how much of its time at some lines the thread had a core; None if unknown.

    A call that blocks uses next to none. A thread that computes on a machine without a free core
    gets its share of one, so that the mode of a charge alone may call it blocked.
    """
    samples = ledger.recording.samples
    here = np.isin(samples["site"], sites)
    if not here.any():
        return None
    # A call that holds the GIL is sampled only when it is over: the CPU time of its whole slice
    # tells more than what lies between two samples.
    keys, which = np.unique(samples[["line", "slice_start"]], return_inverse=True)
    mostly = keys[np.bincount(which, here) * 2 > np.bincount(which)]
    slices = ledger.recording.slices
    names = slices[["line", "start"]].astype(mostly.dtype)
    slices = slices[np.isin(names, mostly) & (slices["most"] >= 0)]
    wall = int((slices["end"] - slices["start"]).sum())
    if wall:
        return Computed(slices["least"].sum() / wall, slices["most"].sum() / wall)
    # The stack at the end of an interval stands for it.
    pairs = (
        here[1:]
        & (which[1:] == which[:-1])
        & (samples["thread_cpu"][1:] >= 0)
        & (samples["thread_cpu"][:-1] >= 0)
    )
    wall = int(np.diff(samples["at"])[pairs].sum())
    if not wall:
        return None
    share = float(np.diff(samples["thread_cpu"])[pairs].sum()) / wall
    return Computed(share, share)


# --- Spans ---------------------------------------------------------------------------------------


def spans_by_request(ledger: Ledger, *kinds: str) -> Iterator[tuple[int, Request, list[Span]]]:
    """Yield (index, request, its spans of `kinds` on any of its lines, by start).

    Requests without such a span are left out, and spans outside the request's own time.
    """
    recording = ledger.recording
    rows = recording.spans[np.isin(recording.spans["kind"], activity_codes(*kinds))]
    lines_of: dict[int, list[int]] = {}
    for line in recording.lines.values():
        if line.request:
            lines_of.setdefault(line.request, []).append(line.id)
    for index, request in enumerate(ledger.requests):
        spans: list[Span] = []
        for line in (request.line, *lines_of.get(request.line, ())):
            low, high = np.searchsorted(rows["line"], [line, line + 1])
            if low < high:
                spans += [Span(*row) for row in rows[low:high].tolist()]
        spans = [span for span in spans if request.start_ns <= span.start <= request.end_ns]
        if spans:
            yield index, request, sorted(spans, key=lambda span: span.start)


# --- Stacks --------------------------------------------------------------------------------------


class Called(NamedTuple):
    """What the app's line was calling while it held the loop.

    Attributes:
        direct: the function that the line itself called, `module.function`; empty if it is C.
        inner: the innermost function on the stack, the same way.
        chain: the app's own frames, outermost first, the line itself last.
    """

    direct: str
    inner: str
    chain: tuple[Hop, ...]


def own_packages(recording: Recording) -> frozenset[str]:
    """Return the installed packages that the probe counted as the app's own."""
    sites = {request.handler for request in recording.requests}
    sites.update(np.unique(recording.samples["site"]).tolist())
    sites.update(np.unique(recording.spans["site"]).tolist())
    found = {_package(recording.sites[site].path) for site in sites}
    return frozenset(found - {""})


def _package(path: str) -> str:
    """Return the top-level package of an installed file; empty for any other."""
    parts = path.replace("\\", "/").split("/")
    for mark in _INSTALLED:
        if mark in parts[:-1]:
            return parts[parts.index(mark) + 1]
    return ""


def is_own(path: str, packages: frozenset[str]) -> bool:
    """Tell whether a frame of a stack is the app's own code."""
    package = _package(path)
    if package:
        return package in packages
    return not path.startswith("<") and not any(mark in path for mark in _STDLIB)


def dotted(site: Site) -> str:
    """Return `module.function` of a frame, as one would import it.

    >>> dotted(Site("/x/lib/python3.11/json/encoder.py", 1, "JSONEncoder.encode"))
    'json.encoder.JSONEncoder.encode'
    """
    path = site.path.replace("\\", "/").removesuffix(".py")
    for mark in ("/site-packages/", "/dist-packages/"):
        path = path.rpartition(mark)[2]
    _, mark, rest = path.rpartition("/python3.")
    if mark and "/" in rest:
        path = rest.partition("/")[2]
    module = path.removesuffix("/__init__").strip("/").replace("/", ".")
    return f"{module}.{site.function}"


def called_at(ledger: Ledger, sites: Iterable[int]) -> Called | None:
    """Return what was called most often from the app's own lines `sites`, by the stack samples.

    None if no stack was sampled there.
    """
    recording = ledger.recording
    samples = recording.samples
    seen = Counter(samples["stack"][np.isin(samples["site"], list(sites))].tolist())
    packages = own_packages(recording)
    votes: Counter[Called] = Counter()
    for number, count in seen.items():
        stack = [recording.sites[site] for site in recording.stacks[number]]
        own = [i for i, site in enumerate(stack) if is_own(site.path, packages)]
        if not own:
            continue
        edge = own[0]  # innermost first: what lies before it was called by it
        votes[
            Called(
                dotted(stack[edge - 1]) if edge else "",
                dotted(stack[0]) if edge else "",
                tuple(Hop(*stack[i]) for i in reversed(own)),
            )
        ] += count
    return votes.most_common(1)[0][0] if votes else None
