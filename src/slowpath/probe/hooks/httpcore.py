"""httpcore, which httpx sends through: waiting for its pool, and making connections."""

import functools
import sys
from types import FrameType
from typing import Any, Callable, Dict, Tuple

from slowpath.probe import core, http, wire
from slowpath.probe.core import Line, local, now
from slowpath.probe.hook import Hook

_WAIT = wire.SPAN_KINDS["http_pool_wait"]


class HttpcoreHook(Hook):
    """A request that finds no connection free, and connections that are opened."""

    name = "httpcore"
    module = "httpcore"
    distribution = "httpcore"
    known = ((0, 17), (1, 1))

    def install(self, module: Any) -> None:
        pools = module._async.connection_pool, module._sync.connection_pool
        # Until 1.0.2 a waiting request was called a status.
        name = "PoolRequest" if hasattr(pools[1], "PoolRequest") else "RequestStatus"
        asynchronous = "Async" + name if hasattr(pools[0], "Async" + name) else name
        self.patch(getattr(pools[0], asynchronous), "wait_for_connection", self.waiting_async)
        self.patch(getattr(pools[1], name), "wait_for_connection", self.waiting)
        self.patch(
            module.AsyncHTTPConnection, "_connect", self.timed_async("connect", self.connected)
        )
        self.patch(module.HTTPConnection, "_connect", self.timed("connect", self.connected))

    def connected(
        self, args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any
    ) -> Tuple[str, int, int]:
        """Describe the making of a connection."""
        target = args[0]._origin
        kind = "tls" if target.scheme in (b"https", b"wss") else "tcp"
        return f"{kind} {place_of(target)}", -1, -1

    def waiting_async(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap `wait_for_connection`; a request that was given one at once is let through."""

        @functools.wraps(original)
        async def wait_for_connection(request: Any, *args: Any, **kwargs: Any) -> Any:
            line = local.here.line
            if line is None or not self.enabled or is_served(request):
                return await original(request, *args, **kwargs)
            flags = wire.SpanFlag.FAILED
            line.waits += 1
            started = now()
            try:
                result = await original(request, *args, **kwargs)
                flags = 0
                return result
            finally:
                ended = now()
                line.waits -= 1
                self.waited(line, started, ended, flags, request, sys._getframe(1))

        return wait_for_connection

    def waiting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap the synchronous `wait_for_connection` likewise."""

        @functools.wraps(original)
        def wait_for_connection(request: Any, *args: Any, **kwargs: Any) -> Any:
            line = local.here.line
            if line is None or not self.enabled or is_served(request):
                return original(request, *args, **kwargs)
            flags = wire.SpanFlag.FAILED
            started = now()
            try:
                result = original(request, *args, **kwargs)
                flags = 0
                return result
            finally:
                self.waited(line, started, now(), flags, request, sys._getframe(1))

        return wait_for_connection

    def waited(
        self, line: Line, started: int, ended: int, flags: int, request: Any, frame: FrameType
    ) -> None:
        """Record a wait; `frame` is that of the pool's method, the only one to know the pool."""
        try:
            pool = frame.f_locals.get("self")
            limit = getattr(pool, "_max_connections", -1)
            place = place_of(request.request.url.origin)
            core.emit(_WAIT, line, started, ended, core.own_site(frame), place, -1, limit, flags)
        except Exception as exc:
            self.failed(exc)


def is_served(request: Any) -> bool:
    """Tell whether a request has been given a connection, so that it need not wait."""
    return getattr(request, "connection", None) is not None


def place_of(origin: Any) -> str:
    """Return host and port of httpcore's `Origin`, whose parts are bytes."""
    return http.origin(origin.scheme.decode("ascii"), origin.host.decode("ascii"), origin.port)


HOOKS = (HttpcoreHook,)
