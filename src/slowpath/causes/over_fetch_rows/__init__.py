"""Rows are loaded and then thrown away."""

from slowpath.causes.base import Cause, Safety

CAUSE = Cause(
    slug="over-fetch-rows",
    title="Rows are loaded and then thrown away",
    why="The cost grows with the table, not with what the caller gets.",
    advice="Put the condition and the limit into the query.",
    package=__name__,
    cure=Safety.NONE,
)
