"""`functools.lru_cache` on a coroutine function: the second caller gets a spent coroutine."""

from slowpath.causes.base import Cause, Safety

CAUSE = Cause(
    slug="async-lru-cache",
    title="lru_cache keeps a coroutine instead of its result",
    why="The second caller awaits a coroutine that has already run and gets a RuntimeError.",
    advice="Cache the result: an async cache, or a dict of tasks with a bound.",
    package=__name__,
    anytime=True,
    everywhere=True,
    cure=Safety.UNSAFE,
)
