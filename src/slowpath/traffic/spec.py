"""The safe endpoints of an OpenAPI description (3.x, or Swagger 2)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from slowpath.errors import UserError
from slowpath.traffic.plan import SAFE_METHODS
from slowpath.traffic.schema import Schema

USUAL_PLACES = (
    "/openapi.json",
    "/api/openapi.json",
    "/api/v1/openapi.json",
    "/v1/openapi.json",
    "/schema/openapi.json",
    "/swagger.json",
)
PAGES = ("/docs", "/redoc", "/api/docs")
"""Pages that show a description, and so name the place where it is."""

PREFIX_TRIES = 3
"""So many endpoints are asked for, to see under which prefix they are."""

DESTRUCTIVE = frozenset(
    "delete remove destroy drop purge erase wipe truncate clear flush reset logout signout logoff "
    "unsubscribe revoke invalidate deactivate disable cancel kill terminate shutdown stop restart "
    "reboot uninstall rollback".split()
)

INSTEAD = (
    "Say what to send: --traffic url:/path,/other or har:FILE or locust:FILE, "
    "or none to click yourself."
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an endpoint; `where` is path, query, header or cookie."""

    name: str
    where: str
    required: bool
    schema: Schema
    examples: list[Any]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One safe operation.

    Attributes:
        path: the route template, as in the description.
        url_path: the template with the prefix under which the app serves it.
    """

    method: str
    path: str
    url_path: str
    parameters: tuple[Parameter, ...]
    is_event_stream: bool

    @property
    def to_fill(self) -> tuple[Parameter, ...]:
        """The parameters a URL needs: those of the path, in its order, and required queries."""
        in_path = [one for one in self.parameters if one.where == "path"]
        in_path.sort(key=lambda one: self.path.find("{" + one.name + "}"))
        return (
            *in_path,
            *(one for one in self.parameters if one.where == "query" and one.required),
        )


class Spec:
    """A description, by whatever version of the format.

    Args:
        source: where it was found, for messages.
    """

    def __init__(self, content: Mapping[str, Any], source: str, prefix: str = "") -> None:
        self._content = content
        self.source = source
        self.endpoints = tuple(self._endpoints(prefix))

    @property
    def routes(self) -> tuple[str, ...]:
        """All route templates, those of unsafe methods too."""
        return tuple(self._content["paths"])

    def resolve(self, schema: Schema) -> Schema:
        """Follow `$ref`s within the description; one that leads nowhere allows anything."""
        for _ in range(20):
            reference = schema.get("$ref") if isinstance(schema, Mapping) else None
            if not isinstance(reference, str):
                return schema if isinstance(schema, Mapping) else {}
            target: Any = self._content
            for part in reference.removeprefix("#/").split("/"):
                part = part.replace("~1", "/").replace("~0", "~")
                target = target.get(part, {}) if isinstance(target, Mapping) else {}
            schema = {**target, **{key: schema[key] for key in schema if key != "$ref"}}
        return {}

    def _endpoints(self, prefix: str) -> Iterator[Endpoint]:
        paths = self._content.get("paths")
        for path, item in (paths if isinstance(paths, Mapping) else {}).items():
            item = self.resolve(item)
            for method in sorted(SAFE_METHODS):
                operation = item.get(method.lower())
                if not isinstance(operation, Mapping):
                    continue
                listed = [*item.get("parameters", ()), *operation.get("parameters", ())]
                # An operation's own parameter replaces that of its path.
                parameters = {(one.name, one.where): one for one in map(self._parameter, listed)}
                for name in re.findall(r"\{([^{}]+)\}", path):
                    absent = Parameter(name, "path", True, {"type": "string"}, [])
                    parameters.setdefault((name, "path"), absent)
                yield Endpoint(
                    method=method,
                    path=path,
                    url_path=prefix + path,
                    parameters=tuple(parameters.values()),
                    is_event_stream=self._is_event_stream(operation),
                )

    def _parameter(self, parameter: Schema) -> Parameter:
        parameter = self.resolve(parameter)
        # In Swagger 2 the parameter is its own schema.
        schema = parameter.get("schema", parameter)
        examples = [parameter["example"]] if "example" in parameter else []
        named = parameter.get("examples", {})
        for one in named.values() if isinstance(named, Mapping) else ():
            if isinstance(one, Mapping) and "value" in one:
                examples.append(one["value"])
        where = str(parameter.get("in", "query"))
        required = where == "path" or bool(parameter.get("required"))
        return Parameter(str(parameter.get("name")), where, required, schema, examples)

    def _is_event_stream(self, operation: Schema) -> bool:
        answers = operation.get("responses", {})
        kinds = [
            kind
            for status, answer in answers.items()
            if str(status).startswith("2")
            for kind in self.resolve(answer).get("content", {})
        ]
        return bool(kinds) and all("event-stream" in kind for kind in kinds)


def fetch(client: httpx.Client) -> Spec:
    """Find the app's description and read it.

    Raises:
        UserError: there is none, it may not be read, or it is no OpenAPI.
    """
    statuses: dict[str, int] = {}
    for place in _places(client):
        try:
            answer = client.get(place, follow_redirects=True)
        except httpx.HTTPError as exc:
            raise UserError(
                f"The app did not answer {place} ({type(exc).__name__}). {INSTEAD}"
            ) from exc
        statuses[place] = answer.status_code
        if answer.status_code == 200 and (spec := _read(client, answer, place)):
            return spec
    first = statuses[USUAL_PLACES[0]]
    if first in (401, 403):
        raise UserError(
            f"{USUAL_PLACES[0]} asks for authentication (status {first}). "
            "Send what it needs with --header 'Authorization: …'."
        )
    if first == 200:
        raise UserError(f"{USUAL_PLACES[0]} is not an OpenAPI description in JSON. {INSTEAD}")
    raise UserError(
        f"The app has no OpenAPI description: {USUAL_PLACES[0]} answers {first}. {INSTEAD}"
    )


def _places(client: httpx.Client) -> Iterator[str]:
    yield from USUAL_PLACES
    for page in PAGES:
        try:
            text = client.get(page, follow_redirects=True).text
        except httpx.HTTPError:
            continue
        for found in re.findall(
            r"""["']([^"'\s<>]*(?:openapi|swagger)[^"'\s<>]*\.json)["']""", text
        ):
            if not urlsplit(found).netloc:
                yield urljoin(page, found)


