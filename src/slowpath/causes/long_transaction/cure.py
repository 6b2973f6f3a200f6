"""The end of the block before the wait, where nothing behind it needs the session."""

from __future__ import annotations

import re
from typing import Any

import libcst as cst

from slowpath.codemod import Change, Refused, Site, Spot
from slowpath.codemod.blocks import one_item, uses

_LINE = re.compile(r"\(line (\d+)\) is held")


def cure(site: Site) -> Change:
    """Move the wait, and all that follows it, out of the session's block."""
    line = _LINE.search(site.message)
    if line is None:
        raise Refused(
            "The session is not opened by a block of this function: open it where it is needed."
        )
    spot = site.spot()
    call = spot.call(site.culprit_name, site.end_line)
    block = _block(spot, call, int(line[1]))
    _, name = one_item(block)
    assert isinstance(block.body, cst.IndentedBlock)
    body = list(block.body.body)
    parents = {parent for _, parent in spot.region.around(call)} | {call}
    number = next(i for i, each in enumerate(body) if each in parents)
    moved = body[number:]
    if not number:
        raise Refused("The wait comes first in the block: nothing of the session is done before.")
    if name and uses(moved, name):
        raise Refused(f"What follows the wait needs {name}.")
    if not name:
        raise Refused("What the block holds has no name, so what needs it cannot be told.")

    def edit(node: Any) -> cst.FlattenSentinel[cst.BaseStatement]:
        inner = node.body.with_changes(body=node.body.body[:number], footer=())
        return cst.FlattenSentinel([node.with_changes(body=inner), *node.body.body[number:]])

    spot.block(block)
    return spot.change(
        {block: edit},
        title=f"End the block of {name} before the wait.",
        look="What was read may be expired or have changed by then; a failure leaves it committed.",
    )


def _block(spot: Spot, call: cst.Call, line: int) -> cst.With:
    for _, parent in spot.region.around(call):
        if isinstance(parent, cst.With) and spot.region.lines(parent)[0] <= line:
            if not isinstance(parent.body, cst.IndentedBlock):
                break
            return parent
    raise Refused(f"The block at line {line} does not hold the call any more.")
