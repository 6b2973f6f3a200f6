"""sqlite3 and aiosqlite, used by themselves.

sqlite3's classes are C types that cannot be patched, so `sqlite3.connect` gives an instance of a
subclass, unless the app asked for a class of its own: `isinstance` holds, `type()` differs.
"""

import functools
from typing import Any, Callable, Dict, Tuple

from slowpath.probe.core import FLOOR_NS
from slowpath.probe.drivers import DriverHook, count
from slowpath.probe.sql import fingerprint

#: Place of `factory` among the arguments of `sqlite3.connect`.
_FACTORY = 5


def statement(args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any) -> Tuple[str, int, int]:
    """Describe a method that takes SQL; SQLite tells rows only of what changes some."""
    rows = getattr(result, "rowcount", -1)
    return fingerprint(args[1] if len(args) > 1 else None), rows, -1


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


def opened(args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any) -> Tuple[str, int, int]:
    """Describe the opening of a database; the file's name is the app's own affair."""
    return "sqlite3", -1, -1


class SqliteHook(DriverHook):
    """Connections made from now on, and their cursors."""

    name = "sqlite3"
    module = "sqlite3"

    def install(self, module: Any) -> None:
        told = self.telling("sql", statement)
        reading = self.telling("fetch", fetched, FLOOR_NS)

        def methods(base: type, names: Tuple[str, ...], make: Any) -> Dict[str, Any]:
            return {name: make(getattr(base, name)) for name in names}

        executing = ("execute", "executemany", "executescript")
        cursor = type(
            "Cursor",
            (module.Cursor,),
            {
                "__module__": "sqlite3",
                **methods(module.Cursor, executing, told),
                **methods(module.Cursor, ("fetchmany", "fetchall"), reading),
            },
        )

        def make_cursor(connection: Any, factory: Any = cursor) -> Any:
            return module.Connection.cursor(connection, factory)

        connection = type(
            "Connection",
            (module.Connection,),
            {
                "__module__": "sqlite3",
                "cursor": make_cursor,
                **methods(module.Connection, executing, told),
                "commit": self.telling("sql", ended("COMMIT"), FLOOR_NS)(module.Connection.commit),
                "rollback": self.telling("sql", ended("ROLLBACK"), FLOOR_NS)(
                    module.Connection.rollback
                ),
            },
        )

        def connecting(original: Callable[..., Any]) -> Callable[..., Any]:
            told = self.telling("connect", opened, FLOOR_NS)(original)

            @functools.wraps(original)
            def connect(*args: Any, **kwargs: Any) -> Any:
                if self.enabled and len(args) <= _FACTORY and "factory" not in kwargs:
                    kwargs["factory"] = connection
                return told(*args, **kwargs)

            return connect

        self.patch(module, "connect", connecting)
        self.patch(module.dbapi2, "connect", lambda original: module.connect)


class AiosqliteHook(DriverHook):
    """`Connection._execute`, through which aiosqlite hands every call to its thread."""

    name = "aiosqlite"
    module = "aiosqlite"
    distribution = "aiosqlite"
    known = ((0, 17), (0, 23))

    def install(self, module: Any) -> None:
        self.patch(module.Connection, "_execute", self.handing)
        self.patch(
            module.Connection, "_connect", self.telling_async("connect", self.opened, FLOOR_NS)
        )

    @staticmethod
    def opened(args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any) -> Tuple[str, int, int]:
        """Describe the opening of a database."""
        return "aiosqlite", -1, -1

    def handing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap `_execute`; what it is given tells what it does."""
        sql = self.telling_async("sql", self.called)(original)
        fetch = self.telling_async("fetch", self.read)(original)
        ending = self.telling_async("sql", self.finished)(original)
        # Making and closing cursors and the like: a turn of the connection's thread all the same.
        other = self.telling_async("fetch", self.turn, FLOOR_NS)(original)
        kinds = {
            **dict.fromkeys(("execute", "executemany", "executescript"), sql),
            **dict.fromkeys(("_execute_insert", "_execute_fetchall"), sql),
            **dict.fromkeys(("fetchone", "fetchmany", "fetchall"), fetch),
            **dict.fromkeys(("commit", "rollback"), ending),
        }

        @functools.wraps(original)
        async def _execute(connection: Any, fn: Any, *args: Any, **kwargs: Any) -> Any:
            told = kinds.get(getattr(fn, "__name__", ""), other)
            return await told(connection, fn, *args, **kwargs)

        return _execute

    @staticmethod
    def called(args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any) -> Tuple[str, int, int]:
        """Describe a statement: connection, function, SQL."""
        rows = len(result) if isinstance(result, list) else getattr(result, "rowcount", -1)
        return fingerprint(args[2] if len(args) > 2 else None), rows, -1

    @staticmethod
    def read(args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any) -> Tuple[str, int, int]:
        """Describe a fetch."""
        return "", count(result), -1

    @staticmethod
    def turn(args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any) -> Tuple[str, int, int]:
        """Describe what neither sends a statement nor brings rows."""
        return "", -1, -1

    @staticmethod
    def finished(
        args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any
    ) -> Tuple[str, int, int]:
        """Describe a `commit` or `rollback`."""
        return str(args[1].__name__).upper(), -1, -1


HOOKS = (SqliteHook, AiosqliteHook)
