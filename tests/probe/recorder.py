"""Runs code under chosen hooks and tells what was recorded, without files or the watcher.

with recording(SleepHook()) as seen:
    with seen.line():          # or: seen.run(coroutine)
        time.sleep(0.001)
[span] = seen.spans("sleep")
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple, TypeVar
from unittest import mock

from slowpath.probe import core, hook, loop, wire
from slowpath.probe.hook import Hook

T = TypeVar("T")

_KINDS = {
    wire.REQUEST: "REQUEST",
    wire.REQUEST_MORE: "REQUEST_MORE",
    wire.LINE: "LINE",
    wire.SLICE: "SLICE",
    wire.SAMPLE: "SAMPLE",
    wire.GAUGE: "GAUGE",
    **{code: name for name, code in wire.SPAN_KINDS.items()},
}


class Place(NamedTuple):
    """A site; all empty for "none"."""

    path: str
    line: int
    function: str


class Record(NamedTuple):
    """One record with its names looked up; times in ns."""

    kind: str
    flags: int
    thread: int
    line: int
    site: Place
    resource: str
    start: int
    end: int
    a: int
    b: int

    @property
    def is_async(self) -> bool:
        return bool(self.flags & wire.SpanFlag.ASYNC)

    @property
    def failed(self) -> bool:
        return bool(self.flags & wire.SpanFlag.FAILED)

    @property
    def cancelled(self) -> bool:
        return bool(self.flags & wire.SpanFlag.CANCELLED)


class Seen:
    """What has been recorded since the block began."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def run(self, main: Coroutine[Any, Any, T], loop_factory: Callable[[], Any] | None = None) -> T:
        """Run a coroutine as a task of a loop of its own."""
        own_loop = (loop_factory or asyncio.new_event_loop)()
        try:
            result: T = own_loop.run_until_complete(main)
            own_loop.run_until_complete(own_loop.shutdown_default_executor())
            return result
        finally:
            own_loop.close()
            self.decode()

    @contextmanager
    def line(self) -> Iterator[core.Line]:
        """Be a line of execution for synchronous code."""
        outer = core.local.here.line
        line = core.Line(None)
        line.here = core.local.here
        line.started = core.now()
        core.local.here.line = line
        try:
            yield line
        finally:
            core.local.here.line = outer
            self.decode()

    def spans(self, kind: str) -> list[Record]:
        """Return the records of one kind that belong to a line, as they were recorded."""
        return [record for record in self.records if record.kind == kind and record.line]

    def decode(self) -> None:
        """Take over what waits in the probe's buffer."""
        data = bytes(core.buffer)
        del core.buffer[:]
        names: dict[tuple[str, int], Any] = {
            (table, number): value for table, number, value in core.names.everything()
        }
        for row in wire.RECORD.iter_unpack(data):
            kind, flags, thread, line, site, resource, start, end, a, b = row
            place = Place(*names.get((wire.SITE, site), ("", 0, "")))
            text = names.get((wire.TEXT, resource), "")
            self.records.append(
                Record(_KINDS[kind], flags, thread, line, place, text, start, end, a, b)
            )


@contextmanager
def recording(*hooks: Hook, broken: bool = False) -> Iterator[Seen]:
    """Install `hooks` and the loop's; check afterwards that they lived and left no trace.

    Args:
        broken: make recording a span fail: each hook must then be off after its first try,
            and the code in the block must not have noticed.
    """
    assert not core.buffer, "an earlier test left records"
    seen = Seen()
    loop_hooks = [loop.LOOP, *([loop.UVLOOP] if _has("uvloop") else [])]
    with mock.patch.object(hook, "STRICT", not broken):
        for one in (*loop_hooks, *hooks):
            one.try_install(import_module(one.module))
            assert one.enabled, (one.name, one.state)
        patches = [patch for one in hooks for patch in one._patches]
        try:
            if broken:
                with mock.patch.multiple(core, record=_refuse, emit=_refuse):
                    yield seen
                assert not any(one.enabled for one in hooks)
                assert [one.failures for one in hooks] == [1] * len(hooks)
            else:
                yield seen
                for one in hooks:
                    assert one.enabled, (one.name, one.state)
        finally:
            for one in (*hooks, *loop_hooks):
                one.uninstall()
            seen.decode()
            core.watched.clear()
    for owner, name, original, _ in patches:
        if original is not hook._MISSING:
            assert vars(owner)[name] is original
        else:
            assert name not in vars(owner)


def _refuse(*args: Any) -> None:
    raise ArithmeticError("broken on purpose")


@functools.cache
def _has(module: str) -> bool:
    try:
        import_module(module)
    except ImportError:
        return False
    return True
