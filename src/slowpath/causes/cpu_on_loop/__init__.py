"""CPU work on the event loop: everybody waits for one request's computation."""

from slowpath.causes.base import Cause, Safety

CAUSE = Cause(
    slug="cpu-on-loop",
    title="CPU work holds the event loop",
    why="While one request computes, no other request of the worker can run.",
    advice=(
        "Hand it to a process pool; to a thread if the library frees the GIL (hashlib, NumPy, "
        "Pillow); collect calls into batches if one batch costs little more than one call."
    ),
    package=__name__,
    cure=Safety.UNSAFE,
    links=("https://docs.python.org/3/library/asyncio-dev.html#running-blocking-code",),
)
