"""What was asked of the service: who sends, how often, from how far away."""

from __future__ import annotations

from statistics import median

from slowpath.ledger import Ledger
from slowpath.recording import Recording
from slowpath.simulate.workload import Load

#: The client's view of a run counts from so many of its requests on.
MIN_CALLS = 5


def network_ns(ledger: Ledger) -> list[int]:
    """Return what each request's way to the server and back took when nothing was in its way, ns.

    The way back is seen as it is: the answer is sent, and the client has it. On the way in, a
    request waits for the loop before the server sees it; such waits come up again in the
    simulation, so no more than a typical way back counts. Requests whose client was not seen
    get what is typical.
    """
    ways: list[tuple[int, int] | None] = []
    for request in ledger.requests:
        call = request.client
        if call is None or request.websocket:
            ways.append(None)
        else:
            back = call.end_ns - (request.complete_ns or request.end_ns)
            ways.append((max(0, request.start_ns - call.start_ns), max(0, back)))
    known = [way for way in ways if way is not None]
    if not known:
        return [0] * len(ways)
    typical = round(median(back for _, back in known))
    return [min(way[0], typical) + way[1] if way is not None else 2 * typical for way in ways]


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
