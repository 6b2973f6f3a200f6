"""Single cures of the sick shop: what each is predicted to gain beside what it gains.

A cure is predicted from a recording of the sick shop under a load on the endpoints that it is
about, and others that they slow down; then it is made alone, in `lab.shop.single`, and measured
under the same load.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from bench.driver import Measured, measure
from lab.shop.common.seed_data import ADJECTIVES, ORDERS, PRODUCTS, USERS
from lab.shop.run import Shop, shop_env

LATENCY_MS = 20.0


@dataclass(frozen=True)
class Cure:
    """One cure.

    Attributes:
        cause: its name in `lab.shop.single`, and whose findings it cures.
        paths: what is asked for in turn.
        callers: how many ask again as soon as they are answered.
        edition: whose database it needs.
    """

    cause: str
    paths: tuple[str, ...]
    callers: int = 12
    edition: str = "sick"

    def path(self, n: int) -> str:
        """Return what the n-th call asks for."""
        step = n * 7919
        return self.paths[n % len(self.paths)].format(
            product=step % PRODUCTS + 1,
            order=step % ORDERS + 1,
            user=step % USERS + 1,
            word=ADJECTIVES[n % len(ADJECTIVES)].lower()[:4],
        )


CURES = (
    Cure("blocking-call", ("/products/{product}", "/one-row?id={product}", "/healthz")),
    Cure("client-per-request", ("/dashboard/{user}", "/one-row?id={product}")),
    Cure("heavy-serialization", ("/orders?cursor={order}", "/users/{user}")),
    Cure("long-transaction", ("/users/{user}/enriched", "/users/{user}")),
    Cure("n-plus-one", ("/users?cursor={user}", "/users/{user}"), callers=3),
    Cure("uncached-upstream", ("/orders/{order}",), callers=8),
    Cure("slow-query", ("/products?search={word}", "/one-row?id={product}"), 6, "cured"),
)


def pairs(
    names: Sequence[str], seconds: float
) -> Iterator[tuple[str, Callable[[], tuple[Measured, Measured]]]]:
    """Yield each cure's cause, and what runs the shop without it and with it.

    Args:
        names: causes; all of them if it is empty.
    """
    wanted = [cure for cure in CURES if not names or cure.cause in names]
    if not wanted:
        return
    with shop_env(LATENCY_MS) as shop:
        for cure in wanted:
            yield cure.cause, partial(_pair, shop, cure, seconds)


def _pair(shop: Shop, cure: Cure, seconds: float) -> tuple[Measured, Measured]:
    sick, after = (
        measure(
            "lab.shop.single:app",
            {**shop.env(edition), "SHOP_CURES": cures},
            cure.path,
            cure.callers,
            seconds,
            ready="/healthz",
        )
        for edition, cures in (("sick", ""), (cure.edition, cure.cause))
    )
    return sick, after
