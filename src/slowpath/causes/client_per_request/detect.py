"""HTTP clients made inside requests, and the handshakes that follow."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from slowpath.causes.base import Finding, Mask
from slowpath.causes.client_per_request import CAUSE
from slowpath.causes.evidence import at, doing, in_mode, matters, ms, total_ns
from slowpath.ledger import ACTIVITIES, Ledger, Mode
from slowpath.recording import Recording

#: How a client's class name ends; what a `connect` span names otherwise is an address or an
#: engine of a database.
CLIENTS = ("Client", "ClientSession", "Session")
#: What a handshake is called.
HANDSHAKES = ("tcp ", "tls ")
#: A client made once in a while (a new tenant, a rotated key) is not one for each request.
MIN_SHARE_OF_REQUESTS = 0.5


def detect(ledger: Ledger) -> Iterator[Finding]:
    """Yield the lines that make a client for each request."""
    spans = ledger.recording.spans
    spans = spans[(spans["kind"] == ACTIVITIES["connect"]) & (spans["site"] > 0)]
    clients, handshakes = _clients(ledger.recording), _handshakes(ledger.recording)
    made = spans[np.isin(spans["resource"], clients)]
    if not len(made):
        return
    request_of = _request_of(ledger)
    resource = ledger.root["culprit_resource"]
    connecting = doing(ledger, "connect")
    making = connecting & np.isin(resource, clients)
    # A handshake that holds the loop is another defect, and belongs to the line that calls.
    shaking = connecting & np.isin(resource, handshakes) & ~in_mode(ledger, Mode.BLOCKED)
    shaken = [
        request_of.get(line)
        for line in spans["line"][np.isin(spans["resource"], handshakes)].tolist()
    ]
    for site in np.unique(made["site"]).tolist():
        here = made[made["site"] == site]
        requests = {request_of[line] for line in here["line"].tolist() if line in request_of}
        if not requests or len(requests) < MIN_SHARE_OF_REQUESTS * _served(ledger, requests):
            continue
        # Its handshakes are charged to the lines that call through it.
        by_makers = np.isin(ledger.root["culprit_request"], np.array(sorted(requests)))
        chosen = (making & at(ledger, site)) | (shaking & by_makers)
        if matters(ledger, chosen):
            makers = [request_of.get(line) for line in made["line"].tolist()]
            clients_here = sum(line in request_of for line in here["line"].tolist())
            # A handshake does not tell whose it is: clients of other lines have their share.
            part = clients_here / sum(maker in requests for maker in makers)
            connections = sum(request in requests for request in shaken) / len(requests) * part
            each = clients_here / len(requests)
            yield _finding(ledger, here, chosen, len(requests), each, connections)


def _finding(
    ledger: Ledger,
    made: npt.NDArray[np.void],
    chosen: Mask,
    requests: int,
    each: float,
    connections: float,
) -> Finding:
    """Tell of the `made` spans of one line, `each` and `connections` in a request."""
    place = ledger.recording.sites[int(made["site"][0])]
    name = ledger.recording.texts[int(made["resource"][0])]
    own = ledger.root["culprit_request"] == ledger.root["request"]
    setup_ms = ms(total_ns(ledger, chosen & own) / requests)
    making_ms = ms(float(np.median(made["end"] - made["start"])))
    times = f" {each:.0f} times" if each >= 1.5 else ""
    return Finding(
        cause=CAUSE,
        path=place.path,
        line=place.line,
        function=place.function,
        message=(
            f"{name} is made{times} in every request: {making_ms:.1f} ms to make it and "
            f"{connections:.1f} new connections, {setup_ms:.1f} ms a request together."
        ),
        blame=ledger.blame(chosen),
        evidence={
            "client": name,
            "making_ms": making_ms,
            "made_per_request": round(each, 2),
            "connections_per_request": round(connections, 2),
            "setup_ms_per_request": setup_ms,
            "clients_made": len(made),
        },
        culprit=name,
        claims=chosen,
    )


def _clients(recording: Recording) -> list[int]:
    """Return the texts that name a client's class, such as `httpx.AsyncClient`."""
    return [
        number
        for number, text in enumerate(recording.texts)
        if " " not in text and "." in text and text.endswith(CLIENTS)
    ]


def _handshakes(recording: Recording) -> list[int]:
    """Return the texts that name a handshake, such as `tcp host`."""
    return [n for n, text in enumerate(recording.texts) if text.startswith(HANDSHAKES)]


def _request_of(ledger: Ledger) -> dict[int, int]:
    """Return the measured request (by index) that each line of execution works for."""
    # A main line that serves several requests in turn counts for the last of them.
    index = {request.line: i for i, request in enumerate(ledger.requests)}
    for line in ledger.recording.lines.values():
        if line.request in index:
            index[line.id] = index[line.request]
    return index


def _served(ledger: Ledger, requests: set[int]) -> int:
    """Return how many requests the endpoints of `requests` served."""
    endpoints = {int(ledger.endpoint_of[i]) for i in requests}
    return sum(len(ledger.endpoints[i].requests) for i in endpoints)
