"""A coroutine that is made and dropped: its work never happens."""

from slowpath.causes.base import Cause, Safety

CAUSE = Cause(
    slug="forgotten-await",
    title="A coroutine is made but never awaited",
    why="The work does not run at all, and whoever relies on it waits, retries or fails later.",
    advice="Put `await` in front of the call, or hand the coroutine to a task that is kept.",
    package=__name__,
    anytime=True,
    everywhere=True,
    cure=Safety.UNSAFE,
)
