"""The report as data: what `report.json` holds, version 1. Keys may be added, never changed.

Times are milliseconds, rounded to a microsecond; shares go from 0 to 1.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

VERSION = 1


class Figures(TypedDict):
    """Rate and latency percentiles of some requests; None where there were no requests."""

    requests: int
    rps: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    errors: float


class Load(Figures):
    """The run as a whole: as the client saw it or, without a client, as the server did.

    `users` is None where nobody counted them; `statuses` counts answers by HTTP status, with "0"
    for none; `server` is the server's own view of the same window.
    """

    users: int | None
    seconds: float
    seen_by: str
    statuses: dict[str, int]
    server: Figures


class Percentiles(TypedDict):
    """Latency percentiles."""

    p50_ms: float
    p95_ms: float
    p99_ms: float


class EndpointReport(TypedDict):
    """One method and route; `segments` are ms per request by activity.

    Latency is the server's, to the first byte where the answer is a stream or a websocket.
    `segments_slow` is the same of its slowest twentieth, `client` what the client saw of it,
    `accept_wait_ms` how long a request lay in the socket on average while the loop was held; that
    comes before its latency, and only the client feels it.
    """

    method: str
    route: str
    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    explained: float
    segments: dict[str, float]
    segments_slow: dict[str, float]
    errors: float
    client: Percentiles | None
    accept_wait_ms: float


class Charged(TypedDict):
    """What a finding costs one endpoint: ms per request of it, and the share of its time."""

    method: str
    route: str
    charged_ms_per_request: float
    share: float


class Source(TypedDict):
    """Lines of source around a finding; `changed`: the file is newer than the run."""

    first_line: int
    lines: list[str]
    changed: bool


class Place(TypedDict):
    """A site; `path` is relative to where slowpath ran, if it lies beneath."""

    path: str
    line: int
    function: str


class Fix(TypedDict):
    """What `slowpath fix` would do about a finding; of `cure` "none" it only says `why`.

    `title` is what would be done, `look` what to look at (empty where it is safe), `changes` the
    file, and `diff` the lines of a unified diff, of which `cut` are left out.
    """

    cure: str
    why: NotRequired[str]
    title: NotRequired[str]
    look: NotRequired[str]
    changes: NotRequired[str]
    diff: NotRequired[list[str]]
    cut: NotRequired[int]


class FindingReport(Place):
    """One finding.

    `charged_ms_per_request` is the mean over all measured requests, so that findings add up;
    `share_of_p95` the share of the time of every endpoint's slowest twentieth. Both are None for
    what only a scan saw. `predicted` is what curing it alone would give: p50, p95 (with the
    bounds `low` and `high`) and rate of the whole load. `cure` is true of this very finding.
    """

    number: int
    cause: str
    title: str
    message: str
    why: str
    advice: str
    end_line: int
    source: Source | None
    endpoints: list[Charged]
    requests: int
    charged_ms_per_request: float | None
    share_of_p95: float | None
    predicted: dict[str, float] | None
    evidence: dict[str, Any]
    culprit: str
    confidence: str
    entry: dict[str, Any] | None
    chain: list[Place]
    seen_by: list[str]
    cure: str
    fix: NotRequired[Fix]


class InCode(Place):
    """What only a scan of the code saw: it has no price, since this run did not show it.

    `chain` leads from the entry to the line; see `slowpath scan`. What older reports lack is not
    required.
    """

    cause: str
    title: str
    message: str
    confidence: str
    entry: dict[str, Any] | None
    chain: list[Place]
    end_line: NotRequired[int]
    culprit: NotRequired[str]
    source: NotRequired[Source | None]
    cure: NotRequired[str]
    fix: NotRequired[Fix]


class Blind(TypedDict):
    """Something that the run could not see, as a slug and as a sentence."""

    kind: str
    message: str


class ProcessReport(TypedDict):
    """One process that the probe sat in."""

    pid: int
    python: str
    requests: int
    dropped: int
    torn_bytes: int


class Probe(TypedDict):
    """The probe itself; `hooks` tells the state of each, "on" or "off: why"."""

    dropped: int
    hooks: dict[str, str]
    overhead_ms_per_request: float | None
    processes: list[ProcessReport]


class PlanStage(TypedDict):
    """One more cure of the plan: the finding's number, and what is reached with it.

    `measured_p95_ms` and `measured_rps` are what a run with exactly these cures showed, where
    there was one.
    """

    finding: int
    p95_ms: float
    rps: float
    measured_p95_ms: NotRequired[float]
    measured_rps: NotRequired[float]


class Measured(TypedDict):
    """What `run` showed after cures: `findings` are the numbers of those cured, ascending.

    `steps` is how many steps of the plan these are; 0 if they are not just its first ones.
    `predicted_p95_ms` and `predicted_rps` are what was predicted for exactly these together; None
    where nothing was.
    """

    run: str
    findings: list[int]
    steps: int
    p95_ms: float
    rps: float
    predicted_p95_ms: float | None
    predicted_rps: float | None


class Simulation(TypedDict):
    """How far the simulator's replay is from what was measured, and the plan made with it.

    `replay_error` is the largest relative error of p50, p95 and rate, None where nothing was
    simulated; `refused` then says why. Of a replay that is not `trusted`, `missing` says what it
    may miss. `sentence` is the plan in words. `measured` is what runs after cures showed.
    """

    replay_error: float | None
    refused: NotRequired[str]
    trusted: NotRequired[bool]
    missing: NotRequired[list[str]]
    simulated: NotRequired[dict[str, float]]
    plan: NotRequired[list[PlanStage]]
    sentence: NotRequired[str]
    measured: NotRequired[list[Measured]]


class Report(TypedDict):
    """Everything that a report shows, whatever shows it.

    `verdict` is its headline; `hints` say what may be wrong when nothing was recorded; `notes`
    come from the run; `in_code` is what only a scan saw (absent in older reports); `looked_for`
    names the causes that were looked for.
    """

    version: int
    run: dict[str, Any]
    verdict: str
    hints: list[str]
    notes: list[str]
    load: Load
    endpoints: list[EndpointReport]
    simulation: Simulation
    findings: list[FindingReport]
    in_code: NotRequired[list[InCode]]
    looked_for: list[str]
    blind: list[Blind]
    probe: Probe
