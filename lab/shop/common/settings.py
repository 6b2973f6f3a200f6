"""The shop's settings, from the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Where the shop finds its parts.

    Attributes:
        database_url: `postgresql://…`, without a driver's name.
        redis_url: `redis://…`.
        upstream_url: `http://…`, without a slash at its end.
    """

    database_url: str
    redis_url: str
    upstream_url: str

    @property
    def asyncpg_url(self) -> str:
        """The database's URL as SQLAlchemy wants it for asyncpg."""
        return self.database_url.replace("postgresql://", "postgresql+asyncpg://", 1)

    @classmethod
    def from_env(cls) -> Settings:
        """Read SHOP_DATABASE_URL, SHOP_REDIS_URL and SHOP_UPSTREAM_URL.

        Raises:
            SystemExit: one of them is not set.
        """
        names = ("SHOP_DATABASE_URL", "SHOP_REDIS_URL", "SHOP_UPSTREAM_URL")
        missing = [name for name in names if not os.environ.get(name)]
        if missing:
            raise SystemExit(
                f"The shop needs {', '.join(missing)} to be set; "
                "`python -m lab.shop.run sick` starts it with everything it needs."
            )
        return cls(*(os.environ[name] for name in names))
