"""An outbound call that may wait for ever."""

from slowpath.causes.base import Cause, Safety

CAUSE = Cause(
    slug="missing-timeout",
    title="An outbound call has no timeout",
    why="One silent peer holds a thread, a connection and the request until someone restarts.",
    advice="Pass `timeout=`.",
    package=__name__,
    anytime=True,
    cure=Safety.UNSAFE,
)
