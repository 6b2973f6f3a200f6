"""A route that is `async def`, awaits nothing and holds the loop with its own work."""

from slowpath.causes.base import Cause, Safety

CAUSE = Cause(
    slug="async-on-nothing",
    title="An async route awaits nothing and works on the loop",
    why="As a plain `def` the framework would run it in a thread; as `async def` it stops others.",
    advice="Write `def` instead of `async def`.",
    package=__name__,
    cure=Safety.SAFE,
    links=("https://fastapi.tiangolo.com/async/",),
)
