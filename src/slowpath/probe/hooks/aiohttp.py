"""aiohttp's client: calls, waits for its connector, connections, sessions made in passing."""

import functools
import sys
from typing import Any, Callable, Dict, Tuple

from slowpath.probe import http
from slowpath.probe.hook import Hook


class AiohttpHook(Hook):
    """A call is two spans: one until its headers have come, one until its body has.

    Only the second tells hash and size; what the app does between the two is its own.
    """

    name = "aiohttp.client"
    module = "aiohttp"
    distribution = "aiohttp"
    known = ((3, 9), (3, 15))

    def install(self, module: Any) -> None:
        connectors = module.connector
        self.patch(module.ClientSession, "_request", self.timed_async("http", asked))
        self.patch(module.ClientResponse, "read", self.reading)
        self.patch(module.ClientSession, "__init__", self.timed("connect", made))
        connector = connectors.BaseConnector
        if hasattr(connector, "_wait_for_available_connection"):
            waits = self.timed_async("http_pool_wait", queued)
            self.patch(connector, "_wait_for_available_connection", waits)
        else:  # until 3.10.0
            self.patch(connector, "connect", self.queueing)
        for connector in (connectors.TCPConnector, connectors.UnixConnector):
            connects = self.timed_async("connect", connected)
            self.patch(connector, "_create_connection", connects)

    def reading(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap `read`, which `json` and `text` call; the second reading is from memory."""
        timed = self.timed_async("http", answered)(original)

        @functools.wraps(original)
        async def read(response: Any) -> Any:
            return await (timed if getattr(response, "_body", None) is None else original)(response)

        return read

    def queueing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap `connect` where waiting is a part of it."""
        timed = self.timed_async("http_pool_wait", queued_in_connect)(original)

        @functools.wraps(original)
        async def connect(connector: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
            free = True
            try:
                key = request.connection_key
                free = connector._available_connections(key) > 0 and key not in connector._waiters
            except Exception as exc:
                self.failed(exc)
            return await (original if free else timed)(connector, request, *args, **kwargs)

        return connect


def made(args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any) -> Tuple[str, int, int]:
    """Describe the making of a session."""
    return "aiohttp.ClientSession", -1, -1


def asked(args: Tuple[Any, ...], kwargs: Dict[str, Any], response: Any) -> Tuple[str, int, int]:
    """Describe a call of `_request`: by its response, else by what was asked for."""
    if response is not None:
        return named(response), -1, -1
    session, method, given = (*args, "", "")[:3]
    if not given:
        return "", -1, -1
    base = getattr(session, "_base_url", None)
    try:
        url = sys.modules["yarl"].URL(given)
        if base is not None and not url.absolute:
            url = base.join(url)
    except (TypeError, ValueError):  # what aiohttp refuses, too
        return "", -1, -1
    place = http.origin(url.scheme, url.host or "", url.port)
    return http.resource(str(method).upper(), place, url.path), -1, -1


def answered(args: Tuple[Any, ...], kwargs: Dict[str, Any], body: Any) -> Tuple[str, int, int]:
    """Describe the reading of a response."""
    response = args[0]
    whole = body if isinstance(body, bytes) else None
    return named(response), *http.answer(response.method, str(response.url), whole)


def named(response: Any) -> str:
    """Return the resource of the call that led to a response, before any redirect."""
    first = response.history[0] if response.history else response
    url = first.url
    return http.resource(first.method, http.origin(url.scheme, url.host or "", url.port), url.path)


def connected(args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any) -> Tuple[str, int, int]:
    """Describe the making of a connection."""
    key = args[1].connection_key
    return f"{'tls' if key.is_ssl else 'tcp'} {place_of(key)}", -1, -1


def queued(args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any) -> Tuple[str, int, int]:
    """Describe a wait for a place in a connector; no limit is told as 0."""
    connector, key = args[:2]
    return place_of(key), -1, connector._limit_per_host or connector._limit or -1


def queued_in_connect(
    args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any
) -> Tuple[str, int, int]:
    """Describe the same where it is a part of `connect`."""
    return queued((args[0], args[1].connection_key), kwargs, result)


def place_of(key: Any) -> str:
    """Return host and port of a `ConnectionKey`."""
    return http.origin("https" if key.is_ssl else "http", key.host, key.port)


HOOKS = (AiohttpHook,)