def _read(client: httpx.Client, answer: httpx.Response, place: str) -> Spec | None:
    try:
        content = answer.json()
    except ValueError:
        return None
    if not isinstance(content, Mapping) or not isinstance(content.get("paths"), Mapping):
        return None
    return Spec(content, place, _prefix(client, content, place))


def _prefix(client: httpx.Client, content: Mapping[str, Any], place: str) -> str:
    """The path under which the endpoints are served.

    The description may name it, or name what only a proxy adds (FastAPI's `root_path`), or not
    know it (an app that mounts another and shows its description): a few endpoints that need no
    parameter tell.
    """
    servers = content.get("servers")
    server = servers[0].get("url", "") if isinstance(servers, list) and servers else ""
    named = (urlsplit(str(server)).path or str(content.get("basePath", ""))).rstrip("/")
    paths = [
        path
        for path, item in content["paths"].items()
        if "{" not in path
        and isinstance(item, Mapping)
        and "get" in item
        and not harmful_word(path)
    ][:PREFIX_TRIES]
    beside = [one.rpartition("/")[0] for one in (place, *USUAL_PLACES)]
    for prefix in dict.fromkeys(("", named, *beside)):
        if any(_serves(client, prefix + path) for path in paths):
            return prefix
    return ""


def _serves(client: httpx.Client, path: str) -> bool:
    """Whether there is an endpoint, rather than nothing or a page that is shown for any path."""
    try:
        with client.stream("GET", path) as answer:
            is_page = answer.headers.get("content-type", "").startswith("text/html")
            return answer.status_code != 404 and not is_page
    except httpx.HTTPError:
        return False


def harmful_word(path: str) -> str | None:
    """The word in an endpoint's path that lets one fear for the app's data, if there is one."""
    words = re.findall(r"[a-z]+", re.sub(r"\{[^}]*\}|([a-z])(?=[A-Z])", r"\1 ", path).lower())
    return min(DESTRUCTIVE.intersection(words), default=None)


def known_routes(base_url: str, headers: Mapping[str, str]) -> tuple[str, ...]:
    """The route templates of the app's description; none if it has no description."""
    with httpx.Client(
        base_url=base_url, headers=dict(headers), timeout=10.0, trust_env=False, verify=False
    ) as client:
        try:
            return fetch(client).routes
        except UserError:
            return ()
