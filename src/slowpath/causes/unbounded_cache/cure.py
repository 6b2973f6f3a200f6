"""A bound for what a cache keeps."""

from __future__ import annotations

import ast
import re
from typing import Any

import libcst as cst
from libcst import matchers as m

from slowpath.codemod import Change, Refused, Site, Spot
from slowpath.codemod.calls import with_keyword
from slowpath.codemod.source import dotted_name

MOST = 1000
_CACHE = re.compile(r"cache|memo", re.I)
_DICTS = frozenset({"dict", "collections.OrderedDict"})


def cure(site: Site) -> Change:
    """Drop the oldest entry beyond a number, or bound a queue."""
    spot = site.spot()
    if site.culprit == "asyncio.Queue":
        return _queue(site, spot)
    return _mapping(site, spot)


def _queue(site: Site, spot: Spot) -> Change:
    (name,) = [n for n in ("Queue", "LifoQueue", "PriorityQueue") if _has(spot, n, site)] or [""]
    call = spot.call(name, site.end_line)
    return spot.change(
        {call: lambda node: with_keyword(node, "maxsize", str(MOST))},
        title=f"Let the queue hold at most {MOST}.",
        look="A full queue makes `put` wait and `put_nowait` raise: whoever fills it must bear it.",
    )


def _has(spot: Spot, name: str, site: Site) -> bool:
    try:
        return bool(spot.calls(name, site.end_line))
    except Refused:
        return False


def _mapping(site: Site, spot: Spot) -> Change:
    name = site.culprit
    if not _CACHE.search(name):
        raise Refused(f"When an entry of {name} is over, only its author knows.")
    _, value = spot.source.assigned.get(name, (0, None))
    is_dict = isinstance(value, ast.Dict) or (
        isinstance(value, ast.Call) and spot.source.dotted(dotted_name(value.func)) in _DICTS
    )
    if not is_dict:
        raise Refused(f"{name} is no plain dict of this module, so its oldest entry is not known.")
    stored = m.SimpleStatementLine(
        body=[m.Assign(targets=[m.AssignTarget(m.Subscript(value=m.Name(name)))])]
    )
    found = [
        node
        for node in spot.region.nodes
        if isinstance(node, cst.SimpleStatementLine)
        and m.matches(node, stored)
        and spot.region.lines(node.body[0])[0] == site.line
    ]
    if len(found) != 1:
        raise Refused(f"No line stores one entry in {name} there.")
    spot.block(found[0])

    def edit(node: Any) -> cst.FlattenSentinel[cst.BaseStatement]:
        bound = cst.parse_statement(
            f"if len({name}) > {MOST}:\n    {name}.pop(next(iter({name})))\n",
            config=spot.region.module.config_for_parsing,
        )
        return cst.FlattenSentinel([node, bound])

    return spot.change(
        {found[0]: edit},
        title=f"Keep at most {MOST} entries in {name}, the oldest goes.",
        look=f"What falls out is made again: {MOST} is a guess.",
    )
