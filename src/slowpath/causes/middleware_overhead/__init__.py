"""Middleware built on BaseHTTPMiddleware: tasks and streams for every request and layer."""

from slowpath.causes.base import Cause, Safety

CAUSE = Cause(
    slug="middleware-overhead",
    title="Middleware is built on BaseHTTPMiddleware",
    why="Each layer starts a task group and memory streams for every request, and copies bodies.",
    advice="Write it as pure ASGI: a class with `__call__(scope, receive, send)`.",
    package=__name__,
    anytime=True,
    cure=Safety.NONE,
)
