"""A plan of traffic: which requests, in which proportion, and what is left out and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

SAFE_METHODS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Target:
    """One endpoint to send requests to.

    Attributes:
        name: the route template, or the path; what its requests are called in all reports.
        urls: path and query of each request that may be sent; they take turns.
        headers: sent with it, besides those of the whole run.
    """

    method: str
    name: str
    urls: tuple[str, ...]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NotDriven:
    """An endpoint that gets no traffic, and the reason in words."""

    method: str
    route: str
    because: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything the load generator needs to know about what to send.

    Attributes:
        in_order: users go through the targets one by one instead of choosing at random.
        locustfile: path of the user's own locustfile, which then decides instead of `targets`.
        routes: route templates by which paths are named where a target does not name itself.
    """

    kind: str
    targets: tuple[Target, ...] = ()
    not_driven: tuple[NotDriven, ...] = ()
    in_order: bool = False
    locustfile: str | None = None
    routes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """What `run.json` tells of it: no query, no header."""
        return {
            "kind": self.kind,
            "driven": [{"method": target.method, "route": target.name} for target in self.targets],
            "not_driven": [asdict(entry) for entry in self.not_driven],
        }


class Source(Protocol):
    """One way of knowing what to send."""

    kind: str

    def check(self) -> None:
        """Find fault before the app is started.

        Raises:
            UserError: there will be no plan, whatever the app.
        """

    def plan(self, base_url: str, headers: Mapping[str, str]) -> Plan:
        """Decide what to send, asking the running app where that helps.

        Raises:
            UserError: there is nothing to send.
        """
