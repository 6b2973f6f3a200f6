"""What the ledger holds: charges, and the questions that causes and reports ask of them.

A charge says: during this interval this request stood at `site` doing `activity`, and the line to
blame is `culprit_site`, which was then doing `culprit_activity`. For own work the culprit is the
request itself. For every request the charges are disjoint, in order, and sum to its wall time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property

import numpy as np
import numpy.typing as npt

from slowpath.recording import Recording, Request
from slowpath.recording.model import SPAN_KINDS

Rows = npt.NDArray[np.void]

#: Codes of activities: the span kinds, and these.
ACTIVITIES = {
    "unattributed": 0,
    "loop": 1,  # work on the loop outside every finer span
    "loop_wait": 2,  # ready, but the loop was held by others
    **SPAN_KINDS,
}
ACTIVITY_NAMES = {code: name for name, code in ACTIVITIES.items()}
#: Work of these is a request's own code.
_OWN_WORK = (ACTIVITIES["loop"], ACTIVITIES["handler"])


class Mode(IntEnum):
    """How the time of a charge was spent by whoever is charged."""

    WAIT = 0  # suspended: nobody's thread was held
    CPU = 1  # held the loop and computed
    BLOCKED = 2  # held the loop and did not compute: sync I/O, a lock, sleep
    GIL = 3  # held the loop, but another thread of the process held the GIL
    THREAD_CPU = 4  # in a worker thread, computing
    THREAD_BLOCKED = 5  # in a worker thread, not computing


#: One row a charge. `request` and `culprit_request` index `Ledger.requests` (-1: no request, such
#: as a background task); sites and resources number those of the recording.
CHARGE = np.dtype(
    [
        ("request", "i4"),
        ("start", "i8"),
        ("end", "i8"),
        ("activity", "u1"),
        ("mode", "u1"),
        ("site", "i4"),
        ("resource", "i4"),
        ("culprit_request", "i4"),
        ("culprit_site", "i4"),
        ("culprit_activity", "u1"),
        ("culprit_mode", "u1"),
        ("culprit_resource", "i4"),
    ]
)


@dataclass(frozen=True)
class Endpoint:
    """One method and route, with its measured requests.

    Attributes:
        requests: indices into `Ledger.requests`, by latency, fastest first.
        latency_ns: their latencies, ascending; shape (n,).
        slow: indices of the slowest twentieth (at least one): what makes p95 what it is.
    """

    method: str
    route: str
    requests: npt.NDArray[np.int64]
    latency_ns: npt.NDArray[np.int64]
    slow: npt.NDArray[np.int64]

    @property
    def name(self) -> str:
        """Method and route, as a person reads it."""
        return f"{self.method} {self.route}"


@dataclass(frozen=True)
class Blame:
    """What a set of charges amounts to.

    Attributes:
        total_ns: over all measured requests.
        slow_ns: over the slowest twentieth of each endpoint.
        by_endpoint: ns over all measured requests, by index into `Ledger.endpoints`.
        requests: how many measured requests bear any of it.
        share_of_p95: slow_ns over the whole time of all endpoints' slowest twentieths, 0 to 1.
    """

    total_ns: int
    slow_ns: int
    by_endpoint: dict[int, int]
    requests: int
    share_of_p95: float


@dataclass
class Ledger:
    """Charges of every measured request of a recording.

    Attributes:
        requests: the measured requests, by start.
        direct: rows of `CHARGE`, sorted by request and start: what each request waited on.
            Each is its own culprit.
        root: the same after the cascade: which line would have to change. Both views sum to each
            request's wall time. A wait that several are to blame for is parted among them, one
            part after the other; where one deed of several requests is to blame, the culprit
            request is the one that did it last.
        overlapped: rows of `CHARGE` of children in parallel that were not on the critical path;
            kept, not charged.
        accept_wait: rows of `CHARGE` from before requests were accepted: how long they lay in
            the socket while the loop was busy, by culprit. Known where the load generator told
            when it sent; no part of the wall time.
    """

    recording: Recording
    requests: Sequence[Request]
    direct: Rows
    root: Rows
    overlapped: Rows = field(default_factory=lambda: np.zeros(0, CHARGE))
    accept_wait: Rows = field(default_factory=lambda: np.zeros(0, CHARGE))

    @cached_property
    def endpoints(self) -> list[Endpoint]:
        """The endpoints, by total time of their requests, largest first."""
        groups: dict[tuple[str, str], list[int]] = {}
        for index, request in enumerate(self.requests):
            groups.setdefault((request.method, request.route), []).append(index)
        latency = np.array([request.latency_ns for request in self.requests], np.int64)
        found = []
        for (method, route), members in groups.items():
            chosen = np.array(members, np.int64)
            chosen = chosen[np.argsort(latency[chosen], kind="stable")]
            slow = chosen[-max(1, len(chosen) // 20) :]
            found.append(Endpoint(method, route, chosen, latency[chosen], slow))
        return sorted(found, key=lambda endpoint: -int(endpoint.latency_ns.sum()))

    @cached_property
    def endpoint_of(self) -> npt.NDArray[np.int64]:
        """The index of each request's endpoint; shape (requests,)."""
        table = np.zeros(len(self.requests), np.int64)
        for index, endpoint in enumerate(self.endpoints):
            table[endpoint.requests] = index
        return table

    @cached_property
    def is_slow(self) -> npt.NDArray[np.bool_]:
        """Whether each request belongs to its endpoint's slowest twentieth; shape (requests,)."""
        table = np.zeros(len(self.requests), np.bool_)
        for endpoint in self.endpoints:
            table[endpoint.slow] = True
        return table

    def latency(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Tell which charges count: those up to the answer of their request.

        Of a stream or websocket its own work afterwards counts too; waiting then is the peer's
        pace, not latency.
        """
        requests = self.requests
        answered = np.array([request.answered_ns for request in requests], np.int64)
        goes_on = np.array([request.streamed or request.websocket for request in requests], bool)
        owner = rows["request"]
        if not len(rows):
            return np.zeros(0, np.bool_)
        before = rows["start"] < answered[owner]
        return np.asarray(before | (goes_on[owner] & (rows["mode"] != Mode.WAIT)), np.bool_)

    @cached_property
    def slow_ns(self) -> int:
        """The whole charged time of the slowest twentieths."""
        rows = self.root[self.latency(self.root)]
        return int((rows["end"] - rows["start"])[self.is_slow[rows["request"]]].sum())

    @cached_property
    def _sums(self) -> npt.NDArray[np.float64]:
        """Direct charges in ns by (endpoint, of a slow request, activity)."""
        rows = self.direct[self.latency(self.direct)]
        activity = rows["activity"].astype(np.int64)
        work = (rows["mode"] != Mode.WAIT) & np.isin(activity, _OWN_WORK)
        activity[work] = ACTIVITIES["loop"]
        cell = self.endpoint_of[rows["request"]] * 2 + self.is_slow[rows["request"]]
        count = len(self.endpoints) * 512
        length = (rows["end"] - rows["start"]).astype(np.float64)
        sums = np.asarray(np.bincount(cell * 256 + activity, length, count), np.float64)
        return sums.reshape(-1, 2, 256)

    def segments(self, endpoint: int, slow: bool = False) -> dict[str, float]:
        """Return where the time of an endpoint goes: ms per request by activity.

        Args:
            endpoint: index into `endpoints`.
            slow: for its slowest twentieth only.
        """
        found = self.endpoints[endpoint]
        sums = self._sums[endpoint]
        total = sums[1] if slow else sums.sum(0)
        count = len(found.slow if slow else found.requests)
        return {
            ACTIVITY_NAMES[code]: float(total[code]) / count / 1e6
            for code in np.flatnonzero(total).tolist()
        }

    def explained(self, endpoint: int) -> float:
        """Return the share of an endpoint's time that is charged to something, 0 to 1."""
        sums = self._sums[endpoint].sum(0)
        total = float(sums.sum())
        return 1.0 - float(sums[ACTIVITIES["unattributed"]]) / total if total else 1.0

    def overhead_ms(self) -> float | None:
        """Return what the probe itself cost a request, ms; None where it was not calibrated.

        Nothing is subtracted from any charge: the cost lies in all of them.
        """
        recording = self.recording
        served = np.array([request.process for request in recording.requests], np.int64)
        cost = 0.0
        for index, process in enumerate(recording.processes):
            known = process.meta.get("calibration")
            if not isinstance(known, dict) or not known:
                return None
            for rows, name in ((recording.spans, "span_ns"), (recording.slices, "slice_ns")):
                cost += np.count_nonzero(rows["line"] >> 32 == index) * float(known.get(name, 0))
            cost += np.count_nonzero(served == index) * float(known.get("request_ns", 0))
        return cost / len(served) / 1e6 if len(served) else None

    def blame(self, chosen: npt.NDArray[np.bool_]) -> Blame:
        """Sum the rows of `root` for which `chosen` (a mask of its length) holds."""
        rows = self.root[chosen]
        rows = rows[self.latency(rows)]
        length = rows["end"] - rows["start"]
        slow = int(length[self.is_slow[rows["request"]]].sum())
        by_endpoint: dict[int, int] = {}
        if len(rows):
            sums = np.bincount(
                self.endpoint_of[rows["request"]], length.astype(np.float64), len(self.endpoints)
            )
            by_endpoint = {i: round(ns) for i, ns in enumerate(sums.tolist()) if ns}
        return Blame(
            total_ns=int(length.sum()),
            slow_ns=slow,
            by_endpoint=by_endpoint,
            requests=len(np.unique(rows["request"])),
            share_of_p95=slow / self.slow_ns if self.slow_ns else 0.0,
        )
