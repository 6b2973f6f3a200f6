"""psycopg 3, used by itself: statements, connections and transactions, sync and asyncio."""

import functools
import sys
from typing import Any, Callable, Dict, Tuple
from weakref import WeakKeyDictionary

from slowpath.probe import core
from slowpath.probe.core import FLOOR_NS, Line
from slowpath.probe.drivers import Describe, DriverHook, argument, count
from slowpath.probe.pools import Held
from slowpath.probe.sql import fingerprint

#: `transaction_status` of a connection with no transaction.
_IDLE = 0
#: What is noted of connections, by connection.
noted: "WeakKeyDictionary[Any, Held]" = WeakKeyDictionary()


def where(connection: Any) -> str:
    """Return what a connection's pool is called: host and database."""
    info = connection.info
    host = info.host
    return f"psycopg {'socket' if host.startswith('/') else host}/{info.dbname}"


def note_of(connection: Any, capacity: int = -1) -> Held:
    """Return what is noted of a connection, which is made at first use."""
    held = noted.get(connection)
    if held is None:
        held = noted[connection] = Held(where(connection), capacity)
    return held


def shape_of(query: Any) -> str:
    """Return the fingerprint of a query; a composed one is told by its parts' text."""
    if isinstance(query, (str, bytes)):
        return fingerprint(query)
    try:
        return fingerprint(query.as_string(None))
    except Exception:  # what cannot be told without a connection
        return fingerprint(query)


def statement(args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any) -> Tuple[str, int, int]:
    """Describe a cursor's `execute` or `executemany`."""
    cursor = args[0]
    rows = cursor.rowcount
    number = note_of(cursor.connection).number
    return shape_of(argument(args, kwargs, 1, "query")), rows, number


def fetched(args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any) -> Tuple[str, int, int]:
    """Describe one of a cursor's fetches."""
    return "", count(result), note_of(args[0].connection).number


def connected(args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any) -> Tuple[str, int, int]:
    """Describe a handshake."""
    return ("psycopg", -1, -1) if result is None else (where(result), note_of(result).number, -1)


def round_trip(what: str) -> Callable[..., Tuple[str, int, int]]:
    """Return what describes a `commit` or `rollback`."""

    def describe(
        args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any
    ) -> Tuple[str, int, int]:
        return what, -1, note_of(args[0]).number

    return describe


def both(outer: Any, inner: Any) -> Callable[[Any], Any]:
    """Return a maker of a wrapper around a wrapper."""
    return lambda original: outer(inner(original))


class PsycopgHook(DriverHook):
    """Cursors and connections, server-side and client-binding cursors included."""

    name = "psycopg"
    module = "psycopg"
    distribution = "psycopg"
    known = ((3, 1), (3, 4))

    def install(self, module: Any) -> None:
        for cursors, connection, telling, ending in (
            (
                (module.Cursor, module.ServerCursor),
                module.Connection,
                self.telling,
                self.ending,
            ),
            (
                (module.AsyncCursor, module.AsyncServerCursor),
                module.AsyncConnection,
                self.telling_async,
                self.ending_async,
            ),
        ):
            for kind in cursors:
                for name in ("execute", "executemany"):
                    self.patch(kind, name, telling("sql", statement))
                for name in ("fetchmany", "fetchall"):
                    self.patch(kind, name, telling("fetch", fetched, FLOOR_NS))
            for name, what in (("commit", "COMMIT"), ("rollback", "ROLLBACK")):
                told = telling("sql", round_trip(what), FLOOR_NS)
                self.patch(connection, name, both(ending, told))
        for transaction, ending, leave in (
            (module.Transaction, self.ending, "__exit__"),
            (module.AsyncTransaction, self.ending_async, "__aexit__"),
        ):
            self.patch(transaction, leave, ending)
        self.patch(module.Connection, "connect", self.telling("connect", connected))
        self.patch(module.AsyncConnection, "connect", self.telling_async("connect", connected))
        # A name bound to the class method as it was.
        self.patch(module, "connect", lambda original: module.Connection.connect)

    def tell(
        self,
        code: int,
        line: Line,
        started: int,
        ended: int,
        flags: int,
        describe: Describe,
        args: Tuple[Any, ...],
        kwargs: Dict[str, Any],
        result: Any,
    ) -> None:
        """Record a span of a call; a statement outside of a transaction may have begun one."""
        try:
            resource, a, b = describe(args, kwargs, result)
            site = core.own_site(sys._getframe(2))
            core.emit(code, line, started, ended, site, resource, a, b, flags)
            if describe is statement:
                connection = args[0].connection
                held = note_of(connection)
                if not held.began and connection.pgconn.transaction_status != _IDLE:
                    held.begin(line, started, site)
        except Exception as exc:
            self.failed(exc)

    def ended(self, owner: Any) -> None:
        """Record the transaction of a connection, or of a `Transaction`, if it is over."""
        if self.enabled:
            try:
                connection = getattr(owner, "connection", owner)
                held = noted.get(connection)
                if held is not None and connection.pgconn.transaction_status == _IDLE:
                    held.end()
            except Exception as exc:
                self.failed(exc)

    def ending(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap what may end a transaction."""

        @functools.wraps(original)
        def end(owner: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return original(owner, *args, **kwargs)
            finally:
                self.ended(owner)

        return end

    def ending_async(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap what may end a transaction, in asyncio."""

        @functools.wraps(original)
        async def end(owner: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return await original(owner, *args, **kwargs)
            finally:
                self.ended(owner)

        return end


HOOKS = (PsycopgHook,)
