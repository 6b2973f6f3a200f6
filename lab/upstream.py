"""The services of other teams that the shop calls, as one small ASGI app with a set latency.

Answers depend on the path alone, so that two editions of the shop can be compared. `/stats` counts
the calls of each resource and the connections they came on; `DELETE /stats` sets it to zero.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

LATENCY_S = float(os.environ.get("UPSTREAM_LATENCY_MS", "20")) / 1000
RATES = {"EUR": 1.0, "GBP": 0.86, "JPY": 163.5, "USD": 1.09}
TIERS = ("bronze", "silver", "gold")
OPINIONS = ("would buy again", "does what it says", "arrived late", "not as pictured")

calls: Counter[str] = Counter()
connections: set[tuple[str, int]] = set()


def profile(user_id: int) -> Any:
    return {
        "user_id": user_id,
        "tier": TIERS[user_id % len(TIERS)],
        "newsletter": user_id % 2 == 0,
        "points": user_id * 37 % 5000,
    }


def rates() -> Any:
    return {"base": "EUR", "rates": RATES}


def recommendations(user_id: int) -> Any:
    return {
        "user_id": user_id,
        "products": [
            {"product_id": (user_id * 7919 + n * 104729) % 100_000 + 1, "score": 1 - n / 10}
            for n in range(10)
        ],
    }


def stock(sku: str) -> Any:
    units = sum(sku.encode()) % 50
    return {"sku": sku, "units": units, "warehouse": "north" if units % 2 else "south"}


def reviews(user_id: int) -> Any:
    return {
        "user_id": user_id,
        "reviews": [
            {"product_id": (user_id * 31 + n) % 100_000 + 1, "stars": n % 5 + 1, "text": text}
            for n, text in enumerate(OPINIONS)
        ],
    }


def accepted() -> Any:
    return {"status": "accepted"}


RESOURCES: dict[str, Callable[..., Any]] = {
    "profile": lambda key: profile(int(key)),
    "rates": rates,
    "recommendations": lambda key: recommendations(int(key)),
    "stock": stock,
    "reviews": lambda key: reviews(int(key)),
    "audit": accepted,
}


def look_up(path: str) -> tuple[str, Any]:
    """The resource that a path names and its answer, `None` if there is none."""
    resource, *keys = path.strip("/").split("/")
    try:
        return resource, RESOURCES[resource](*keys)
    except (KeyError, TypeError, ValueError):
        return "unknown", None


async def answer(send: Send, status: int, value: Any) -> None:
    body = json.dumps(value).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def read_to_end(receive: Receive) -> None:
    while (await receive()).get("more_body"):
        pass


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """The upstream as an ASGI app; it has no lifespan."""
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])  # as ASGI has it: so servers learn it at once
    await read_to_end(receive)
    if scope["path"] == "/stats":
        if scope["method"] == "DELETE":
            calls.clear()
            connections.clear()
        await answer(send, 200, {"calls": dict(calls), "connections": len(connections)})
        return
    resource, value = look_up(scope["path"])
    calls[resource] += 1
    connections.add(tuple(scope["client"]))
    await asyncio.sleep(LATENCY_S)
    if value is None:
        await answer(send, 404, {"detail": "no such resource"})
    else:
        await answer(send, 200, value)
