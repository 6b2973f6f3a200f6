"""How each activity is shown: one letter and one colour for ever, and a word.

Capitals are waits for something that others held.
"""

from __future__ import annotations

from typing import NamedTuple


class Kind(NamedTuple):
    """An activity's letter in bars, its colour, its short name and what it means."""

    letter: str
    colour: str
    name: str
    meaning: str


#: In the order of bars: the loop, waits, the database, other services, responses, the rest.
KINDS = {
    "loop": Kind("l", "red", "loop", "own work on the event loop"),
    "handler": Kind("a", "red", "handler", "the endpoint's own code"),
    "dependency": Kind("d", "red", "dependency", "a dependency's own code"),
    "middleware": Kind("m", "red", "middleware", "a middleware's own code"),
    "loop_wait": Kind("L", "bright_red", "loop wait", "ready, but the event loop was held"),
    "pool_wait": Kind("P", "bright_blue", "pool wait", "waiting for a database connection"),
    "http_pool_wait": Kind("H", "bright_magenta", "http wait", "waiting for an HTTP connection"),
    "thread_wait": Kind("T", "bright_green", "thread wait", "waiting for a worker thread"),
    "lock_wait": Kind("K", "bright_yellow", "lock wait", "waiting for a lock"),
    "sql": Kind("s", "blue", "sql", "the database at work"),
    "fetch": Kind("f", "blue", "fetch", "fetching rows"),
    "transaction": Kind("x", "blue", "transaction", "begin, commit, rollback"),
    "checkout": Kind("o", "blue", "checkout", "holding a database connection"),
    "hydrate": Kind("y", "cyan", "hydrate", "building ORM objects"),
    "http": Kind("h", "magenta", "http", "HTTP calls to other services"),
    "connect": Kind("n", "magenta", "connect", "making clients, opening connections"),
    "cache": Kind("c", "bright_cyan", "cache", "cache commands"),
    "validate": Kind("v", "yellow", "validate", "validating data"),
    "serialize": Kind("z", "yellow", "serialize", "encoding the response"),
    "render": Kind("r", "yellow", "render", "rendering the response"),
    "send": Kind("e", "yellow", "send", "waiting for the client to read"),
    "receive": Kind("i", "yellow", "receive", "waiting for the client to send"),
    "thread": Kind("t", "green", "thread", "work in a worker thread"),
    "lock": Kind("k", "bright_yellow", "lock", "holding a lock"),
    "sleep": Kind("p", "white", "sleep", "sleeping on purpose"),
    "gc": Kind("g", "white", "gc", "garbage collection"),
    "await": Kind("w", "white", "await", "awaiting something that no hook knows"),
    "unattributed": Kind("?", "bright_black", "unknown", "not explained"),
}
OTHER = Kind("+", "white", "other", "of a kind newer than this slowpath")


def kind_of(activity: str) -> Kind:
    """Return how an activity is shown; `OTHER` if it is not known."""
    return KINDS.get(activity, OTHER)


def apportion(segments: dict[str, float], width: int) -> list[tuple[Kind, int]]:
    """Divide `width` cells among segments by size, in the order of `KINDS`, by largest remainder.

    Empty if all segments are.
    """
    total = sum(segments.values())
    if total <= 0:
        return []
    order = {activity: place for place, activity in enumerate(KINDS)}
    known = sorted(segments, key=lambda activity: order.get(activity, len(order)))
    exact = [segments[activity] / total * width for activity in known]
    cells = [int(share) for share in exact]
    by_remainder = sorted(range(len(known)), key=lambda i: cells[i] - exact[i])
    for i in by_remainder[: width - sum(cells)]:
        cells[i] += 1
    return [(kind_of(key), count) for key, count in zip(known, cells, strict=True) if count]
