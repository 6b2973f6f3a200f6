"""A session, connection, client or stream that is not given back on every path."""

from slowpath.causes.base import Cause, Safety

CAUSE = Cause(
    slug="session-leak",
    title="A connection is not given back on every path",
    why="Each leak takes a connection from the pool until none is left and requests wait.",
    advice="Use it as a context manager, or close it in `finally`.",
    package=__name__,
    anytime=True,
    cure=Safety.NONE,
)
