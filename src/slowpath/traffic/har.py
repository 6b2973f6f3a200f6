"""Traffic as a browser recorded it: the safe requests of a HAR file, in their order."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from slowpath.errors import UserError
from slowpath.traffic.plan import SAFE_METHODS, NotDriven, Plan, Target
from slowpath.traffic.routes import RouteNames, path_of
from slowpath.traffic.spec import known_routes

_NOT_REPLAYED = frozenset(
    # Of the connection, ours to set, or such that the app would have nothing to do (304).
    "host connection content-length transfer-encoding accept-encoding upgrade keep-alive te "
    "traceparent tracestate if-none-match if-modified-since if-range range".split()
)


class Har:
    """Replays the file against the app's own port; each user goes through it again and again."""

    kind = "har"

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._requests: list[dict[str, Any]] = []

    def check(self) -> None:
        """See `Source.check`."""
        try:
            entries = json.loads(self._path.read_text(encoding="utf-8-sig"))["log"]["entries"]
            requests = [entry["request"] for entry in entries]
            hosts = [urlsplit(request["url"]).netloc for request in requests]
            methods = [request["method"].upper() for request in requests]
        except OSError as exc:
            raise UserError(f"Cannot read the HAR file {self._path}: {exc.strerror}.") from exc
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise UserError(
                f"{self._path} is not a HAR file (an export of a browser's network panel): "
                f"{type(exc).__name__}: {exc}."
            ) from exc
        # The page that was recorded came first; what other hosts served is not the app's.
        self._requests = [
            request for request, host in zip(requests, hosts, strict=True) if host == hosts[0]
        ]
        if not SAFE_METHODS.intersection(methods):
            raise UserError(f"{self._path} holds no request with a safe method (GET or HEAD).")

    def plan(self, base_url: str, headers: Mapping[str, str]) -> Plan:
        """See `Source.plan`."""
        names = RouteNames(known_routes(base_url, headers))
        targets = []
        not_driven: dict[tuple[str, str], NotDriven] = {}
        for request in self._requests:
            method, name = request["method"].upper(), names.name(request["url"])
            if because := _reason_against(request):
                not_driven[method, name] = NotDriven(method, name, because)
                continue
            targets.append(Target(method, name, (_relative(request["url"]),), _headers(request)))
        if not targets:
            raise UserError(f"Nothing in {self._path} can be replayed.")
        return Plan(
            kind=self.kind,
            targets=tuple(targets),
            not_driven=tuple(not_driven.values()),
            in_order=True,
        )


def _reason_against(request: Mapping[str, Any]) -> str | None:
    if request["method"].upper() not in SAFE_METHODS:
        return "its method may change data"
    headers = {name.lower(): value for name, value in _pairs(request)}
    if "websocket" in headers.get("upgrade", "") or request["url"].startswith("ws"):
        return "a websocket is no request"
    if "event-stream" in headers.get("accept", ""):
        return "an event stream does not end"
    return None


def _headers(request: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: value
        for name, value in _pairs(request)
        if not name.startswith(":") and name.lower() not in _NOT_REPLAYED
    }


def _pairs(request: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(str(one["name"]), str(one["value"])) for one in request.get("headers", ())]


def _relative(url: str) -> str:
    query = urlsplit(url).query
    return f"{path_of(url)}?{query}" if query else path_of(url)
