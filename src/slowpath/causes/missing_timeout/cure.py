"""A bound for how long a peer may stay silent."""

from __future__ import annotations

from typing import Any

import libcst as cst
from libcst import matchers as m

from slowpath.codemod import Change, Refused, Site, Spot
from slowpath.codemod.calls import with_keyword

SECONDS = "10"
_LOOK = f"{SECONDS} seconds are a guess: what takes longer fails now, and the caller must bear it."
# Their timeouts are objects, not numbers.
_OBJECTS = {"aiohttp": ("aiohttp.ClientTimeout", "total=")}


def cure(site: Site) -> Change:
    """Give the call a timeout."""
    spot = site.spot()
    call = spot.call(site.culprit_name, site.end_line)
    if any(arg.star for arg in call.args):
        raise Refused("Arguments are unpacked into the call; a timeout may be among them.")
    value = SECONDS
    made = _OBJECTS.get(site.culprit.partition(".")[0])
    if made is not None:
        value = f"{spot.name(made[0])}({made[1]}{SECONDS})"
    inner = _endless(spot, call)
    edits: dict[cst.CSTNode, Any]
    if inner is not None:
        # `httpx.Timeout(None)`: the object says it.
        edits = {inner: lambda node: cst.parse_expression(SECONDS)}
    else:
        edits = {call: lambda node: with_keyword(node, "timeout", value)}
    return spot.change(
        edits, title=f"Wait at most {SECONDS} seconds for {site.culprit}.", look=_LOOK
    )


def _endless(spot: Spot, call: cst.Call) -> cst.BaseExpression | None:
    """The `None` in a timeout object that is given, if it is all there is."""
    for arg in call.args:
        if arg.keyword is not None and arg.keyword.value == "timeout":
            if not isinstance(arg.value, cst.Call):
                return None
            given = arg.value.args
            if len(given) == 1 and m.matches(given[0].value, m.Name("None")):
                return given[0].value
            raise Refused("The timeout given has more parts than one.")
    return None
