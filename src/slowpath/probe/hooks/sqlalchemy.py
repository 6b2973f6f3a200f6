"""SQLAlchemy 2: statements, transactions, the fetching of rows, and the making of engines.

Its own events cost 8 µs a statement, so the methods that all dialects come through are wrapped
instead. What a driver does beneath them is told here, once, so its own hook stays silent.
"""

import functools
import os
import sys
from importlib import import_module
from typing import Any, Callable, Dict, Optional, Set

from slowpath.probe import core, wire
from slowpath.probe.core import FLOOR_NS, Line, local, now
from slowpath.probe.greenlets import site_from
from slowpath.probe.hook import Hook
from slowpath.probe.hooks.sqlalchemy_pool import NOTE, held_by
from slowpath.probe.pools import Held, flag_of
from slowpath.probe.sql import covered, fingerprint, fingerprint_id

_CONNECT = wire.SPAN_KINDS["connect"]
_SQL = wire.SPAN_KINDS["sql"]
_FETCH = wire.SPAN_KINDS["fetch"]
_ASYNC = wire.SpanFlag.ASYNC

#: Pools that are told apart when they are of one database.
MAX_NUMBERED = 50


class EngineHook(Hook):
    """Dialects (as they are met), connections, result strategies and engines."""

    name = "sqlalchemy.engine"
    module = "sqlalchemy.engine.default"
    distribution = "sqlalchemy"
    known = ((2, 0), (2, 2))

    def install(self, module: Any) -> None:
        base = import_module("sqlalchemy.engine.base")
        cursor = import_module("sqlalchemy.engine.cursor")
        self._default = module.DefaultDialect
        self._dialects: Set[type] = set()
        self._pools: Dict[str, int] = {}
        self.watch_all(self._default)
        self._engine = base.Engine
        self.patch(base.log, "instance_logger", self.making)
        self.patch(base.Connection, "_commit_impl", self.ending("COMMIT"))
        self.patch(base.Connection, "_rollback_impl", self.ending("ROLLBACK"))
        strategy, buffered = cursor.CursorFetchStrategy, cursor.BufferedRowCursorFetchStrategy
        for owner, name in (
            (strategy, "fetchall"),
            (strategy, "fetchmany"),
            (buffered, "fetchall"),
            (buffered, "fetchmany"),
            (buffered, "_buffer_rows"),
        ):
            self.patch(owner, name, self.fetching)

    def watch_all(self, dialect: type) -> None:
        """Watch a class of dialects and those that are made from it so far."""
        self.watch(dialect)
        inner: type
        for inner in dialect.__subclasses__():
            self.watch_all(inner)

    def watch(self, dialect: type) -> None:
        """Patch what a class of dialects defines itself, once."""
        if dialect in self._dialects:
            return
        self._dialects.add(dialect)
        for name, make in (
            ("do_execute", self.executing),
            ("do_executemany", self.executing),
            ("do_execute_no_params", self.executing_bare),
            ("do_ping", self.pinging),
        ):
            if name in vars(dialect):
                self.patch(dialect, name, make)

    # --- Engines ---------------------------------------------------------------------------

    def making(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap `log.instance_logger`, which every engine calls when it is made.

        Not `Engine.__init__`: `create_engine` reads from its code which arguments it takes.
        """

        @functools.wraps(original)
        def instance_logger(instance: Any, *args: Any, **kwargs: Any) -> Any:
            started = now()
            result = original(instance, *args, **kwargs)
            if self.enabled and type(instance) is self._engine:
                try:
                    # Setting `echo` asks for the logger as well, at first and later.
                    if not hasattr(instance.dialect, NOTE):
                        self.made(instance.dialect, instance.url, started, sys._getframe(1))
                except Exception as exc:
                    self.failed(exc)
            return result

        return instance_logger

    def made(self, dialect: Any, url: Any, started: int, frame: Any) -> None:
        """Watch a new engine's dialect, and record where it was made.

        In a request that is work of its own; outside (line 0) it tells where its pool is set.
        """
        for kind in type(dialect).__mro__:
            if issubclass(kind, self._default):
                self.watch(kind)
        name = self.pool_name(url)
        setattr(dialect, NOTE, name)
        here = local.here
        made_in = here.line.id if here.line is not None and here.line.request is not None else 0
        site = core.own_site(frame)
        text = core.text(f"sqlalchemy.create_engine {name}")
        core.record(_CONNECT, 0, here.number, made_in, site, text, started, now(), -1, -1)

    def pool_name(self, url: Any) -> str:
        """Return a name for an engine's pool; several of one database are numbered."""
        database = url.database or ""
        if not url.host:
            database = os.path.basename(database)
        name = f"{url.drivername} {url.host or ''}/{database}"
        number = self._pools[name] = self._pools.get(name, 0) + 1
        if number == 1:
            return name
        return f"{name} #{number}" if number <= MAX_NUMBERED else f"{name} #{MAX_NUMBERED}+"

    # --- Statements ------------------------------------------------------------------------

    def executing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a dialect's `do_execute` or `do_executemany`."""

        @functools.wraps(original)
        def do_execute(
            dialect: Any, cursor: Any, statement: Any, parameters: Any, context: Any = None
        ) -> Any:
            line = local.here.line
            if line is None or not self.enabled or line.id in covered:
                return original(dialect, cursor, statement, parameters, context)
            flags = 0
            line.waits += 1
            started = covered[line.id] = now()
            try:
                return original(dialect, cursor, statement, parameters, context)
            except BaseException as exc:
                flags = flag_of(exc)
                raise
            finally:
                ended = now()
                line.waits -= 1
                covered.pop(line.id, None)
                self.executed(line, started, ended, flags, cursor, statement, context)

        return do_execute

    def executing_bare(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a dialect's `do_execute_no_params`."""

        def with_none(
            dialect: Any, cursor: Any, statement: Any, parameters: Any, context: Any
        ) -> Any:
            return original(dialect, cursor, statement, context)

        execute = self.executing(with_none)

        @functools.wraps(original)
        def do_execute_no_params(
            dialect: Any, cursor: Any, statement: Any, context: Any = None
        ) -> Any:
            return execute(dialect, cursor, statement, None, context)

        return do_execute_no_params

    def executed(
        self,
        line: Line,
        started: int,
        ended: int,
        flags: int,
        cursor: Any,
        statement: Any,
        context: Any,
    ) -> None:
        """Record one statement; the first one on a connection begins its transaction.

        This runs once a statement, on the app's time, so it is spelled out with few calls.
        """
        try:
            site = site_from(sys._getframe(2), statement)
            number = rows = -1
            try:
                fairy = context.root_connection._dbapi_connection
                held = fairy._connection_record.__dict__[NOTE]
                number = held.number
                if not held.began:
                    held.began = started
                    held.began_line = line.id
                    held.began_site = site
                if not flags:
                    rows = cursor.rowcount
                    if rows == -1 and cursor.description:
                        # SQLAlchemy's asyncio cursors have them all by now.
                        found = getattr(cursor, "_rows", None)
                        rows = len(found) if found is not None else -1
            except Exception:  # no context, or nothing is noted of the connection
                pass
            core.record(
                _SQL,
                flags | _ASYNC if line.paused > started else flags,
                line.here.number if line.here is not None else 0,
                line.id,
                site,
                fingerprint_id(statement),
                started,
                ended,
                rows if type(rows) is int else -1,
                number,
            )
        except Exception as exc:
            self.failed(exc)

    def pinging(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a dialect's `do_ping`: a round trip at each checkout with `pool_pre_ping`."""

        @functools.wraps(original)
        def do_ping(dialect: Any, dbapi_connection: Any) -> Any:
            line = local.here.line
            if line is None or not self.enabled or line.id in covered:
                return original(dialect, dbapi_connection)
            flags = 0
            line.waits += 1
            started = covered[line.id] = now()
            try:
                return original(dialect, dbapi_connection)
            except BaseException as exc:
                flags = flag_of(exc)
                raise
            finally:
                ended = now()
                line.waits -= 1
                covered.pop(line.id, None)
                self.told("pool_pre_ping", line, started, ended, flags, None)

        return do_ping

    def told(
        self, what: str, line: Line, started: int, ended: int, flags: int, held: Optional[Held]
    ) -> None:
        """Record a round trip that is none of the app's statements, unless there was none."""
        if ended - started < FLOOR_NS:  # as where no transaction has reached the server
            return
        try:
            site = site_from(sys._getframe(2), what)
            number = -1
            if held is not None:
                number = held.number
                # `async with` closes a session in a task of its own, behind no line of the app.
                site = site or held.began_site
            core.emit(_SQL, line, started, ended, site, what, -1, number, flags)
        except Exception as exc:
            self.failed(exc)

    # --- Transactions ----------------------------------------------------------------------

    def ending(self, what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Return a maker of wrappers of `_commit_impl` and `_rollback_impl`."""

        def make(original: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(original)
            def end(connection: Any) -> None:
                held = self.held(connection)
                line = local.here.line
                if line is None or held is None or not self.enabled or line.id in covered:
                    return original(connection)  # type: ignore[no-any-return]
                flags = 0
                line.waits += 1
                started = covered[line.id] = now()
                try:
                    return original(connection)  # type: ignore[no-any-return]
                except BaseException as exc:
                    flags = flag_of(exc)
                    raise
                finally:
                    ended = now()
                    line.waits -= 1
                    covered.pop(line.id, None)
                    self.told(what, line, started, ended, flags, held)
                    self.ended(connection, held)

            return end

        return make

    def ended(self, connection: Any, held: Held) -> None:
        """Record a transaction that is over."""
        try:
            if held.began and connection._is_autocommit_isolation():
                held.began = 0
            held.end()
        except Exception as exc:
            self.failed(exc)

    def held(self, connection: Any) -> Optional[Held]:
        """Return what is noted of the pool's record behind a `Connection`."""
        try:
            return held_by(connection)
        except Exception as exc:
            self.failed(exc)
            return None

    # --- Rows ------------------------------------------------------------------------------

    def fetching(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap one of the methods that read many rows from a driver's cursor."""

        @functools.wraps(original)
        def fetch(strategy: Any, result: Any, *args: Any, **kwargs: Any) -> Any:
            line = local.here.line
            if line is None or not self.enabled or line.id in covered:
                return original(strategy, result, *args, **kwargs)
            flags = 0
            rows = None
            line.waits += 1
            started = covered[line.id] = now()
            try:
                rows = original(strategy, result, *args, **kwargs)
                return rows
            except BaseException as exc:
                flags = flag_of(exc)
                raise
            finally:
                ended = now()
                line.waits -= 1
                covered.pop(line.id, None)
                if ended - started >= FLOOR_NS:
                    self.fetched(line, started, ended, flags, strategy, result, rows)

        return fetch

    def fetched(
        self,
        line: Line,
        started: int,
        ended: int,
        flags: int,
        strategy: Any,
        result: Any,
        rows: Any,
    ) -> None:
        """Record the reading of rows."""
        try:
            if rows is None:
                rows = getattr(strategy, "_rowbuffer", None)
            context = result.context
            shape = fingerprint(context.statement) if context is not None else ""
            held = held_by(result.connection)
            core.emit(
                _FETCH,
                line,
                started,
                ended,
                site_from(sys._getframe(2), ("fetch", shape)),
                shape,
                len(rows) if rows is not None else -1,
                held.number if held is not None else -1,
                flags,
            )
        except Exception as exc:
            self.failed(exc)


HOOKS = (EngineHook,)
