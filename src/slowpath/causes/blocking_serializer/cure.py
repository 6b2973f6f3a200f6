"""orjson, where the project uses it and the text goes into a response."""

from __future__ import annotations

from typing import Any

import libcst as cst
from libcst import matchers as m

from slowpath.codemod import Change, Refused, Site, Spot
from slowpath.codemod.blocks import is_label

_ENCODERS = frozenset({"json.dumps", "simplejson.dumps", "ujson.dumps"})
_FAST = "orjson.dumps"


def cure(site: Site) -> Change:
    """Encode with orjson."""
    spot = site.spot()
    call = spot.call(site.culprit_name or "dumps", site.end_line)
    if spot.dotted(call.func) not in _ENCODERS:
        raise Refused(
            f"{site.culprit} holds the GIL while it encodes, in a thread as well: make the data "
            "smaller, or send it in pieces."
        )
    if not site.project.mentions("orjson"):
        raise Refused(
            "json holds the GIL while it encodes, in a thread as well; a faster encoder, such as "
            "orjson, is not among what the project uses."
        )
    if len(call.args) != 1 or call.args[0].keyword or call.args[0].star:
        raise Refused("json.dumps is told how to write; orjson is told so in other words.")
    if not _is_body(spot, call):
        raise Refused("The text is used as such; orjson gives bytes.")
    name = spot.name(_FAST)

    def edit(node: Any) -> cst.Call:
        made: cst.Call = node.with_changes(func=cst.parse_expression(name))
        return made

    return spot.change(
        {call: edit},
        title="Encode with orjson.",
        look="orjson writes no spaces, and treats dates, NaN and keys in its own way.",
    )


def _is_body(spot: Spot, call: cst.Call) -> bool:
    """Whether the text goes into a response and nowhere else."""
    parent = spot.region.parent(call)
    if isinstance(parent, cst.Arg):
        return _is_response(spot.region.parent(parent))
    if not isinstance(parent, cst.Assign) or len(parent.targets) != 1:
        return False
    target = parent.targets[0].target
    if not isinstance(target, cst.Name):
        return False
    uses = [
        node
        for node in spot.region.nodes
        if m.matches(node, m.Name(target.value))
        and node is not target
        and not is_label(node, spot.region.parent(node))
    ]
    return len(uses) == 1 and (
        isinstance(given := spot.region.parent(uses[0]), cst.Arg)
        and _is_response(spot.region.parent(given))
    )


def _is_response(node: cst.CSTNode | None) -> bool:
    """A class of its own encodes what it is given, so only the plain one takes text."""
    return m.matches(
        node if node is not None else cst.Pass(),
        m.Call(func=m.Name("Response") | m.Attribute(attr=m.Name("Response"))),
    )
