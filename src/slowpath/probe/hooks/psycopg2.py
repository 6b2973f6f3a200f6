"""psycopg2, used by itself.

Its classes are C types that cannot be patched, so `psycopg2.connect` gives an instance of a
subclass whose cursors are of a subclass too, unless the app asked for classes of its own:
`isinstance` holds, `type()` differs. Cursors of an app's own class are not seen.
"""

import functools
from typing import Any, Callable, Dict, Tuple

from slowpath.probe.core import FLOOR_NS
from slowpath.probe.drivers import DriverHook, argument, count
from slowpath.probe.sql import fingerprint


def statement(args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any) -> Tuple[str, int, int]:
    """Describe a cursor's `execute` or `executemany`."""
    query = argument(args, kwargs, 1, "query")
    if not isinstance(query, (str, bytes)):
        query = query.as_string(args[0])
    return fingerprint(query), args[0].rowcount, -1


def fetched(args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any) -> Tuple[str, int, int]:
    """Describe one of a cursor's fetches."""
    return "", count(result), -1


def ended(what: str) -> Callable[..., Tuple[str, int, int]]:
    """Return what describes a `commit` or `rollback`."""

    def describe(
        args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any
    ) -> Tuple[str, int, int]:
        return what, -1, -1

    return describe


def connected(args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any) -> Tuple[str, int, int]:
    """Describe a handshake."""
    if result is None:
        return "psycopg2", -1, -1
    host = result.info.host or ""
    place = "socket" if host.startswith("/") else host
    return f"psycopg2 {place}/{result.info.dbname}", -1, -1


class Psycopg2Hook(DriverHook):
    """Connections made from now on, and their cursors."""

    name = "psycopg2"
    module = "psycopg2"
    distribution = "psycopg2"
    known = ((2, 8), (2, 10))

    def install(self, module: Any) -> None:
        plain = module.extensions
        told = self.telling("sql", statement)
        reading = self.telling("fetch", fetched, FLOOR_NS)
        cursor = type(
            "cursor",
            (plain.cursor,),
            {
                "__module__": "psycopg2.extensions",
                "execute": told(plain.cursor.execute),
                "executemany": told(plain.cursor.executemany),
                "fetchmany": reading(plain.cursor.fetchmany),
                "fetchall": reading(plain.cursor.fetchall),
            },
        )

        def make_cursor(connection: Any, *args: Any, **kwargs: Any) -> Any:
            own = len(args) > 1 or kwargs.get("cursor_factory") or connection.cursor_factory
            if not own:
                kwargs["cursor_factory"] = cursor
            return plain.connection.cursor(connection, *args, **kwargs)

        connection = type(
            "connection",
            (plain.connection,),
            {
                "__module__": "psycopg2.extensions",
                "cursor": make_cursor,
                "commit": self.telling("sql", ended("COMMIT"), FLOOR_NS)(plain.connection.commit),
                "rollback": self.telling("sql", ended("ROLLBACK"), FLOOR_NS)(
                    plain.connection.rollback
                ),
            },
        )

        def connecting(original: Callable[..., Any]) -> Callable[..., Any]:
            told = self.telling("connect", connected)(original)

            @functools.wraps(original)
            def connect(
                dsn: Any = None,
                connection_factory: Any = None,
                cursor_factory: Any = None,
                **kwargs: Any,
            ) -> Any:
                if connection_factory is None and self.enabled:
                    connection_factory = connection
                return told(dsn, connection_factory, cursor_factory, **kwargs)

            return connect

        self.patch(module, "connect", connecting)


HOOKS = (Psycopg2Hook,)
