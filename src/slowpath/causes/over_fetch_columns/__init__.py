"""Whole rows are loaded where one or two columns are used."""

from slowpath.causes.base import Cause, Safety

CAUSE = Cause(
    slug="over-fetch-columns",
    title="Whole rows are loaded for a few columns",
    why="The database reads, the wire carries and the ORM builds columns that nobody looks at.",
    advice="Select the columns, or use `load_only`.",
    package=__name__,
    cure=Safety.UNSAFE,
)
