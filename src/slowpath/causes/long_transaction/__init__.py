"""A connection is held while its request waits for something else."""

from slowpath.causes.base import Cause, Safety

CAUSE = Cause(
    slug="long-transaction",
    title="A database connection is held across unrelated slow work",
    why="The connection does nothing meanwhile, and others wait for it.",
    advice=(
        "End the session before the slow call: read what you need, close it, call, and open "
        "another one to write the result."
    ),
    package=__name__,
    cure=Safety.UNSAFE,
    links=("https://docs.sqlalchemy.org/en/20/orm/session_basics.html",),
    specificity=65,
)
