"""Work that was meant for a thread and runs on the event loop, or not at all."""

from slowpath.causes.base import Cause, Safety

CAUSE = Cause(
    slug="false-offload",
    title="Work is handed to a thread that gets none of it",
    why="The loop does the work itself, before or instead of the thread that is meant to.",
    advice="Pass the plain function and its arguments: not its result, no coroutine function.",
    package=__name__,
    anytime=True,
    cure=Safety.UNSAFE,
)
