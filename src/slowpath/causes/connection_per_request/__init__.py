"""A database connection, pool or engine made inside a request."""

from slowpath.causes.base import Cause, Safety

CAUSE = Cause(
    slug="connection-per-request",
    title="A connection is opened for every request",
    why="Each one costs TCP, TLS, a login and a server process before the first query.",
    advice="Make one pool or engine in the lifespan and take connections from it.",
    package=__name__,
    cure=Safety.UNSAFE,
)
