"""What was asked of the service: who sends, how often, from how far away."""

from __future__ import annotations

import numpy as np

from slowpath.ledger import Ledger
from slowpath.recording import Recording
from slowpath.simulate.system import Way
from slowpath.simulate.workload import Load

#: Of the answers of an endpoint so many are the quicker ones.
QUICKER = 0.25
#: The client's view of a run counts from so many of its requests on.
MIN_CALLS = 5


def ways(ledger: Ledger) -> list[Way]:
    """Return what the way to the server and back takes by itself, for each endpoint.

    The way back is that of the quicker answers: large ones take longer, and nothing that is known
    keeps them, except for the client being at work on others. The way there is that of the
    quickest request, which came to a loop that was looking; what kept the others comes up again in
    the simulation.
    """
    there: list[int] = []
    back: list[list[int]] = [[] for _ in ledger.endpoints]
    for request, endpoint in zip(ledger.requests, ledger.endpoint_of.tolist(), strict=True):
        call = request.client
        if call is not None and not request.websocket:
            there.append(request.start_ns - call.start_ns)
            back[endpoint].append(call.end_ns - (request.complete_ns or request.end_ns))
    quickest = max(0, min(there, default=0))
    return [Way(quickest, max(0, int(np.quantile(each, QUICKER))) if each else 0) for each in back]


def offered(ledger: Ledger) -> Load:
    """Return who sent while it was recorded."""
    run = ledger.recording.run
    traffic = run.get("traffic") or {}
    requests = ledger.requests
    window = run.get("window") or {}
    start, end = int(window.get("start_ns") or 0), int(window.get("end_ns") or 0)
    if not end and requests:
        start = min(request.start_ns for request in requests)
        end = max(request.end_ns for request in requests)
    window_ns = max(1, end - start)
    warmup_ns = round(float(traffic.get("warmup_s") or 0.0) * 1e9)
    users = int(traffic.get("users") or 0)
    rate = traffic.get("rate")
    if rate:
        return Load(0, 0.0, float(rate), True, warmup_ns, window_ns)
    if users and (think := _think_ns(ledger.recording, users, start, end)) is not None:
        return Load(users, think, 0.0, False, warmup_ns, window_ns)
    per_s = len(requests) / window_ns * 1e9
    return Load(0, 0.0, per_s, False, warmup_ns, window_ns)


def _think_ns(recording: Recording, users: int, start: int, end: int) -> float | None:
    """Return the mean think time: what of the users' time was not spent in waiting.

    None if the client saw too little.
    """
    calls = [call for call in recording.client if call.start_ns < end > start]
    answered = sum(start <= call.end_ns < end for call in calls)
    if answered < MIN_CALLS:
        return None
    waiting = sum(max(0, min(call.end_ns, end) - max(call.start_ns, start)) for call in calls)
    return max(0.0, (users * (end - start) - waiting) / answered)
