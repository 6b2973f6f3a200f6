"""asyncpg, used by itself: statements, connections, its pool and its transactions."""

import functools
import sys
from typing import Any, Callable, Dict, Tuple
from weakref import WeakKeyDictionary

from slowpath.probe import core, wire
from slowpath.probe.core import FLOOR_NS, Line, local, now
from slowpath.probe.drivers import DriverHook, argument, count
from slowpath.probe.pools import Held, flag_of
from slowpath.probe.sql import fingerprint, is_covered

_POOL_WAIT = wire.SPAN_KINDS["pool_wait"]
#: What is noted of connections, by connection.
_noted: "WeakKeyDictionary[Any, Held]" = WeakKeyDictionary()


def where(connection: Any) -> str:
    """Return what a connection's pool is called: host and database."""
    address = connection._addr
    host = address[0] if isinstance(address, tuple) else "socket"
    return f"asyncpg {host}/{connection._params.database}"


def note_of(connection: Any, capacity: int = -1) -> Held:
    """Return what is noted of a connection, which is made at first use."""
    held = _noted.get(connection)
    if held is None:
        held = _noted[connection] = Held(where(connection), capacity)
    return held


def statement(args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any) -> Tuple[str, int, int]:
    """Describe a call of a connection's method that takes SQL."""
    shape = fingerprint(argument(args, kwargs, 1, "query"))
    return shape, rows_of(result), note_of(args[0]).number


def one_value(args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any) -> Tuple[str, int, int]:
    """Describe `fetchval`, whose result does not tell whether there was a row."""
    return statement(args, kwargs, ())


def prepared(args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any) -> Tuple[str, int, int]:
    """Describe a call of a prepared statement's or a cursor's method."""
    owner = args[0]
    return fingerprint(owner._query), rows_of(result), note_of(owner._connection).number


def copying(args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any) -> Tuple[str, int, int]:
    """Describe a COPY; its statement names the table and so does not tell one from another."""
    return "COPY", rows_of(result), note_of(args[0]).number


def returning(args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any) -> Tuple[str, int, int]:
    """Describe a connection's way back to the pool, which resets it on the server."""
    return "RESET", -1, -1


def connected(args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any) -> Tuple[str, int, int]:
    """Describe a handshake."""
    if result is None:
        return "asyncpg", -1, -1
    return where(result), note_of(result).number, -1


def rows_of(result: Any) -> int:
    """Return the rows of a result: a list, a record, None, or a status such as `UPDATE 3`."""
    if isinstance(result, str):
        last = result.rpartition(" ")[2]
        return int(last) if last.isdigit() else -1
    return -1 if isinstance(result, tuple) and not result else count(result)


class AsyncpgHook(DriverHook):
    """Connections, prepared statements, cursors, transactions and pools."""

    name = "asyncpg"
    module = "asyncpg"
    distribution = "asyncpg"
    known = ((0, 27), (0, 33))

    def install(self, module: Any) -> None:
        connection = module.connection.Connection
        told = self.telling_async("sql", statement)
        for name in ("execute", "executemany", "fetch", "fetchrow", "prepare"):
            self.patch(connection, name, told)
        self.patch(connection, "fetchval", self.telling_async("sql", one_value))
        for name in ("_copy_in", "_copy_out"):
            self.patch(connection, name, self.telling_async("sql", copying))
        told = self.telling_async("sql", prepared)
        for name in ("fetch", "fetchrow", "fetchval", "executemany"):
            self.patch(module.prepared_stmt.PreparedStatement, name, told)
        # Only newer releases have it.
        for owner, maker in (
            (connection, self.telling_async("sql", statement)),
            (module.prepared_stmt.PreparedStatement, told),
        ):
            if hasattr(owner, "fetchmany"):
                self.patch(owner, "fetchmany", maker)
        cursor = module.cursor.BaseCursor
        for name in ("_bind_exec", "_exec"):
            self.patch(cursor, name, self.telling_async("fetch", prepared))
        self.patch(module.connect_utils, "_connect", self.telling_async("connect", connected))
        transaction = module.transaction.Transaction
        self.patch(transaction, "start", self.starting)
        self.patch(transaction, "_Transaction__commit", self.ending)
        self.patch(transaction, "_Transaction__rollback", self.ending)
        self.patch(module.pool.Pool, "_acquire", self.acquiring)
        self.patch(module.pool.Pool, "release", self.telling_async("sql", returning, FLOOR_NS))
        self.patch(module.pool.PoolConnectionHolder, "_release", self.releasing)

    def starting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap `Transaction.start`; a nested one is a savepoint and of no interest here."""

        @functools.wraps(original)
        async def start(transaction: Any) -> None:
            started = now()
            await original(transaction)
            line = local.here.line
            if line is not None and self.enabled and not is_covered(line):
                try:
                    connection = transaction._connection
                    if connection._top_xact is transaction:
                        site = core.own_site(sys._getframe(1))
                        note_of(connection).begin(line, started, site)
                except Exception as exc:
                    self.failed(exc)

        return start

    def ending(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap what commits and what rolls back."""

        @functools.wraps(original)
        async def end(transaction: Any) -> None:
            try:
                await original(transaction)
            finally:
                if self.enabled:
                    try:
                        held = _noted.get(transaction._connection)
                        if held is not None and transaction._connection._top_xact is None:
                            held.end()
                    except Exception as exc:
                        self.failed(exc)

        return end

    def acquiring(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap `Pool._acquire`: a wait if no connection is free, and then holding one."""

        @functools.wraps(original)
        async def _acquire(pool: Any, *args: Any, **kwargs: Any) -> Any:
            line = local.here.line
            if line is None or not self.enabled or is_covered(line):
                return await original(pool, *args, **kwargs)
            flags = 0
            proxy = None
            free = self.free(pool)
            line.waits += 1
            started = now()
            try:
                proxy = await original(pool, *args, **kwargs)
                return proxy
            except BaseException as exc:
                flags = flag_of(exc)
                raise
            finally:
                ended = now()
                line.waits -= 1
                self.acquired(line, 0 if free else started, ended, flags, pool, proxy)

        return _acquire

    def free(self, pool: Any) -> bool:
        """Tell whether a pool has a place to give."""
        try:
            return pool._queue is None or not pool._queue.empty()
        except Exception as exc:
            self.failed(exc)
            return True

    def acquired(
        self, line: Line, waited: int, ended: int, flags: int, pool: Any, proxy: Any
    ) -> None:
        """Record a wait that began at `waited` (0: there was none); note who holds."""
        try:
            site = core.own_site(sys._getframe(2))
            capacity = pool._maxsize
            number = -1
            if proxy is not None:
                held = note_of(proxy._con, capacity)
                held.capacity = capacity
                held.line, held.since, held.site = line.id, ended, site
                number = held.number
            if waited and ended - waited >= FLOOR_NS:
                name = where(proxy._con) if proxy is not None else "asyncpg"
                core.emit(_POOL_WAIT, line, waited, ended, site, name, number, capacity, flags)
        except Exception as exc:
            self.failed(exc)

    def releasing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap `PoolConnectionHolder._release`, which every way back to the pool comes through."""

        @functools.wraps(original)
        def _release(holder: Any) -> None:
            connection = holder._con
            original(holder)
            if self.enabled and connection is not None:
                try:
                    held = _noted.get(connection)
                    if held is not None and held.line:
                        for interval in held.take():
                            held.over(*interval)
                except Exception as exc:
                    self.failed(exc)

        return _release


HOOKS = (AsyncpgHook,)
