"""A container that only grows."""

from slowpath.causes.base import Cause, Safety

CAUSE = Cause(
    slug="unbounded-cache",
    title="A container only grows",
    why="Memory grows with traffic until the process is killed; collections get slower on the way.",
    advice="Bound it: an LRU or TTL cache, `maxsize=`, or remove entries when they are done with.",
    package=__name__,
    anytime=True,
    cure=Safety.UNSAFE,
)
