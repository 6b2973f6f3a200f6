"""redis-py: commands and pipelines, connections, and waits for a blocking pool."""

import functools
import sys
from types import FrameType
from typing import Any, Callable, Dict, Tuple

from slowpath.probe import core, http, wire
from slowpath.probe.core import Line, local, now
from slowpath.probe.hook import Describe, Hook

#: Most connections whose checkout is known; one that is never returned would stay for ever.
MAX_OUT = 10_000

_WAIT = wire.SPAN_KINDS["pool_wait"]
_CHECKOUT = wire.SPAN_KINDS["checkout"]
_ASYNC = wire.SpanFlag.ASYNC
_FAILED = wire.SpanFlag.FAILED


class RedisHook(Hook):
    """The synchronous client, also in a cluster."""

    name = "redis"
    module = "redis"
    distribution = "redis"
    known = ((4, 6), (9,))
    client = "redis.Redis"

    def __init__(self) -> None:
        super().__init__()
        self._out: Dict[int, Tuple[int, int, int]] = {}  # connection: line, since, site

    def install(self, module: Any) -> None:
        self.watch("redis", self.timed, self.getting, self.returning, self.connecting)

    def watch(
        self,
        package: str,
        timed: Callable[[str, Describe], Callable[[Any], Any]],
        getting: Callable[[Any], Any],
        returning: Callable[[Any], Any],
        connecting: Callable[[Any], Any],
    ) -> None:
        """Patch the classes of one of redis-py's two halves with the wrappers of its kind."""
        client, connection, cluster = (
            sys.modules[f"{package}.{name}"] for name in ("client", "connection", "cluster")
        )
        # A pipeline's `execute_command` only queues, unless it watches keys.
        for owner, name in (
            (client.Redis, "execute_command"),
            (client.Pipeline, "immediate_execute_command"),
            (cluster.RedisCluster, "execute_command"),
        ):
            self.patch(owner, name, timed("cache", command))
        for owner in (client.Pipeline, cluster.ClusterPipeline):
            self.patch(owner, "execute", timed("cache", pipeline))
        # A client that is given a pool makes nothing; whatever else makes a pool does.
        made = self.client, -1, -1
        self.patch(
            connection.ConnectionPool,
            "__init__",
            self.timed("connect", lambda args, kwargs, result: made),
        )
        self.patch(connection.AbstractConnection, "connect", connecting)
        self.patch(connection.BlockingConnectionPool, "get_connection", getting)
        self.patch(connection.BlockingConnectionPool, "release", returning)

    def connecting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap `connect`, which every command calls; with a socket it has nothing to do."""
        timed = self.timed("connect", reached)(original)

        @functools.wraps(original)
        def connect(connection: Any, *args: Any, **kwargs: Any) -> Any:
            idle = getattr(connection, "_sock", None) is not None
            return (original if idle else timed)(connection, *args, **kwargs)

        return connect

    def getting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a blocking pool's `get_connection`."""

        @functools.wraps(original)
        def get_connection(pool: Any, *args: Any, **kwargs: Any) -> Any:
            line = local.here.line
            if line is None or not self.enabled:
                return original(pool, *args, **kwargs)
            empty = self.is_empty(pool)
            connection = None
            started = now()
            try:
                connection = original(pool, *args, **kwargs)
                return connection
            finally:
                self.got(pool, line, started, empty, connection, sys._getframe(1))

        return get_connection

    def returning(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a blocking pool's `release`: the hold ends as it begins."""

        @functools.wraps(original)
        def release(pool: Any, connection: Any, *args: Any, **kwargs: Any) -> Any:
            if self._out:
                self.returned(pool, connection)
            return original(pool, connection, *args, **kwargs)

        return release

    def is_empty(self, pool: Any) -> bool:
        """Tell whether a blocking pool has neither a connection nor the right to one left."""
        try:
            can_get = getattr(pool, "can_get_connection", None)  # asyncio's, from 5.0 on
            return not can_get() if can_get is not None else bool(pool.pool.empty())
        except Exception as exc:
            self.failed(exc)
            return False

    def got(
        self, pool: Any, line: Line, started: int, empty: bool, connection: Any, frame: FrameType
    ) -> None:
        """Record the wait, if there was one, and note who has the connection."""
        try:
            if not self.enabled:
                return
            since = now()
            site = core.own_site(frame)
            identity = id(connection) if connection is not None else -1
            if empty:
                flags = _FAILED if connection is None else 0
                size = pool.max_connections
                core.emit(_WAIT, line, started, since, site, place_of(pool), identity, size, flags)
            if connection is not None and len(self._out) < MAX_OUT:
                self._out[identity] = line.id, since, site
        except Exception as exc:
            self.failed(exc)

    def returned(self, pool: Any, connection: Any) -> None:
        """Record how long a connection was out."""
        try:
            noted = self._out.pop(id(connection), None)
            if noted is None or not self.enabled:
                return
            number, since, site = noted
            line = local.here.line
            core.record(
                _CHECKOUT,
                _ASYNC if line is None or line.paused > since else 0,
                local.here.number,
                number,
                site,
                core.text(place_of(pool)),
                since,
                now(),
                id(connection),
                pool.max_connections,
            )
        except Exception as exc:
            self.failed(exc)


class RedisAsyncioHook(RedisHook):
    """The asynchronous client."""

    name = "redis.asyncio"
    module = "redis.asyncio"
    client = "redis.asyncio.Redis"

    def install(self, module: Any) -> None:
        self.watch(
            "redis.asyncio",
            self.timed_async,
            self.getting_async,
            self.returning_async,
            self.connecting_async,
        )

    def connecting_async(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap `connect`, which every command calls; when connected it has nothing to do."""
        timed = self.timed_async("connect", reached)(original)

        @functools.wraps(original)
        async def connect(connection: Any, *args: Any, **kwargs: Any) -> Any:
            idle = getattr(connection, "is_connected", False)
            return await (original if idle else timed)(connection, *args, **kwargs)

        return connect

    def getting_async(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a blocking pool's `get_connection`."""

        @functools.wraps(original)
        async def get_connection(pool: Any, *args: Any, **kwargs: Any) -> Any:
            line = local.here.line
            if line is None or not self.enabled:
                return await original(pool, *args, **kwargs)
            empty = self.is_empty(pool)
            connection = None
            line.waits += 1
            started = now()
            try:
                connection = await original(pool, *args, **kwargs)
                return connection
            finally:
                line.waits -= 1
                self.got(pool, line, started, empty, connection, sys._getframe(1))

        return get_connection

    def returning_async(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a blocking pool's `release`: the hold ends as it begins."""

        @functools.wraps(original)
        async def release(pool: Any, connection: Any, *args: Any, **kwargs: Any) -> Any:
            if self._out:
                self.returned(pool, connection)
            return await original(pool, connection, *args, **kwargs)

        return release


def command(args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any) -> Tuple[str, int, int]:
    """Describe a command by its name."""
    name = args[1] if len(args) > 1 and isinstance(args[1], (str, bytes)) else ""
    size = len(result) if isinstance(result, (bytes, str)) else -1
    return f"{first_word(name)} {place_of(getattr(args[0], 'connection_pool', None))}", size, 1


def pipeline(args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any) -> Tuple[str, int, int]:
    """Describe a pipeline by the number of its answers."""
    count = len(result) if isinstance(result, list) else -1
    return f"PIPELINE {place_of(getattr(args[0], 'connection_pool', None))}", -1, count


def reached(args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any) -> Tuple[str, int, int]:
    """Describe the making of a connection, with its greeting."""
    connection = args[0]
    host, port, db, path = (
        getattr(connection, name, None) for name in ("host", "port", "db", "path")
    )
    return place(host, port, db, path), -1, -1


@functools.lru_cache(maxsize=256)
def first_word(name: "str | bytes") -> str:
    """Return the command alone: a key may follow it in one string."""
    text = name.decode("ascii", "replace") if isinstance(name, bytes) else name
    return text.partition(" ")[0][:24].upper()


def place_of(pool: Any) -> str:
    """Return `redis host:port/db` of a pool, or what stands for it."""
    if pool is None:
        return "redis cluster"
    get = pool.connection_kwargs.get
    service = getattr(pool, "service_name", None)
    if service:
        return f"redis sentinel {service}"
    return place(get("host"), get("port"), get("db"), get("path"))


@functools.lru_cache(maxsize=256)
def place(host: Any, port: Any, db: Any, path: Any) -> str:
    """Return `redis host:port/db`."""
    if path:
        return f"redis unix/{db or 0}"
    return f"redis {http.origin('redis', str(host or 'localhost'), port or 6379)}/{db or 0}"


HOOKS = (RedisHook, RedisAsyncioHook)
