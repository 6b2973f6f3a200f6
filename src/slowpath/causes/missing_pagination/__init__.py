"""A list endpoint that returns the whole table."""

from slowpath.causes.base import Cause, Safety

CAUSE = Cause(
    slug="missing-pagination",
    title="A list endpoint has no limit",
    why="Its time, memory and bytes grow with the table until it times out.",
    advice="Take a `limit` with a cap and a cursor or offset, and put them into the query.",
    package=__name__,
    cure=Safety.UNSAFE,
)
