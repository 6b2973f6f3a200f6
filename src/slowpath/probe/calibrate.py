"""What the probe itself costs: an empty slice, span and request, measured where it runs.

The figures are of a tight loop, so an app with cold caches pays more; `make bench-overhead`
measures that.
"""

from typing import Any, Callable, Dict

from slowpath.probe import core, loop, wire
from slowpath.probe.asgi import AsgiHook
from slowpath.probe.core import Line, local, now

#: How often each is done; the least of `ROUNDS` rounds counts.
TIMES = 100
ROUNDS = 3


_SPAN = wire.SPAN_KINDS["handler"]


class _Pause:
    """Suspends the coroutine that awaits it, once."""

    def __await__(self) -> Any:
        yield


async def _pausing(times: int) -> None:
    for _ in range(times):
        await _Pause()


async def _nothing(*args: Any) -> Any:
    return {"type": "http.request"}


class _Route:
    """What a framework tells of a route."""

    path = "/"
    endpoint = None


async def _answer(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b""})


def run(coroutine: Any) -> None:
    """Step a coroutine to its end."""
    try:
        while True:
            coroutine.send(None)
    except StopIteration:
        pass


def many(make: Callable[[], Any]) -> None:
    """Make and run so many coroutines."""
    for _ in range(TIMES):
        run(make())


def spans() -> None:
    """Measure and record as a hook does around a call."""
    line = Line(None)
    for _ in range(TIMES):
        line.waits += 1
        started = now()
        line.waits -= 1
        core.emit(_SPAN, line, started, now(), core.own_site(None))


def least(work: Callable[[], Any]) -> int:
    """Return the least ns that `work` took."""
    taken = []
    for _ in range(ROUNDS):
        started = now()
        work()
        taken.append(now() - started)
    return min(taken)


def calibrate() -> Dict[str, int]:
    """Return ns of a slice, a span and a request; records nothing.

    To be called before the app records anything; with something recorded it returns nothing.
    """
    if core.buffer:
        return {}
    here = local.here
    outer, awake = here.line, core.awake
    core.awake = True  # no watcher is needed for this
    hook = AsgiHook()
    hook.enabled = True
    boundary = hook.around(_answer)
    scope: Dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "headers": []}
    scope.update(route=_Route, endpoint=_answer)
    try:
        bare = least(lambda: run(_pausing(TIMES)))
        stepped = least(lambda: run(loop.Unbegun(_pausing(TIMES), None)))
        served = least(
            lambda: many(lambda: loop.Unbegun(boundary(scope, _nothing, _nothing), None))
        )
        unserved = least(lambda: many(lambda: _answer(scope, _nothing, _nothing)))
        span = least(spans)
    finally:
        here.line = outer
        core.awake = awake
        core.watched.pop(here.ident, None)
        del core.buffer[:]
    return {
        "slice_ns": max(0, stepped - bare) // TIMES,
        "span_ns": span // TIMES,
        "request_ns": max(0, served - unserved) // TIMES,
    }
