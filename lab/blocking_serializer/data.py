"""A year of sales, as a report's query would bring it."""

from __future__ import annotations

ROWS = [
    {
        "product_id": n,
        "sku": f"SKU-{n:06d}",
        "name": f"Product number {n}",
        "units": n * 7 % 1000,
        "revenue_cents": n * 104_729 % 10_000_000,
        "regions": {"north": n % 13, "south": n % 17, "east": n % 19, "west": n % 23},
    }
    for n in range(12_000)
]
