"""Much data is encoded or decoded in one go on the event loop."""

from slowpath.causes.base import Cause, Safety

CAUSE = Cause(
    slug="blocking-serializer",
    title="Encoding much data holds the event loop",
    why="While one body is encoded, no other request of the worker can run.",
    advice=(
        "Encode less (fewer fields, pages), encode faster (orjson), let the database build the "
        "JSON, or stream it in pieces; what must stay large belongs in a thread or process."
    ),
    package=__name__,
    cure=Safety.UNSAFE,
    links=("https://github.com/ijl/orjson#performance",),
    specificity=30,
)
