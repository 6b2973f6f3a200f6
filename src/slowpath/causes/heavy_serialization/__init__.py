"""The framework's validation and encoding of the response dominate the endpoint."""

from slowpath.causes.base import Cause, Safety

CAUSE = Cause(
    slug="heavy-serialization",
    title="Validating and encoding the response dominates the endpoint",
    why="Every object of the response is checked, copied and encoded on the event loop.",
    advice=(
        "Return fewer objects (pages) or a smaller model; for data you trust, return the encoded "
        "body yourself, without a response model."
    ),
    package=__name__,
    cure=Safety.NONE,
    links=("https://fastapi.tiangolo.com/advanced/response-directly/",),
    specificity=30,
)
