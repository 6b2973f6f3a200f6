"""Collections are told on the line that they stop."""

import asyncio
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import greenlet

from slowpath.probe import core
from slowpath.probe.hooks.gc import GcHook
from tests.probe.recorder import recording


def litter(count: int) -> None:
    for _ in range(count):
        ring: list[object] = []
        ring.append(ring)


@contextmanager
def only_when_told() -> Iterator[None]:
    """Have no collection but those asked for."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def test_a_full_collection_is_told_where_it_happened():
    with only_when_told(), recording(GcHook()) as seen, seen.line() as line:
        litter(5_000)
        gc.collect()
        at = sys._getframe().f_lineno - 1
    [span] = seen.spans("gc")
    assert span.line == line.id
    assert span.site[:2] == (__file__, at)
    assert span.a == 2
    assert span.b >= 5_000
    assert not span.is_async


def test_in_a_callback_of_the_loop_it_is_told_as_a_line_that_holds_it():
    async def waits() -> None:
        done = asyncio.Event()

        def callback() -> None:
            litter(5_000)
            gc.collect()
            done.set()

        asyncio.get_running_loop().call_soon(callback)
        await done.wait()

    with only_when_told(), recording(GcHook()) as seen:
        seen.run(waits())
    [span] = seen.spans("gc")
    held, line = (record for record in seen.records if record.line == span.line and record != span)
    assert (held.kind, line.kind) == ("SLICE", "LINE")
    assert span.site.path == line.site.path == __file__
    assert (held.start, held.end) == (span.start, span.end)
    assert held.a == held.b == held.end - held.start
    assert not span.is_async


def test_where_no_loop_runs_nothing_is_told():
    with recording(GcHook()) as seen:
        thread = Thread(target=gc.collect)
        thread.start()
        thread.join()
        here = core.local.here
        core.watched[here.ident] = here  # as of a thread that has done a job
        gc.collect()
        seen.decode()
    assert seen.records == []


def test_other_callbacks_stay():
    before = list(gc.callbacks)
    with recording(GcHook()):
        assert gc.callbacks[: len(before)] == before
    assert gc.callbacks == before


def test_a_broken_hook_never_reaches_the_app():
    with only_when_told(), recording(GcHook(), broken=True) as seen, seen.line():
        litter(5_000)
        assert gc.collect() >= 5_000
        gc.collect()


def test_a_collection_below_any_frame_is_told_without_a_place():
    with only_when_told(), recording(GcHook()) as seen, seen.line():
        litter(5_000)
        # The bottom of this greenlet is C code, and no Python frame is above it.
        greenlet.greenlet(gc.collect).switch()
    [span] = seen.spans("gc")
    assert span.a == 2
