"""Debug settings that are meant for a developer's machine."""

from slowpath.causes.base import Cause, Safety

CAUSE = Cause(
    slug="debug-left-on",
    title="A debug setting is on",
    why="Echoed SQL, reloaders and debug modes cost time on every request.",
    advice="Turn it off, or read it from the environment with the default off.",
    package=__name__,
    anytime=True,
    cure=Safety.UNSAFE,
)
