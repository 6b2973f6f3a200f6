"""The shop's services and both editions, started once for all tests that ask for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from lab.services import AppServer, app_server
from lab.shop.run import Shop, shop_env
from lab.shop.seed import EDITIONS


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    with shop_env(latency_ms=5) as running:
        yield running


@pytest.fixture(scope="session")
def shop_servers(shop: Shop) -> Iterator[dict[str, AppServer]]:
    """Each edition under uvicorn, by its name."""
    with ExitStack() as stack:
        yield {
            edition: stack.enter_context(app_server(shop.target(edition), shop.env(edition)))
            for edition in EDITIONS
        }
