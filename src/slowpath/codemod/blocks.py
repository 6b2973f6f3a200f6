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
    """Whether a name is read or bound in some statements, attributes and keywords apart."""
    return any(not isinstance(node, cst.Attribute | cst.Arg) for node in _named(nodes, name))


def _named(nodes: Sequence[cst.CSTNode], name: str) -> list[cst.CSTNode]:
    """The nodes right above each occurrence of a name; attributes where it is only that."""
    found: list[cst.CSTNode] = []
    left: list[tuple[cst.CSTNode, cst.CSTNode]] = [(each, each) for each in nodes]
    while left:
        node, parent = left.pop()
        if isinstance(node, cst.Name) and node.value == name:
            attribute = isinstance(parent, cst.Attribute) and parent.attr is node
            keyword = isinstance(parent, cst.Arg) and parent.keyword is node
            found.append(parent if attribute or keyword else node)
        left.extend((child, node) for child in node.children)
    return found


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
