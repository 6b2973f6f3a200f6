"""urllib3, which requests, botocore and many clients send through."""

import functools
import sys
from typing import Any, Callable, Dict, Tuple
from urllib.parse import urlsplit

from slowpath.probe import core, http, wire
from slowpath.probe.core import local, now
from slowpath.probe.hook import Hook

_WAIT = wire.SPAN_KINDS["http_pool_wait"]


class Urllib3Hook(Hook):
    """Calls that no other client makes, connections, and waits for a pool that blocks."""

    name = "urllib3"
    module = "urllib3"
    distribution = "urllib3"
    known = ((1, 26), (3,))

    def install(self, module: Any) -> None:
        pool = module.HTTPConnectionPool
        self.patch(pool, "urlopen", http.outermost(self.timed("http", opened)))
        self.patch(pool, "_get_conn", self.getting)
        for connection in (module.connection.HTTPConnection, module.connection.HTTPSConnection):
            self.patch(connection, "connect", self.timed("connect", connected))

    def getting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap `_get_conn`; a pool that does not block never makes anybody wait."""

        @functools.wraps(original)
        def get_conn(pool: Any, *args: Any, **kwargs: Any) -> Any:
            line = local.here.line
            connections = getattr(pool, "pool", None)  # None once it is closed
            if (
                line is None
                or not self.enabled
                or not getattr(pool, "block", False)
                or connections is None
                or not connections.empty()
            ):
                return original(pool, *args, **kwargs)
            flags = wire.SpanFlag.FAILED
            started = now()
            try:
                connection = original(pool, *args, **kwargs)
                flags = 0
                return connection
            finally:
                ended = now()
                try:
                    site = core.own_site(sys._getframe(1))
                    place = http.origin(pool.scheme, pool.host, pool.port)
                    limit = connections.maxsize
                    core.emit(_WAIT, line, started, ended, site, place, -1, limit, flags)
                except Exception as exc:
                    self.failed(exc)

        return get_conn


def connected(args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any) -> Tuple[str, int, int]:
    """Describe the making of a connection."""
    connection = args[0]
    kind, scheme = ("tls", "https") if connection.default_port == 443 else ("tcp", "http")
    return f"{kind} {http.origin(scheme, connection.host, connection.port)}", -1, -1


def opened(args: Tuple[Any, ...], kwargs: Dict[str, Any], response: Any) -> Tuple[str, int, int]:
    """Describe a call of `urlopen`."""
    pool = args[0]
    method = str(args[1] if len(args) > 1 else kwargs.get("method", ""))
    url = str(args[2] if len(args) > 2 else kwargs.get("url", ""))
    body = getattr(response, "_body", None)  # None where it is streamed
    place = http.origin(pool.scheme, pool.host, pool.port)
    return (
        http.resource(method, place, urlsplit(url).path or "/"),
        *http.answer(method, place + url, body if isinstance(body, bytes) else None),
    )


HOOKS = (Urllib3Hook,)
