"""SQLAlchemy's ORM: the making of objects from rows, post-loaded relationships included."""

import functools
import itertools
import sys
from typing import Any, Callable, Iterator, Optional

from slowpath.probe import core, wire
from slowpath.probe.core import FLOOR_NS, Line, local, now
from slowpath.probe.greenlets import site_from
from slowpath.probe.hook import Hook
from slowpath.probe.sql import fingerprint

_HYDRATE = wire.SPAN_KINDS["hydrate"]
_END: Any = object()


class OrmHook(Hook):
    """`loading.instances`, which every load of entities comes through."""

    name = "sqlalchemy.orm"
    module = "sqlalchemy.orm.loading"
    distribution = "sqlalchemy"
    known = ((2, 0), (2, 2))

    def install(self, module: Any) -> None:
        self.patch(module, "instances", self.loading)

    def loading(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap `instances`: asyncio makes the objects in it, else its result makes them later."""

        @functools.wraps(original)
        def instances(cursor: Any, context: Any) -> Any:
            line = local.here.line
            if line is None or not self.enabled:
                return original(cursor, context)
            started = now()
            result = original(cursor, context)
            ended = now()
            try:
                chunks = result.chunks
                if not context.execution_options.get("prebuffer_rows", False):
                    result.chunks = timed = self.in_parts(chunks, cursor)
                    result.iterator = itertools.chain.from_iterable(timed(result._yield_per))
                elif ended - started >= FLOOR_NS:
                    made = sum(map(len, chunks(None)))
                    self.made(line, started, ended, cursor, made, sys._getframe(1))
            except Exception as exc:
                self.failed(exc)
            return result

        return instances

    def in_parts(
        self, chunks: Callable[[Any], Iterator[Any]], cursor: Any
    ) -> Callable[[Any], Iterator[Any]]:
        """Return `chunks` with a span around the making of each."""

        def timed_chunks(size: Any) -> Iterator[Any]:
            source = iter(chunks(size))
            while True:
                line: Optional[Line] = local.here.line
                started = now()
                rows = next(source, _END)
                ended = now()
                if rows is _END:
                    return
                if line is not None and self.enabled and ended - started >= FLOOR_NS:
                    self.made(line, started, ended, cursor, len(rows), sys._getframe(1))
                line = None  # a result that is not read to its end keeps no task alive
                yield rows

        return timed_chunks

    def made(
        self, line: Line, started: int, ended: int, cursor: Any, count: int, frame: Any
    ) -> None:
        """Record the making of `count` objects or rows of them."""
        try:
            context = cursor.context
            shape = fingerprint(context.statement) if context is not None else ""
            site = site_from(frame, ("hydrate", shape))
            core.emit(_HYDRATE, line, started, ended, site, shape, count)
        except Exception as exc:
            self.failed(exc)


HOOKS = (OrmHook,)
