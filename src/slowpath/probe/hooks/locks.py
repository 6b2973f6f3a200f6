"""asyncio's Lock, Semaphore and BoundedSemaphore: who waits for them, and who holds them.

A Condition is seen through its Lock; waiting for its notification, or for an Event, is waiting
for no holder and is told like any other await.
"""

import functools
import sys
from types import FrameType
from typing import Any, Callable, Dict, List, Tuple
from weakref import WeakKeyDictionary

from slowpath.probe import core, wire
from slowpath.probe.core import Line, local, now
from slowpath.probe.hook import Hook

#: A shorter hold is not recorded unless somebody waits for its end: it delays nobody, and
#: libraries take locks of their own thousands of times a second.
HOLD_NS = 100_000
#: Most locks whose holders are known; a lock that is never released would stay for ever.
MAX_HELD = 10_000

_WAIT = wire.SPAN_KINDS["lock_wait"]
_HOLD = wire.SPAN_KINDS["lock"]
_ASYNC = wire.SpanFlag.ASYNC


#: Who holds a place of a lock: its line, that line's parent, and since when, ns. Ids only, so
#: that no task is kept alive by it.
Holder = Tuple[int, int, int]


class LockHook(Hook):
    """Base of the hooks of locks: notes holders, and records waits and holds that matter.

    A lock that is taken while its line is inside a hooked call (a query, a call by HTTP) is the
    library's own and part of that call.
    """

    def __init__(self) -> None:
        super().__init__()
        self._held: Dict[int, List[Holder]] = {}
        self._places: "WeakKeyDictionary[Any, int]" = WeakKeyDictionary()
        self._counted: Tuple[type, ...] = ()

    def watch(self, lock: Any, counted: bool) -> None:
        """Patch one class of locks; a counted one has as many places as it is made with."""
        self.patch(lock, "acquire", self.acquiring)
        self.patch(lock, "release", self.releasing)
        if counted:
            self._counted += (lock,)
            self.patch(lock, "__init__", self.making)

    def is_free(self, lock: Any) -> bool:
        """Tell whether a suspension while acquiring is no wait: asyncio has none."""
        return False

    def waiters(self, lock: Any) -> Any:
        """Return who waits for the lock, or something false."""
        return lock._waiters

    def places(self, lock: Any) -> int:
        """Return how many may hold it at once; -1 for one made before the hook."""
        return self._places.get(lock, -1) if isinstance(lock, self._counted) else 1

    def making(self, original: Callable[..., None]) -> Callable[..., None]:
        """Wrap a semaphore's `__init__` to note its places."""

        @functools.wraps(original)
        def init(lock: Any, *args: Any, **kwargs: Any) -> None:
            original(lock, *args, **kwargs)
            try:
                self._places[lock] = lock._value
            except Exception as exc:
                self.failed(exc)

        return init

    def acquiring(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap `acquire`."""

        @functools.wraps(original)
        async def acquire(lock: Any, *args: Any, **kwargs: Any) -> Any:
            line = local.here.line
            if line is None or line.waits or not self.enabled:
                return await original(lock, *args, **kwargs)
            free = self.free(lock)
            flags = wire.SpanFlag.CANCELLED
            line.waits += 1
            started = now()
            try:
                result = await original(lock, *args, **kwargs)
                flags = 0
                return result
            except Exception:
                flags = wire.SpanFlag.FAILED
                raise
            finally:
                ended = now()
                line.waits -= 1
                if line.paused > started and not free:
                    self.waited(lock, line, started, ended, flags, sys._getframe(1))
                if not flags:
                    self.hold(lock, line, ended)

        return acquire

    def free(self, lock: Any) -> bool:
        """Tell the same under guard."""
        try:
            return self.is_free(lock)
        except Exception as exc:
            self.failed(exc)
            return True

    def waited(
        self, lock: Any, line: Line, started: int, ended: int, flags: int, frame: FrameType
    ) -> None:
        """Record a wait."""
        try:
            site, places = core.own_site(frame), self.places(lock)
            core.emit(_WAIT, line, started, ended, site, title(lock), id(lock), places, flags)
        except Exception as exc:
            self.failed(exc)

    def hold(self, lock: Any, line: Line, since: int) -> None:
        """Note a holder; a lock that only one can hold forgets the one before."""
        holder = line.id, line.parent, since
        held = self._held.get(id(lock))
        if held is not None and isinstance(lock, self._counted):
            held.append(holder)
        elif len(self._held) < MAX_HELD:
            self._held[id(lock)] = [holder]

    def releasing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap `release`."""

        @functools.wraps(original)
        def release(lock: Any, *args: Any, **kwargs: Any) -> Any:
            held = self._held.get(id(lock))
            if held is None:
                return original(lock, *args, **kwargs)
            wanted = self.waiters(lock)  # as the original reads it, too
            result = original(lock, *args, **kwargs)
            ended = now()
            # Mostly the one holder gives it back soon and delayed nobody: that is all, then.
            if wanted or len(held) > 1 or ended - held[0][2] >= HOLD_NS:
                self.released(lock, held, ended, bool(wanted), sys._getframe(1))
            else:
                self._held.pop(id(lock), None)
            return result

        return release

    def released(
        self, lock: Any, held: List[Holder], ended: int, wanted: bool, frame: FrameType
    ) -> None:
        """Forget a holder; record a hold that was long, or whose end somebody waited for."""
        try:
            line = local.here.line
            me = line.id if line is not None else -1
            # `wait_for` may have acquired in a task of its own, for the one that releases.
            mine = (i for i, holder in enumerate(held) if me in holder[:2])
            number, parent, since = held.pop(next(mine, 0))
            if not held:
                self._held.pop(id(lock), None)
            if self.enabled and (wanted or ended - since >= HOLD_NS):
                core.record(
                    _HOLD,
                    _ASYNC if line is None or line.paused > since else 0,
                    local.here.number,
                    me if parent == me else number,
                    core.own_site(frame),  # of an `async with`, its first line
                    core.text(title(lock)),
                    since,
                    ended,
                    id(lock),
                    self.places(lock),
                )
        except Exception as exc:
            self.failed(exc)


def title(lock: Any) -> str:
    """Return the name of a lock's class with its package."""
    kind = type(lock)
    return f"{kind.__module__.partition('.')[0]}.{kind.__name__}"


class AsyncioLocksHook(LockHook):
    """The locks of asyncio, also under uvloop."""

    name = "asyncio.locks"
    module = "asyncio.locks"

    def install(self, module: Any) -> None:
        self.watch(module.Lock, counted=False)
        self.watch(module.Semaphore, counted=True)


HOOKS = (AsyncioLocksHook,)
