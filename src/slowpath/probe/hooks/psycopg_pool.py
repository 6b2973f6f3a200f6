"""psycopg_pool: waiting for a connection, and how long it is held."""

import functools
import sys
from typing import Any, Callable, Tuple

from slowpath.probe import core, wire
from slowpath.probe.core import FLOOR_NS, Line, local, now
from slowpath.probe.hook import Hook
from slowpath.probe.hooks.psycopg import note_of, noted, where
from slowpath.probe.pools import Held, flag_of
from slowpath.probe.sql import is_covered

_POOL_WAIT = wire.SPAN_KINDS["pool_wait"]


class PsycopgPoolHook(Hook):
    """`getconn` and `putconn` of both pools, which `connection()` calls too."""

    name = "psycopg_pool"
    module = "psycopg_pool"
    distribution = "psycopg-pool"
    known = ((3, 1), (3, 4))

    def install(self, module: Any) -> None:
        self.patch(module.ConnectionPool, "getconn", self.getting)
        self.patch(module.ConnectionPool, "putconn", self.putting)
        self.patch(module.AsyncConnectionPool, "getconn", self.getting_async)
        self.patch(module.AsyncConnectionPool, "putconn", self.putting_async)

    def getting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap `ConnectionPool.getconn`."""

        @functools.wraps(original)
        def getconn(pool: Any, *args: Any, **kwargs: Any) -> Any:
            line = local.here.line
            if line is None or not self.enabled or is_covered(line):
                return original(pool, *args, **kwargs)
            flags = 0
            connection = None
            line.waits += 1
            started = now()
            try:
                connection = original(pool, *args, **kwargs)
                return connection
            except BaseException as exc:
                flags = flag_of(exc)
                raise
            finally:
                ended = now()
                line.waits -= 1
                self.got(line, started, ended, flags, pool, connection)

        return getconn

    def getting_async(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap `AsyncConnectionPool.getconn`."""

        @functools.wraps(original)
        async def getconn(pool: Any, *args: Any, **kwargs: Any) -> Any:
            line = local.here.line
            if line is None or not self.enabled or is_covered(line):
                return await original(pool, *args, **kwargs)
            flags = 0
            connection = None
            line.waits += 1
            started = now()
            try:
                connection = await original(pool, *args, **kwargs)
                return connection
            except BaseException as exc:
                flags = flag_of(exc)
                raise
            finally:
                ended = now()
                line.waits -= 1
                self.got(line, started, ended, flags, pool, connection)

        return getconn

    def got(
        self, line: Line, started: int, ended: int, flags: int, pool: Any, connection: Any
    ) -> None:
        """Record the wait, if it was one; note who holds the connection."""
        try:
            site = core.own_site(sys._getframe(2))
            capacity = pool.max_size
            number = -1
            if connection is not None:
                held = note_of(connection, capacity)
                held.capacity = capacity
                held.line, held.since, held.site = line.id, ended, site
                number = held.number
            if ended - started >= FLOOR_NS and (line.paused > started or line.is_job or flags):
                name = where(connection) if connection is not None else "psycopg"
                core.emit(_POOL_WAIT, line, started, ended, site, name, number, capacity, flags)
        except Exception as exc:
            self.failed(exc)

    def putting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap `ConnectionPool.putconn`."""

        @functools.wraps(original)
        def putconn(pool: Any, conn: Any, *args: Any, **kwargs: Any) -> None:
            note, holding = self.taken(conn)
            try:
                original(pool, conn, *args, **kwargs)
            finally:
                self.released(note, holding)

        return putconn

    def putting_async(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap `AsyncConnectionPool.putconn`."""

        @functools.wraps(original)
        async def putconn(pool: Any, conn: Any, *args: Any, **kwargs: Any) -> None:
            note, holding = self.taken(conn)
            try:
                await original(pool, conn, *args, **kwargs)
            finally:
                self.released(note, holding)

        return putconn

    def taken(self, connection: Any) -> Tuple[Any, Any]:
        """Return what is to be told once a connection is back: `released` does."""
        try:
            held = noted.get(connection)
            if self.enabled and held is not None and held.line:
                return held, held.take()
        except Exception as exc:
            self.failed(exc)
        return None, ()

    def released(self, held: "Held | None", holding: Any) -> None:
        """Record that a connection has gone back."""
        if held is not None and self.enabled:
            try:
                for interval in holding:
                    held.over(*interval)
            except Exception as exc:
                self.failed(exc)


HOOKS = (PsycopgPoolHook,)
