"""Ledgers written by hand, charge by charge."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from slowpath.causes import Finding
from slowpath.causes.base import Cause
from slowpath.ledger import ACTIVITIES, CHARGE, Ledger, Mode
from slowpath.recording import Recording, Request, Site
from slowpath.recording.model import SAMPLE, SLICE, SPAN

MS = 1_000_000
#: Requests begin so far apart, so that their times do not meet unless a test wants it.
APART_MS = 10_000


@dataclass
class Book:
    """A ledger in the making; times are ms since the start of the request they belong to."""

    sites: list[Site] = field(default_factory=lambda: [Site("", 0, "")])
    texts: list[str] = field(default_factory=lambda: [""])
    stacks: list[tuple[int, ...]] = field(default_factory=lambda: [()])
    requests: list[Request] = field(default_factory=list)
    charges: list[tuple[Any, ...]] = field(default_factory=list)
    spans: list[tuple[Any, ...]] = field(default_factory=list)
    slices: list[tuple[Any, ...]] = field(default_factory=list)
    samples: list[tuple[Any, ...]] = field(default_factory=list)

    def site(self, place: str) -> int:
        """Return the number of `path:line function`."""
        where, _, function = place.partition(" ")
        path, _, line = where.rpartition(":")
        site = Site(path, int(line), function or "handler")
        if site not in self.sites:
            self.sites.append(site)
        return self.sites.index(site)

    def text(self, text: str) -> int:
        """Return the number of a text."""
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text)

    def request(
        self,
        ms: float,
        route: str = "/a",
        *,
        method: str = "GET",
        at_ms: float | None = None,
        handler: str = "",
        bytes_out: int = 100,
        websocket: bool = False,
    ) -> int:
        """Add a request that took `ms`; return its index."""
        index = len(self.requests)
        start = int((index * APART_MS if at_ms is None else at_ms) * MS)
        end = start + int(ms * MS)
        self.requests.append(
            Request(
                line=index + 1,
                process=0,
                method=method,
                route=route,
                handler=self.site(handler) if handler else 0,
                status=200,
                start_ns=start,
                began_ns=start,
                first_byte_ns=end,
                end_ns=end,
                bytes_in=0,
                bytes_out=bytes_out,
                websocket=websocket,
                streamed=False,
                disconnected=False,
                cancelled=False,
                failed=False,
            )
        )
        return index

    def charge(
        self,
        request: int,
        start: float,
        end: float,
        activity: str,
        place: str,
        mode: Mode = Mode.WAIT,
        *,
        resource: str = "",
        culprit: int | None = None,
        culprit_activity: str = "",
        culprit_place: str = "",
        culprit_resource: str = "",
    ) -> None:
        """Charge [start, end) of a request; the culprit is the request itself unless told."""
        base = self.requests[request].start_ns
        self.charges.append(
            (
                request,
                base + int(start * MS),
                base + int(end * MS),
                ACTIVITIES[activity],
                mode,
                self.site(place),
                self.text(resource),
                request if culprit is None else culprit,
                self.site(culprit_place or place),
                ACTIVITIES[culprit_activity or activity],
                mode,
                self.text(culprit_resource or resource),
            )
        )

    def span(
        self,
        request: int,
        start: float,
        end: float,
        kind: str,
        place: str,
        resource: str = "",
        a: int = -1,
        b: int = -1,
        flags: int = 0,
    ) -> None:
        """Add a span on the main line of a request."""
        found = self.requests[request]
        self.spans.append(
            (
                ACTIVITIES[kind],
                flags,
                1,
                found.line,
                self.site(place),
                self.text(resource),
                found.start_ns + int(start * MS),
                found.start_ns + int(end * MS),
                a,
                b,
            )
        )

    def blocked(
        self, request: int, start: float, end: float, kind: str, place: str, resource: str = ""
    ) -> None:
        """Add a span that held the loop's thread throughout, and its charge."""
        self.span(request, start, end, kind, place, resource)
        self.charge(request, start, end, kind, place, Mode.BLOCKED, resource=resource)

    def stack(self, request: int, *places: str, computed: float = 1.0) -> None:
        """Add a sampled stack, innermost frame first; the first in `app/` is the app's own.

        It was seen twice, 10 ms apart; `computed` is the share in which its thread had a core.
        """
        sites = tuple(self.site(place) for place in places)
        if sites not in self.stacks:
            self.stacks.append(sites)
        own = next((site for site in sites if self.sites[site].path.startswith("app/")), 0)
        found = self.requests[request]
        start = found.start_ns
        for after_ms, cpu_ms in ((5, 0.0), (15, 10 * computed)):
            at, cpu = start + after_ms * MS, start + int(cpu_ms * MS)
            self.samples.append((1, found.line, own, self.stacks.index(sites), start, at, cpu, cpu))

    def background(self, at_ms: float, ms: float, place: str) -> None:
        """Add a slice of a task of no request that computes, sampled once in the middle."""
        line, start = 1_000_000, int(at_ms * MS)
        cpu = int(ms * MS)
        self.slices.append((1, line, start, start + cpu, cpu, cpu))
        site = self.site(place)
        self.samples.append((1, line, site, 0, start, start + cpu // 2, 0, 0))

    def ledger(self) -> Ledger:
        """Close the book: the rest of every request's time is charged to its own loop work."""
        charges = list(self.charges)
        for index, request in enumerate(self.requests):
            told = sum(row[2] - row[1] for row in charges if row[0] == index)
            if told < request.wall_ns:
                rest = (request.end_ns - (request.wall_ns - told), request.end_ns)
                loop = ACTIVITIES["unattributed"]
                charges.append((index, *rest, loop, 0, 0, 0, index, 0, loop, 0, 0))
        rows = np.array(sorted(charges), CHARGE)
        spans = np.array(self.spans, SPAN)
        samples = np.array(self.samples, SAMPLE)
        slices = np.array(self.slices, SLICE)
        recording = Recording(
            sites=self.sites,
            texts=self.texts,
            stacks=self.stacks,
            requests=self.requests,
            spans=spans[np.lexsort((-spans["end"], spans["start"], spans["line"]))],
            slices=slices,
            samples=samples,
        )
        return Ledger(recording=recording, requests=self.requests, direct=rows, root=rows)


def found(cause: Cause, book: Book) -> list[Finding]:
    """Return what one cause finds in a book."""
    from slowpath.causes.base import detect

    return list(detect(cause, book.ledger()))
