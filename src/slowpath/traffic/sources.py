"""What `--traffic` may say."""

from __future__ import annotations

from collections.abc import Callable

from slowpath.errors import UserError
from slowpath.traffic.har import Har
from slowpath.traffic.locustfile import LocustFile
from slowpath.traffic.openapi import OpenApi
from slowpath.traffic.plan import Source
from slowpath.traffic.urls import Urls

NONE = "none"

_WITH_ARGUMENT: dict[str, Callable[[str], Source]] = {
    "har": Har,
    "locust": LocustFile,
    "url": Urls,
}


def source(option: str) -> Source | None:
    """The source of traffic an option names; None if the user is to click.

    Raises:
        UserError: it names none.
    """
    if option == NONE:
        return None
    if option == OpenApi.kind:
        return OpenApi()
    kind, _, argument = option.partition(":")
    if kind in _WITH_ARGUMENT and argument:
        return _WITH_ARGUMENT[kind](argument)
    raise UserError(
        f"--traffic does not know {option!r}. "
        "It takes openapi, har:FILE, locust:FILE, url:/path,/other or none."
    )
