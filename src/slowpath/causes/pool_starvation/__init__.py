"""Requests wait for a database connection because the pool is too small for the load."""

from slowpath.causes.base import Cause, Safety

CAUSE = Cause(
    slug="pool-starvation",
    title="Requests wait for a database connection",
    why="All connections of the pool are held; the rest of the requests stand in line.",
    advice=(
        "Set the pool to what the load holds at once, within the server's max_connections over "
        "all workers, and hold connections for shorter."
    ),
    package=__name__,
    cure=Safety.NONE,
    links=("https://docs.sqlalchemy.org/en/20/core/pooling.html",),
    specificity=10,
)
