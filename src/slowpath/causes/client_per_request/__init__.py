"""An HTTP client is made in the handler: every request pays for set-up and handshakes."""

from slowpath.causes.base import Cause, Safety

CAUSE = Cause(
    slug="client-per-request",
    title="An HTTP client is made for every request",
    why="Its connections are opened anew each time, and making it burns CPU on the loop.",
    advice=(
        "Make one client when the service starts (in the lifespan), share it, and close it when "
        "the service ends."
    ),
    package=__name__,
    cure=Safety.UNSAFE,
    links=("https://www.python-httpx.org/advanced/clients/",),
    specificity=60,
)
