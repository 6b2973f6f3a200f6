"""What the hooks of database drivers share: spans that stay silent beneath a library's own."""

import functools
import sys
from typing import Any, Callable, Dict, Tuple

from slowpath.probe import core, wire
from slowpath.probe.core import Line, local, now
from slowpath.probe.hook import Hook
from slowpath.probe.pools import flag_of
from slowpath.probe.sql import covered, is_covered

#: Tells (resource, a, b) of a call from its arguments and result (None if it raised).
Describe = Callable[[Tuple[Any, ...], Dict[str, Any], Any], Tuple[str, int, int]]


class DriverHook(Hook):
    """Base of the hooks of drivers.

    Each call is told by its outermost span alone: by SQLAlchemy's where that drives the driver,
    by the one of `Connection.execute` where that calls `Cursor.execute`.
    """

    def telling(
        self, kind: str, describe: Describe, floor_ns: int = 0
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Return a maker of wrappers that record a span around a plain function."""
        code = wire.SPAN_KINDS[kind]

        def make(original: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(original)
            def call(*args: Any, **kwargs: Any) -> Any:
                line = local.here.line
                if line is None or not self.enabled or is_covered(line):
                    return original(*args, **kwargs)
                flags = 0
                result = None
                line.waits += 1
                started = covered[line.id] = now()
                try:
                    result = original(*args, **kwargs)
                    return result
                except BaseException as exc:
                    flags = flag_of(exc)
                    raise
                finally:
                    ended = now()
                    line.waits -= 1
                    covered.pop(line.id, None)
                    if ended - started >= floor_ns:
                        self.tell(code, line, started, ended, flags, describe, args, kwargs, result)

            return call

        return make

    def telling_async(
        self, kind: str, describe: Describe, floor_ns: int = 0
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Return a maker of wrappers that record a span around a coroutine function."""
        code = wire.SPAN_KINDS[kind]

        def make(original: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(original)
            async def call(*args: Any, **kwargs: Any) -> Any:
                line = local.here.line
                if line is None or not self.enabled or is_covered(line):
                    return await original(*args, **kwargs)
                flags = 0
                result = None
                line.waits += 1
                started = covered[line.id] = now()
                try:
                    result = await original(*args, **kwargs)
                    return result
                except BaseException as exc:
                    flags = flag_of(exc)
                    raise
                finally:
                    ended = now()
                    line.waits -= 1
                    covered.pop(line.id, None)
                    if ended - started >= floor_ns:
                        self.tell(code, line, started, ended, flags, describe, args, kwargs, result)

            return call

        return make

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
        """Record a span of a call; its site is the app's line that made it."""
        try:
            resource, a, b = describe(args, kwargs, result)
            site = core.own_site(sys._getframe(2))
            core.emit(code, line, started, ended, site, resource, a, b, flags)
        except Exception as exc:
            self.failed(exc)


def argument(args: Tuple[Any, ...], kwargs: Dict[str, Any], place: int, name: str) -> Any:
    """Return the argument of a call that may be given by place or by name."""
    return args[place] if len(args) > place else kwargs.get(name)


def count(result: Any) -> int:
    """Return the number of rows in what a driver's fetch returned."""
    if isinstance(result, list):
        return len(result)
    return 0 if result is None else 1
