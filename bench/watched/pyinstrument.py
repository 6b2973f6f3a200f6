"""The cured shop with a pyinstrument profiler around each request, as its manual shows."""

from typing import Any

from pyinstrument import Profiler

from lab.shop.cured.main import app as shop


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Profile each HTTP request; everything else goes straight through."""
    if scope["type"] != "http":
        await shop(scope, receive, send)
        return
    with Profiler(async_mode="enabled"):
        await shop(scope, receive, send)
