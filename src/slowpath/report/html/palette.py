"""The page's colour of each activity, for ever.

Hues are those of the terminal's report, in the shades of Okabe and Ito that people with any colour
vision tell apart; kinds of one hue differ in lightness. Colour is never alone: waits are hatched,
and every bar has its kind's letter or name.
"""

from __future__ import annotations

from slowpath.ledger import ACTIVITIES
from slowpath.report.html.model import KindData
from slowpath.report.kinds import KINDS, kind_of

COLOURS = {
    "loop": "#d55e00",
    "handler": "#e07b2d",
    "dependency": "#ee9b5b",
    "middleware": "#b34700",
    "loop_wait": "#e8804f",
    "pool_wait": "#3d8fd1",
    "http_pool_wait": "#d98fbb",
    "thread_wait": "#2fb391",
    "lock_wait": "#d9c829",
    "sql": "#0072b2",
    "fetch": "#2a86c4",
    "transaction": "#00558a",
    "checkout": "#9dbfdb",
    "hydrate": "#56b4e9",
    "http": "#cc79a7",
    "connect": "#a8537f",
    "cache": "#8fd0f2",
    "validate": "#e69f00",
    "serialize": "#f0b93a",
    "render": "#c78500",
    "send": "#f5d58a",
    "receive": "#ead9a8",
    "thread": "#009e73",
    "lock": "#b5a500",
    "sleep": "#8a8f98",
    "gc": "#5d6470",
    "await": "#a9afb8",
    "unattributed": "#cdd1d6",
}
OTHER = "#bbbbbb"
_WAITS = {"loop_wait", "pool_wait", "http_pool_wait", "thread_wait", "lock_wait"}


def kinds() -> list[KindData]:
    """Return how each activity is shown, by its code; codes that are none are grey."""
    names = {code: name for name, code in ACTIVITIES.items()}
    ranks = {activity: rank for rank, activity in enumerate(KINDS)}
    found: list[KindData] = []
    for code in range(max(names) + 1):
        activity = names.get(code, "")
        kind = kind_of(activity)
        found.append(
            {
                "activity": activity,
                "letter": kind.letter,
                "name": kind.name,
                "meaning": kind.meaning,
                "colour": COLOURS.get(activity, OTHER),
                "wait": activity in _WAITS,
                "rank": ranks.get(activity, len(ranks)),
            }
        )
    return found
