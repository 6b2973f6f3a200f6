"""Log handlers that write or send while the loop waits."""

from slowpath.causes.base import Cause, Safety

CAUSE = Cause(
    slug="sync-logging",
    title="A log handler does slow work on the loop",
    why="Every record is written or sent before the request goes on.",
    advice="Put a `QueueHandler` before it and let a `QueueListener` do the work.",
    package=__name__,
    cure=Safety.NONE,
)
