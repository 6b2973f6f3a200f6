"""SQLAlchemy's pools: waiting for a connection, making one, and how long it is held."""

import functools
import sys
from typing import Any, Callable, Optional

from slowpath.probe import core, wire
from slowpath.probe.core import FLOOR_NS, Line, local, now
from slowpath.probe.greenlets import site_from
from slowpath.probe.hook import Hook
from slowpath.probe.pools import Held, flag_of
from slowpath.probe.sql import covered

_POOL_WAIT = wire.SPAN_KINDS["pool_wait"]
_CONNECT = wire.SPAN_KINDS["connect"]

#: Attribute under which a pool's record (a `Held`) and a dialect (the pool's name) carry what
#: is noted of them here.
NOTE = "_slowpath"


def pool_name(pool: Any) -> str:
    """Return what a pool is called: driver, host and database, without user or password."""
    dialect = pool._dialect
    name = getattr(dialect, NOTE, None)
    if isinstance(name, str):
        return name
    return f"{getattr(dialect, 'name', '')}+{getattr(dialect, 'driver', '')}"


def pool_capacity(pool: Any) -> int:
    """Return how many connections a pool can give out at once; -1 if it has no bound."""
    overflow = getattr(pool, "_max_overflow", -1)
    size = getattr(getattr(pool, "_pool", None), "maxsize", 0)
    return int(size + overflow) if overflow >= 0 and size > 0 else -1


def note_of(record: Any, pool: Any) -> Held:
    """Return what is noted of a record of the pool, which is made at first use."""
    held: Optional[Held] = record.__dict__.get(NOTE)
    if held is None:
        held = record.__dict__[NOTE] = Held(pool_name(pool), pool_capacity(pool))
    return held


def held_by(connection: Any) -> Optional[Held]:
    """Return what is noted of the pool's record behind a `Connection`, if it has one."""
    fairy = connection._dbapi_connection
    record = fairy._connection_record if fairy is not None else None
    return record.__dict__.get(NOTE) if record is not None else None


class PoolHook(Hook):
    """`QueuePool`'s waiting, and the records that stand for connections in any pool."""

    name = "sqlalchemy.pool"
    module = "sqlalchemy.pool"
    distribution = "sqlalchemy"
    known = ((2, 0), (2, 2))

    def install(self, module: Any) -> None:
        base, impl = module.base, module.impl
        record = base._ConnectionRecord
        self.patch(impl.QueuePool, "_do_get", self.waiting)
        self.patch(record, "_ConnectionRecord__connect", self.connecting)
        self.patch(record, "checkout", self.checking_out)
        self.patch(record, "checkin", self.checking_in)
        self.patch(base._ConnectionFairy, "detach", self.detaching)

    def waiting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap `QueuePool._do_get`: it waits only when all connections are given out."""

        @functools.wraps(original)
        def _do_get(pool: Any) -> Any:
            line = local.here.line
            if (
                line is None
                or not self.enabled
                or pool._max_overflow < 0
                or pool._overflow < pool._max_overflow
            ):
                return original(pool)
            flags = 0
            record = None
            line.waits += 1
            started = now()
            try:
                record = original(pool)
                return record
            except BaseException as exc:
                flags = flag_of(exc)
                raise
            finally:
                ended = now()
                line.waits -= 1
                if ended - started >= FLOOR_NS:
                    self.waited(line, started, ended, pool, record, flags)

        return _do_get

    def waited(
        self, line: Line, started: int, ended: int, pool: Any, record: Any, flags: int
    ) -> None:
        """Record a wait for a connection; `record` is the one got, if any."""
        try:
            number = note_of(record, pool).number if record is not None else -1
            site = site_from(sys._getframe(2), "checkout")
            name, capacity = pool_name(pool), pool_capacity(pool)
            core.emit(_POOL_WAIT, line, started, ended, site, name, number, capacity, flags)
        except Exception as exc:
            self.failed(exc)

    def connecting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap the making of a connection: the driver's handshake and the dialect's set-up."""

        @functools.wraps(original)
        def connect(record: Any) -> None:
            line = local.here.line
            if line is None or not self.enabled or line.id in covered:
                return original(record)  # type: ignore[no-any-return]
            flags = 0
            line.waits += 1
            started = covered[line.id] = now()
            try:
                return original(record)  # type: ignore[no-any-return]
            except BaseException as exc:
                flags = flag_of(exc)
                raise
            finally:
                ended = now()
                line.waits -= 1
                covered.pop(line.id, None)
                self.connected(line, started, ended, record, flags)

        return connect

    def connected(self, line: Line, started: int, ended: int, record: Any, flags: int) -> None:
        """Record a handshake; the place in the pool counts as held since it began."""
        try:
            pool = record._ConnectionRecord__pool
            held = note_of(record, pool)
            if not held.line:
                held.since = started
            site = site_from(sys._getframe(2), "connect")
            name = pool_name(pool)
            core.emit(_CONNECT, line, started, ended, site, name, held.number, held.capacity, flags)
        except Exception as exc:
            self.failed(exc)

    def checking_out(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap `_ConnectionRecord.checkout`: from here on the connection is held."""

        @functools.wraps(original)
        def checkout(cls: Any, pool: Any) -> Any:
            fairy = original(cls, pool)
            line = local.here.line
            if line is not None and self.enabled:
                try:
                    held = note_of(fairy._connection_record, pool)
                    held.line = line.id
                    held.since = held.since or now()
                    held.site = site_from(sys._getframe(1), "checkout")
                except Exception as exc:
                    self.failed(exc)
            return fairy

        return checkout

    def checking_in(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap `_ConnectionRecord.checkin`: the place is free once the connection is back."""

        @functools.wraps(original)
        def checkin(record: Any, *args: Any, **kwargs: Any) -> None:
            held: Optional[Held] = record.__dict__.get(NOTE)
            if held is None or not held.line:
                return original(record, *args, **kwargs)  # type: ignore[no-any-return]
            holding = held.take()
            try:
                return original(record, *args, **kwargs)  # type: ignore[no-any-return]
            finally:
                if self.enabled:
                    try:
                        for interval in holding:
                            held.over(*interval)
                    except Exception as exc:
                        self.failed(exc)

        return checkin

    def detaching(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap `_ConnectionFairy.detach`: the connection leaves the pool, its place is free."""

        @functools.wraps(original)
        def detach(fairy: Any) -> None:
            record = fairy._connection_record
            original(fairy)
            if record is not None and self.enabled:
                try:
                    held: Optional[Held] = record.__dict__.get(NOTE)
                    if held is not None and held.line:
                        for interval in held.take():
                            held.over(*interval)
                except Exception as exc:
                    self.failed(exc)

        return detach


HOOKS = (PoolHook,)
