"""Sync I/O on the event loop: the whole worker waits for one request's answer."""

from slowpath.causes.base import Cause, Safety

CAUSE = Cause(
    slug="blocking-call",
    title="A synchronous call blocks the event loop",
    why="While it waits, no other request of the worker can run.",
    advice=(
        "Use the library's async twin, or hand the call to a thread with "
        "`await run_in_threadpool(...)`; a route that awaits nothing can be a plain `def`."
    ),
    package=__name__,
    cure=Safety.UNSAFE,
    links=("https://fastapi.tiangolo.com/async/",),
    specificity=70,
)
