"""Load and endpoints in figures: rates, percentiles, where the time goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from slowpath.ledger import Endpoint, Ledger
from slowpath.recording import ClientCall, Recording, Request
from slowpath.report.model import EndpointReport, Figures, Load, Percentiles
from slowpath.traffic.client_log import UNFINISHED, is_failure


def round_ms(ns: float) -> float:
    """Turn nanoseconds into milliseconds, to the microsecond."""
    return round(ns / 1e6, 3)


def load_of(ledger: Ledger) -> Load:
    """Sum up the run as the client saw it; without a client, as the server did."""
    recording = ledger.recording
    seconds = _window_ns(ledger) / 1e9
    served = ledger.requests
    server = _figures([request.latency_ns for request in served], sum(map(failed, served)), seconds)
    calls = measured_calls(recording)
    figures = server
    statuses = Counter(request.status for request in served)
    if calls:
        figures = _figures(
            [call.end_ns - call.start_ns for call in calls],
            sum(is_failure(call.status, call.error) for call in calls),
            seconds,
        )
        statuses = Counter(call.status for call in calls)
    traffic = recording.run.get("traffic") or {}
    users = traffic.get("users") if calls else None
    return {
        **figures,
        "users": users,
        "seconds": round(seconds, 3),
        "seen_by": "client" if calls else "server",
        "statuses": {str(status): count for status, count in sorted(statuses.items())},
        "server": server,
    }


def endpoints_of(ledger: Ledger) -> list[EndpointReport]:
    """Describe each endpoint, by total time, largest first."""
    return [_endpoint(ledger, index, end) for index, end in enumerate(ledger.endpoints)]


def measured_calls(recording: Recording) -> list[ClientCall]:
    """Return the client's calls that began in the measured window and were not cut off by it."""
    window = recording.run.get("window") or {}
    start = window.get("start_ns") or 0
    end = window.get("end_ns") or (1 << 63)
    return [
        call
        for call in recording.client
        if start <= call.start_ns < end and call.error != UNFINISHED
    ]


def failed(request: Request) -> bool:
    """Tell whether the server knows that a request failed, or sent no answer to it."""
    return request.failed or request.status == 0 or request.status >= 400


def _endpoint(ledger: Ledger, index: int, endpoint: Endpoint) -> EndpointReport:
    requests = [ledger.requests[i] for i in endpoint.requests.tolist()]
    calls = [request.client for request in requests if request.client is not None]
    waits = ledger.accept_wait[np.isin(ledger.accept_wait["request"], endpoint.requests)]
    return {
        "method": endpoint.method,
        "route": endpoint.route,
        "count": len(requests),
        **_percentiles(endpoint.latency_ns),
        "explained": round(ledger.explained(index), 6),
        "segments": _rounded(ledger.segments(index)),
        "segments_slow": _rounded(ledger.segments(index, slow=True)),
        "errors": round(sum(map(failed, requests)) / len(requests), 6),
        "client": _percentiles([call.end_ns - call.start_ns for call in calls]) if calls else None,
        "accept_wait_ms": round_ms(int((waits["end"] - waits["start"]).sum()) / len(requests)),
    }


def _rounded(segments: dict[str, float]) -> dict[str, float]:
    # Largest first, for people who read the JSON.
    order = sorted(segments, key=lambda activity: -segments[activity])
    return {activity: round(segments[activity], 3) for activity in order if segments[activity]}


def _figures(latencies_ns: Sequence[int], failures: int, seconds: float) -> Figures:
    count = len(latencies_ns)
    percentiles = _percentiles(latencies_ns) if count else None
    return {
        "requests": count,
        "rps": round(count / seconds, 3) if seconds else 0.0,
        "p50_ms": percentiles and percentiles["p50_ms"],
        "p95_ms": percentiles and percentiles["p95_ms"],
        "p99_ms": percentiles and percentiles["p99_ms"],
        "errors": round(failures / count, 6) if count else 0.0,
    }


def _percentiles(latencies_ns: Sequence[int] | npt.NDArray[np.int64]) -> Percentiles:
    p50, p95, p99 = (round_ms(ns) for ns in np.percentile(latencies_ns, [50, 95, 99]).tolist())
    return {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99}


def _window_ns(ledger: Ledger) -> int:
    """How long was measured; a recording without a window is measured by its requests."""
    window = ledger.recording.run.get("window") or {}
    if window.get("start_ns") and window.get("end_ns"):
        return max(0, int(window["end_ns"]) - int(window["start_ns"]))
    if not ledger.requests:
        return 0
    first = min(request.start_ns for request in ledger.requests)
    return max(request.end_ns for request in ledger.requests) - first
