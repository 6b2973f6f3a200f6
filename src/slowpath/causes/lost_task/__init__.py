"""A task that nobody keeps: it may vanish half-way, and outlive what it was made for."""

from slowpath.causes.base import Cause, Safety

CAUSE = Cause(
    slug="lost-task",
    title="A task is started and not kept",
    why="The loop holds tasks weakly: it can be collected half-way, and nobody cancels it.",
    advice="Keep the task (a set with `add_done_callback(discard)`) or use a `TaskGroup`.",
    package=__name__,
    anytime=True,
    cure=Safety.SAFE,
    links=("https://docs.python.org/3/library/asyncio-task.html#asyncio.create_task",),
)
