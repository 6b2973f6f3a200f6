"""Traffic from the app's OpenAPI description: every safe endpoint that can be filled in."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from slowpath.errors import UserError
from slowpath.traffic import schema
from slowpath.traffic.plan import NotDriven, Plan, Target
from slowpath.traffic.spec import Endpoint, Parameter, Spec, fetch, harmful_word
from slowpath.traffic.values import KnownValues

URLS_PER_ENDPOINT = 50
TRIES_PER_ENDPOINT = 3
ANSWER_TIMEOUT_S = 30.0
BODY_TIMEOUT_S = 10.0
"""A body that takes longer than this, with nobody else there, is taken for an endless stream."""
BODY_LIMIT = 2_000_000
"""Bytes of an answer that are searched for ids."""
EXPLORE_TIMEOUT_S = 90.0

NOT_ABOUT_VALUES = frozenset({401, 403, 429})

Filling = dict[str, Any]


class OpenApi:
    """Reads `/openapi.json`, asks each safe endpoint once, and drives those that answer."""

    kind = "openapi"

    def check(self) -> None:
        """Nothing can be said before the app runs."""

    def plan(self, base_url: str, headers: Mapping[str, str]) -> Plan:
        """Explore the running app; see `Source.plan`."""
        with httpx.Client(
            base_url=base_url,
            headers=dict(headers),
            timeout=httpx.Timeout(ANSWER_TIMEOUT_S, connect=5.0),
            trust_env=False,
            verify=False,
        ) as client:
            spec = fetch(client)
            return Explorer(spec, client).explore()


class Explorer:
    """Finds out which endpoints can be driven, and with which values."""

    def __init__(self, spec: Spec, client: httpx.Client) -> None:
        self._spec = spec
        self._client = client
        self._known = KnownValues()
        self._targets: list[Target] = []
        self._not_driven: list[NotDriven] = []

    def explore(self) -> Plan:
        """Ask the endpoints in an order in which one's answers fill the next one's path.

        Raises:
            UserError: there is no safe endpoint, or none that can be driven.
        """
        if not self._spec.endpoints:
            raise UserError(
                f"{self._spec.source} lists no endpoint with a safe method (GET or HEAD). "
                "Say what to send: --traffic locust:FILE can send anything."
            )
        waiting = [
            endpoint for endpoint in self._spec.endpoints if not self._is_ruled_out(endpoint)
        ]
        deadline = time.monotonic() + EXPLORE_TIMEOUT_S
        while waiting:
            # Those whose values are known come before those that would have to be guessed.
            endpoint = next((one for one in waiting if self._is_known(one)), waiting[0])
            waiting.remove(endpoint)
            self._add(endpoint, ask=time.monotonic() < deadline)
        if not self._targets:
            reasons = "\n".join(
                f"{one.method} {one.route}: {one.because}" for one in self._not_driven
            )
            raise UserError("No endpoint of the app can be driven:", reasons)
        return Plan(
            kind=OpenApi.kind,
            targets=tuple(sorted(self._targets, key=lambda target: (target.name, target.method))),
            not_driven=tuple(self._not_driven),
        )

    def _is_ruled_out(self, endpoint: Endpoint) -> bool:
        if word := harmful_word(endpoint.path):
            self._leave_out(endpoint, f"“{word}” in its path looks destructive")
        elif endpoint.is_event_stream:
            self._leave_out(endpoint, "an event stream does not end")
        elif needed := self._missing_header(endpoint):
            self._leave_out(endpoint, f"it needs {needed}; give it with --header")
        else:
            return False
        return True

    def _missing_header(self, endpoint: Endpoint) -> str | None:
        for parameter in endpoint.parameters:
            if not parameter.required:
                continue
            if parameter.where == "cookie":
                return f"the cookie {parameter.name}"
            if parameter.where == "header" and parameter.name not in self._client.headers:
                return f"the header {parameter.name}"
        return None

    def _leave_out(self, endpoint: Endpoint, because: str) -> None:
        self._not_driven.append(NotDriven(endpoint.method, endpoint.path, because))

    def _is_known(self, endpoint: Endpoint) -> bool:
        return all(
            self._values(parameter, endpoint, filling)[1]
            for parameter in endpoint.to_fill
            for filling in [next(self._fillings(endpoint, upto=parameter), {})]
        )

    def _values(
        self, parameter: Parameter, endpoint: Endpoint, filling: Filling
    ) -> tuple[list[Any], bool]:
        """Values to try for a parameter, and whether the app itself spoke of them."""
        in_path = parameter.where == "path"
        prefix = endpoint.path.partition("{" + parameter.name + "}")[0] if in_path else ""
        known = self._known.offer(parameter.name, prefix, filling)
        if known == []:
            return [], True
        offered = [
            value
            for value in known or ()
            if schema.fits(value, parameter.schema, self._spec.resolve)
        ]
        stated = parameter.examples + schema.stated(parameter.schema, self._spec.resolve)
        # In a query, the description knows better than a field that happens to be called so.
        for values in (offered, stated) if in_path else (stated, offered):
            if values:
                return values, True
        value = schema.guess(parameter.schema, self._spec.resolve)
        return ([] if value is None else [value]), False

    def _fillings(self, endpoint: Endpoint, upto: Parameter | None = None) -> Iterator[Filling]:
        """Combinations of values, each consistent: orders of user 3 only under user 3."""
        # As many of each parameter as give the wanted number together.
        breadth = math.ceil(URLS_PER_ENDPOINT ** (1 / max(1, len(endpoint.to_fill))))

        def fill(parameters: tuple[Parameter, ...], filling: Filling) -> Iterator[Filling]:
            if not parameters or parameters[0] is upto:
                yield filling
                return
            for value in self._values(parameters[0], endpoint, filling)[0][:breadth]:
                yield from fill(parameters[1:], {**filling, parameters[0].name: value})

        yield from fill(endpoint.to_fill, {})

    def _add(self, endpoint: Endpoint, ask: bool) -> None:
        fillings = list(itertools.islice(self._fillings(endpoint), URLS_PER_ENDPOINT))
        if not fillings:
            names = " and ".join(
                f"{{{parameter.name}}}"
                for parameter in endpoint.to_fill
                if not self._values(parameter, endpoint, {})[0]
            )
            self._leave_out(endpoint, f"no value is known for {names or 'its parameters'}")
            return
        if ask and (because := self._try(endpoint, fillings)):
            self._leave_out(endpoint, because)
            return
        urls = tuple(dict.fromkeys(_url(endpoint, filling) for filling in fillings))
        self._targets.append(Target(endpoint.method, endpoint.path, urls))

    def _try(self, endpoint: Endpoint, fillings: list[Filling]) -> str | None:
        """Ask the endpoint and learn from its answer; tells why it cannot be driven, if so."""
        # The first user may have no orders, and an order is wanted for the next endpoint.
        is_parent = any(
            other.path.startswith(endpoint.path.rstrip("/") + "/{")
            for other in self._spec.endpoints
        )
        status, answered = 0, False
        for filling in fillings[:TRIES_PER_ENDPOINT]:
            try:
                status, answer = self._get(endpoint, filling)
            except EndlessError as exc:
                return str(exc)
            except httpx.HTTPError as exc:
                return f"it did not answer ({type(exc).__name__})"
            path_values = {
                parameter.name: filling[parameter.name]
                for parameter in endpoint.to_fill
                if parameter.where == "path"
            }
            if status < 400:
                answered = True
                if self._known.learn(endpoint.path, path_values, answer) or not is_parent:
                    break
        if answered:
            return None
        if status in NOT_ABOUT_VALUES or status >= 500 or not endpoint.to_fill:
            # Whoever reads the report shall see these.
            return None
        return f"it answers {status} to the values that were tried"

    def _get(self, endpoint: Endpoint, filling: Filling) -> tuple[int, Any]:
        with self._client.stream(endpoint.method, _url(endpoint, filling)) as response:
            began = time.monotonic()
            if "text/event-stream" in response.headers.get("content-type", ""):
                raise EndlessError("an event stream does not end")
            body = b""
            for chunk in response.iter_bytes():
                if len(body) < BODY_LIMIT:
                    body += chunk
                if time.monotonic() - began > BODY_TIMEOUT_S:
                    raise EndlessError(f"its body did not end within {BODY_TIMEOUT_S:g} s")
        if "json" not in response.headers.get("content-type", "") or len(body) > BODY_LIMIT:
            return response.status_code, None
        try:
            return response.status_code, httpx.Response(200, content=body).json()
        except ValueError:
            return response.status_code, None


class EndlessError(Exception):
    """The answer of an endpoint that never ends."""


def _url(endpoint: Endpoint, filling: Filling) -> str:
    path = endpoint.url_path
    query = []
    for parameter in endpoint.to_fill:
        value = filling[parameter.name]
        if parameter.where == "query":
            query.append((parameter.name, _spelled(value)))
        else:
            path = path.replace("{" + parameter.name + "}", quote(str(_spelled(value)), safe=""))
    return f"{path}?{urlencode(query, doseq=True)}" if query else path


def _spelled(value: Any) -> Any:
    """A value as a URL has it: `true`, not Python's `True`."""
    if isinstance(value, list):
        return [_spelled(element) for element in value]
    return str(value).lower() if isinstance(value, bool) else value
