"""Statements of SQLAlchemy as code writes them: `select(Model)` and `session.query(Model)`."""

from __future__ import annotations

from typing import Any

import libcst as cst
from libcst import matchers as m

from slowpath.codemod.change import Refused
from slowpath.codemod.region import Edit
from slowpath.codemod.spot import Spot

_SELECTS = m.Call(func=m.Name("select") | m.Attribute(attr=m.Name("select")))
_QUERIES = m.Call(func=m.Attribute(attr=m.Name("query")))


def selecting(spot: Spot, model: str = "") -> cst.Call:
    """The only `select(...)` or `.query(...)` of the function, of this model if it is named.

    Raises:
        Refused: there is none, or several.
    """
    function = spot.function()
    found = [
        node
        for node in spot.region.nodes
        if m.matches(node, _SELECTS | _QUERIES)
        and any(parent is function for _, parent in spot.region.around(node))
        and (not model or _of(spot, node, model))
    ]
    if len(found) != 1:
        number = "No" if not found else "More than one"
        what = f" of {model}" if model else ""
        raise Refused(f"{number} statement{what} is written in {spot.scope.qual}.")
    assert isinstance(found[0], cst.Call)
    return found[0]


def is_query(call: cst.Call) -> bool:
    """Whether it is of the older kind, where the order of the methods counts."""
    return m.matches(call, _QUERIES)


def _of(spot: Spot, node: cst.CSTNode, model: str) -> bool:
    assert isinstance(node, cst.Call)
    if len(node.args) != 1:
        return False
    name = spot.region.code(node.args[0].value).strip()
    return name.rpartition(".")[2] == model


def whole(spot: Spot, call: cst.Call) -> cst.BaseExpression:
    """The call with the methods that follow it: `select(M)` as `select(M).where(...)`."""
    node: cst.BaseExpression = call
    while True:
        attribute = spot.region.parent(node)
        if not (isinstance(attribute, cst.Attribute) and attribute.value is node):
            return node
        method = spot.region.parent(attribute)
        if not (isinstance(method, cst.Call) and method.func is attribute):
            return node
        node = method


def with_method(text: str) -> Edit:
    """`x` as `x.text`; `text` such as `limit(5)`."""

    def edit(node: Any) -> cst.BaseExpression:
        made = cst.parse_expression(f"x.{text}")
        assert isinstance(made, cst.Call)
        return made.with_deep_changes(made.func, value=node)

    return edit
