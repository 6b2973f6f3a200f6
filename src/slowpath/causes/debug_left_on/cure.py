"""The switch, off."""

from __future__ import annotations

import re

import libcst as cst

from slowpath.codemod import Change, Refused, Site
from slowpath.codemod.calls import with_keyword

# The culprit is written `name(switch=True)` or `set_debug(True)`.
_CULPRIT = re.compile(r"(\w+)\((?:(\w+)=)?True\)$")


def cure(site: Site) -> Change:
    """Turn the switch off where it stands."""
    match = _CULPRIT.search(site.culprit)
    if match is None:
        raise Refused("What is switched on is not known.")
    name, switch = match[1], match[2]
    spot = site.spot()
    call = spot.call(name, site.end_line)
    look = "Whoever reads what it says, or relies on it while developing, must turn it on."
    if switch is None:
        off = cst.parse_expression("False")
        edits = {call: lambda node: node.with_changes(args=[node.args[0].with_changes(value=off)])}
    else:
        edits = {call: lambda node: with_keyword(node, switch, "False")}
    return spot.change(edits, title=f"Turn {switch or name} off.", look=look)
