"""`time.sleep`: a thread that waits for nothing."""

from typing import Any, Dict, Tuple

from slowpath.probe import core
from slowpath.probe.hook import Hook


class SleepHook(Hook):
    """`time.sleep`, for all who look it up in `time` or import it after the probe.

    `asyncio.sleep` needs no hook: a task's gaps tell what it awaited.
    """

    name = "time.sleep"
    module = "time"

    def install(self, module: Any) -> None:
        self.patch(module, "sleep", self.timed("sleep", asked, core.FLOOR_NS))


def asked(args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any) -> Tuple[str, int, int]:
    """Describe a sleep by the nanoseconds asked for; -1 for what `sleep` refused."""
    try:
        return "", int(args[0] * 1e9), -1
    except (IndexError, TypeError, ValueError, OverflowError):
        return "", -1, -1


HOOKS = (SleepHook,)
