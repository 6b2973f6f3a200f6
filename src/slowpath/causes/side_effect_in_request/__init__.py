"""Mail, messages and the like are sent before the response."""

from slowpath.causes.base import Cause, Safety

CAUSE = Cause(
    slug="side-effect-in-request",
    title="The response waits for mail or a message to be sent",
    why="The caller pays for a mail server or chat service that the answer does not need.",
    advice="Send it in a background task or through a queue.",
    package=__name__,
    cure=Safety.UNSAFE,
)
