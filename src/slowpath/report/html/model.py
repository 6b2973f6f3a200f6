"""What the page is drawn from, beside the report: `assets/` reads exactly this.

Times are milliseconds, counted from the start of the measured window, unless a name ends in
`_us`. Rows are flat lists of numbers (`[a, b, c, a, b, c, ...]`): there are many, and the page
should stay small. Sites, texts, endpoints and activities are numbers of the lists of `Page`;
a bin is one of `Page.grid`.
"""

from __future__ import annotations

from typing import Any, TypedDict

from slowpath.report.html.names import Place
from slowpath.report.model import FindingReport, Report

Flat = list[float]


class GridData(TypedDict):
    """Bins of the whole window: `bins` to narrow by, `points` in charts over time."""

    bins: int
    points: int
    length_ms: float


class KindData(TypedDict):
    """How an activity is shown; a wait is for what others hold, `rank` is its place in bars."""

    activity: str
    letter: str
    name: str
    meaning: str
    colour: str
    wait: bool
    rank: int


class Cells(TypedDict):
    """One endpoint by bin of its requests' start, so that the page can narrow to some bins.

    `latency` has rows (bin, bucket, count), a bucket as in `Page.buckets`; `segments` rows
    (activity, group, bin, ms) of all requests together, and `groups` rows (group, bin, count),
    of the groups: 0 the rest, 1 those near the median, 2 the slowest twentieth. `errors` and
    `bytes` have one number a bin.
    """

    latency: Flat
    segments: Flat
    groups: Flat
    errors: Flat
    bytes: Flat


class Culprits(TypedDict):
    """Who blocked whom: `lines` has rows (site, activity, endpoint of the culprit or -1);
    `cells` rows (culprit, endpoint of the victim, bin, ms of all its requests together)."""

    lines: list[tuple[int, int, int]]
    cells: Flat


class Calls(TypedDict):
    """One kind of call (statement, upstream, cache command) that one line of one endpoint makes.

    `cells` has rows (bin, calls, ms, rows or bytes, calls of which these are known).
    """

    endpoint: int
    kind: str
    text: int
    site: int
    cells: Flat


class Pool(TypedDict):
    """A pool over time: connections in use and requests waiting, mean of each point."""

    name: str
    size: int
    in_use: Flat
    waiting: Flat


class Resources(TypedDict):
    """Levels over time, one number a point; an empty list where nothing is known.

    `loop_busy` is the share of time that the loops of all workers were held, `lag` how long the
    longest slice held one (ms), `cpu` in cores, `rss` in bytes, `gc` ms a second, `rate`
    requests a second. `stalls` has rows (start, ms, site, ms of garbage
    collection in it), the longest.
    """

    rate: Flat
    in_flight: Flat
    loop_busy: Flat
    lag: Flat
    pools: list[Pool]
    threads_busy: Flat
    threads_waiting: Flat
    cpu: Flat
    rss: Flat
    gc: Flat
    stalls: Flat


class Lane(TypedDict):
    """One task or thread job of a request: bars have rows (activity, start_us, length_us, site,
    text, row), slices rows (start_us, length_us)."""

    site: int
    is_job: bool
    bars: Flat
    slices: Flat


class Holder(TypedDict):
    """A line that held what a request waited for: parts have rows (start_us, length_us, activity
    of the wait)."""

    endpoint: int
    request: int
    site: int
    activity: int
    ms: float
    parts: Flat


class Whole(TypedDict):
    """One request in full; `why` says as what it was chosen.

    `strip` is its ledger: rows (activity, start_us, length_us, site, text), disjoint. Times in it
    count from its start, `start` from that of the window.
    """

    endpoint: int
    number: int
    why: list[str]
    start: float
    latency: float
    wall: float
    status: int
    bytes: int
    worker: int
    strip: Flat
    lanes: list[Lane]
    holders: list[Holder]
    left_out: int


class Flame(TypedDict):
    """Stacks as a tree: `nodes` has rows (parent or -1, site), a parent before its children;
    `weights` rows (node, bin or -1 for the whole run, ms). `by` says who sampled, "probe" or
    "py-spy"."""

    name: str
    by: str
    nodes: Flat
    weights: Flat


class Texts(TypedDict):
    """A finding in words: its evidence as labels and lines, and what its buttons copy.

    Between the two parts of `prompt` belongs the page of its cause, as `Page.causes` has it.
    """

    evidence: list[tuple[str, list[str]]]
    command: str
    issue: str
    prompt: tuple[str, str]


class Example(TypedDict):
    """The example of a cause's page: each line with "-" (before), "+" (after) or " " (both)."""

    lines: list[tuple[str, str]]


class CauseData(TypedDict):
    """What is known of a cause: its page as Markdown, and the example of it."""

    page: str
    example: Example | None


class Page(TypedDict):
    """Everything that the page shows; `buckets` is (smallest latency in ms, ratio of borders).

    `cells` are in the order of `report["endpoints"]`, and may be fewer; `texts` in that of its
    findings. `in_code` is what only a scan saw, as findings without a cost, the surest of
    `in_code_count`. `revision` changes with the content of a page that is served.
    """

    version: int
    slowpath: str
    name: str
    live: bool
    report: Report
    kinds: list[KindData]
    places: list[Place]
    words: list[str]
    grid: GridData
    buckets: tuple[float, float]
    cells: list[Cells]
    culprits: Culprits
    calls: list[Calls]
    resources: Resources
    requests: list[Whole]
    flames: list[Flame]
    texts: list[Texts]
    in_code: list[FindingReport]
    in_code_texts: list[Texts]
    in_code_count: int
    causes: dict[str, CauseData]
    compare: dict[str, Any] | None
    revision: str
