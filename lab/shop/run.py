"""Starts an edition of the shop with everything that it needs.

    python -m lab.shop.run sick             serve it until Ctrl-C
    python -m lab.shop.run sick -- CMD…     run CMD with its settings in the environment

The upstream's latency and the port can be set.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from lab.processes import free_port
from lab.services import Services, as_command, run_command, services
from lab.shop.seed import EDITIONS, seed


@dataclass
class Shop:
    """The services that both editions run on, each edition with a database of its own."""

    services: Services
    _envs: dict[str, dict[str, str]] = field(default_factory=dict)

    def target(self, edition: str) -> str:
        """The app as uvicorn takes it."""
        return f"lab.shop.{edition}.main:app"

    def env(self, edition: str) -> dict[str, str]:
        """Environment variables for an edition; fills its database the first time."""
        if edition not in self._envs:
            env = self.services.env(database=f"shop_{edition}")
            seed(env["SHOP_DATABASE_URL"], edition)
            self._envs[edition] = env
        return self._envs[edition]

    def command(self, edition: str, port: int | None = None) -> list[str]:
        """The command that serves an edition; to be run in the repository's folder.

        Args:
            port: on 127.0.0.1; by default one that is free.
        """
        return [
            *(sys.executable, "-m", "uvicorn", self.target(edition), "--no-access-log"),
            *("--host", "127.0.0.1", "--port", str(port or free_port())),
        ]


@contextmanager
def shop_env(latency_ms: float = 20.0) -> Iterator[Shop]:
    """Start the services of the shop.

    Args:
        latency_ms: what the upstream takes for an answer.

    Raises:
        ServiceError: a service is missing or did not start.
    """
    with services(latency_ms) as parts:
        yield Shop(parts)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m lab.shop.run",
        description="Start an edition of the shop with everything that it needs.",
    )
    parser.add_argument("edition", choices=EDITIONS)
    parser.add_argument("--port", type=int, help="of the shop; by default one that is free")
    parser.add_argument("--latency-ms", type=float, default=20.0, help="of the upstream")
    parser.add_argument("command", nargs="*", metavar="CMD")
    options = parser.parse_args(argv)

    def run() -> int:
        with shop_env(options.latency_ms) as shop:
            env = shop.env(options.edition)
            if options.command:
                return run_command(options.command, env)
            port = options.port or free_port()
            url = f"http://127.0.0.1:{port}/docs"
            print(f"The {options.edition} shop is at {url}; Ctrl-C ends it.", flush=True)
            return run_command(shop.command(options.edition, port), env)

    return as_command(run)


if __name__ == "__main__":
    sys.exit(main())
