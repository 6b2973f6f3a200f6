"""The database itself takes long for a statement."""

from slowpath.causes.base import Cause, Safety

CAUSE = Cause(
    slug="slow-query",
    title="The database takes long for this statement",
    why="The request waits for it, and its connection is held meanwhile.",
    advice=(
        "Look at its plan with EXPLAIN (ANALYZE, BUFFERS): an index for the filter and the order, "
        "fewer rows, or a result kept ready."
    ),
    package=__name__,
    cure=Safety.NONE,
    links=("https://www.postgresql.org/docs/current/using-explain.html",),
    specificity=40,
)
