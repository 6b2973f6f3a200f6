"""Independent awaits one after another: the request pays their sum instead of their maximum."""

from slowpath.causes.base import Cause, Safety

CAUSE = Cause(
    slug="sequential-awaits",
    title="Independent awaits run one after another",
    why="The request waits for the sum of the calls where it could wait for the longest.",
    advice=(
        "Run them together with `asyncio.gather` or a `TaskGroup`, bounded by a semaphore when "
        "the data sets their number; each needs a session of its own."
    ),
    package=__name__,
    cure=Safety.UNSAFE,  # gather() changes the order of errors and of cancellation
)
