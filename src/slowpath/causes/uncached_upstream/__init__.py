"""The same answer is fetched from another service again and again."""

from slowpath.causes.base import Cause, Safety

CAUSE = Cause(
    slug="uncached-upstream",
    title="The same answer is fetched again and again",
    why="Each request waits for a round trip whose answer the service already had.",
    advice=(
        "Keep the answer for as long as it may be old (a TTL cache), and let only one request "
        "fetch it when it has run out."
    ),
    package=__name__,
    cure=Safety.NONE,
    links=("https://www.rfc-editor.org/rfc/rfc9111",),
    specificity=45,
)
