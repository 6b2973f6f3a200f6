"""One query for each row: the request pays as many round trips as it shows rows."""

from slowpath.causes.base import Cause, Safety

CAUSE = Cause(
    slug="n-plus-one",
    title="One query runs for every row of another",
    why="Each row costs a round trip to the database and a pass through driver and ORM.",
    advice=(
        "Load all of them with one statement: `selectinload`/`joinedload` for a relationship, "
        "`WHERE id IN (...)` or a join for a loop of queries."
    ),
    package=__name__,
    cure=Safety.UNSAFE,
    links=("https://docs.sqlalchemy.org/en/20/orm/queryguide/relationships.html",),
    specificity=50,
)
