"""Real servers for the hooks' tests, started once for all that ask for them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    """An empty PostgreSQL database, as asyncpg and psycopg take its URL."""
    given = os.environ.get("SLOWPATH_TEST_POSTGRES")
    if given:
        yield given
        return
    from lab.services import postgres

    with postgres() as server:
        yield server.url
