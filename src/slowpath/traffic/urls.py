"""Traffic to paths the user names: `--traffic url:/users,/orders?limit=5`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from slowpath.errors import UserError
from slowpath.traffic.plan import Plan, Target
from slowpath.traffic.routes import RouteNames
from slowpath.traffic.spec import known_routes


class Urls:
    """The given paths, or the paths of the given URLs, with GET, each as often as the others."""

    kind = "url"

    def __init__(self, listed: str) -> None:
        # A comma may be part of a query; one before a path or a URL ends the one before.
        self._given = [one.strip() for one in re.split(r",(?=\s*(?:/|https?://))", listed)]

    def check(self) -> None:
        """See `Source.check`."""
        for given in self._given:
            if not re.match(r"/|https?://[^/]", given):
                raise UserError(
                    f"--traffic url: takes paths such as /users or whole URLs, not {given!r}."
                )

    def plan(self, base_url: str, headers: Mapping[str, str]) -> Plan:
        """See `Source.plan`."""
        names = RouteNames(known_routes(base_url, headers))
        urls = [_relative(given) for given in self._given]
        targets = tuple(Target("GET", names.name(url), (url,)) for url in dict.fromkeys(urls))
        return Plan(kind=self.kind, targets=targets)


def _relative(given: str) -> str:
    """Path and query: the app under test is where slowpath started it."""
    parts = urlsplit(given)
    path = parts.path or "/"
    return f"{path}?{parts.query}" if parts.query else path
