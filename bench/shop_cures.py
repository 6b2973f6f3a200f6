"""Single cures of the sick shop: what each is predicted to gain beside what it gains.

All predictions come from one recording of the sick shop; each cure is then made alone, in
`lab.shop.single`, and measured under the same load.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.driver import Measured, measure
from lab.shop.common.seed_data import ADJECTIVES, ORDERS, PRODUCTS, USERS
from lab.shop.run import shop_env
from slowpath.causes import Finding
from slowpath.causes.base import edit_for
from slowpath.simulate.price import Figures, price

LATENCY_MS = 20.0
CALLERS = 12
#: Everything once, what a shop is mostly asked for more often; `{n}` counts.
PATHS = (
    *("/products/{product}", "/orders/{order}", "/users/{user}"),
    *("/dashboard/{user}", "/products?search={word}", "/products/{product}"),
    *("/users/{user}/enriched", "/orders/{order}", "/predict?user_id={user}&product_id={product}"),
    *("/users?cursor={user}", "/one-row?id={product}", "/orders?cursor={order}"),
)


@dataclass(frozen=True)
class Cure:
    """One cure.

    Attributes:
        cause: its name in `lab.shop.single`, and whose findings it cures.
        edition: whose database it needs.
    """

    cause: str
    edition: str = "sick"


CURES = (
    *map(Cure, ("blocking-call", "client-per-request", "cpu-on-loop", "heavy-serialization")),
    *map(Cure, ("long-transaction", "n-plus-one", "pool-starvation", "uncached-upstream")),
    Cure("slow-query", "cured"),
)
#: What a cause finds at these places is not what its single cure changes.
NOT_MEANT = {"uncached-upstream": frozenset(("dashboard",))}


def path(n: int) -> str:
    """Return what the n-th call asks for."""
    step = n * 7919
    return PATHS[n % len(PATHS)].format(
        product=step % PRODUCTS + 1,
        order=step % ORDERS + 1,
        user=step % USERS + 1,
        word=ADJECTIVES[n % len(ADJECTIVES)].lower()[:4],
    )


def meant(cure: Cure, findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings that a cure is about."""
    other = NOT_MEANT.get(cure.cause, frozenset())
    return [f for f in findings if f.cause.slug == cure.cause and f.function not in other]


def rows(
    names: Sequence[str], seconds: float
) -> Iterator[tuple[str, Figures, Figures | None, Figures, float]]:
    """Yield (cause, sick, predicted, measured, error of the replay) for each cure.

    Args:
        names: causes; all of them if it is empty.
    """
    wanted = [cure for cure in CURES if not names or cure.cause in names]
    if not wanted:
        return
    with shop_env(LATENCY_MS) as shop:

        def run(cures: str, edition: str) -> Measured:
            env = {**shop.env(edition), "SHOP_CURES": cures}
            return measure("lab.shop.single:app", env, path, CALLERS, seconds, ready="/healthz")

        sick = run("", "sick")
        known = [(cure, meant(cure, sick.findings)) for cure in wanted]
        for cure, findings in known:
            after = run(cure.cause, cure.edition)
            edits = [edit_for(finding, sick.ledger) for finding in findings]
            prices = price(sick.ledger, edits, sick.figures)
            error = prices.replay.error if prices.replay is not None else float("nan")
            yield cure.cause, sick.figures, prices.together, after.figures, error
