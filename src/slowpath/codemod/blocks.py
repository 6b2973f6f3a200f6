"""Statements moved out of the block that they stand in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import libcst as cst
from libcst import matchers as m

from slowpath.codemod.change import Refused


def spilled(body: Sequence[Any], around: Any) -> list[Any]:
    """The statements of a block as they stand where the block stood, its comments kept."""
    first, *rest = body
    lead = [*around.leading_lines]
    comment = around.body.header.comment
    if comment is not None:
        lead.append(cst.EmptyLine(comment=comment))
    return [first.with_changes(leading_lines=[*lead, *first.leading_lines]), *rest]


def uses(nodes: Sequence[cst.CSTNode], name: str) -> bool:
    """Whether a name is read or bound in some statements."""
    left = list(nodes)
    while left:
        node = left.pop()
        if isinstance(node, cst.Name) and node.value == name:
            return True
        left += [child for child in node.children if not is_label(child, node)]
    return False


def is_label(node: cst.CSTNode, parent: cst.CSTNode | None) -> bool:
    """Whether a name is that of an attribute or a keyword, not of a variable."""
    return (isinstance(parent, cst.Attribute) and parent.attr is node) or (
        isinstance(parent, cst.Arg) and parent.keyword is node
    )


def one_item(block: cst.With) -> tuple[cst.BaseExpression, str]:
    """What a `with` enters, and the name it is given.

    Raises:
        Refused: it enters several things, or gives no plain name.
    """
    if len(block.items) != 1:
        raise Refused("The `with` enters more than one thing.")
    (item,) = block.items
    if item.asname is None:
        return item.item, ""
    if not m.matches(item.asname.name, m.Name()):
        raise Refused("The `with` takes what it enters apart.")
    assert isinstance(item.asname.name, cst.Name)
    return item.item, item.asname.name.value


class Renaming(cst.CSTTransformer):
    """Another name for a variable; attributes and keywords of that name stay."""

    def __init__(self, old: str, new: str) -> None:
        super().__init__()
        self._old, self._new = old, new

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.Name:
        if updated_node.value == self._old:
            return updated_node.with_changes(value=self._new)
        return updated_node

    def leave_Attribute(
        self, original_node: cst.Attribute, updated_node: cst.Attribute
    ) -> cst.Attribute:
        return updated_node.with_changes(attr=original_node.attr)

    def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> cst.Arg:
        return updated_node.with_changes(keyword=original_node.keyword)
