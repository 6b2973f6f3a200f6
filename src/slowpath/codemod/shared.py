"""An object that a function makes for itself, made once for the whole module instead."""

from __future__ import annotations

import ast
import builtins
from typing import Any

import libcst as cst
from libcst import matchers as m

from slowpath.codemod.blocks import Renaming, one_item, spilled
from slowpath.codemod.change import Change, Refused
from slowpath.codemod.insert import above_function, bound_above
from slowpath.codemod.spot import Spot

_CLOSES = frozenset("close aclose disconnect shutdown dispose __aexit__ __exit__ aexit".split())


def made_once(
    spot: Spot, call: cst.Call, *, what: str, look: str, names: tuple[str, ...]
) -> Change:
    """Move `x = make(...)` or `with make(...) as x:` to the top of the module.

    Args:
        what: the object in words, such as "client".
        look: what to look at.
        names: for the object, in the order of preference.

    Raises:
        Refused: what it is made of is not known at the top of the module, or somebody closes it.
    """
    _require_known(spot, call)
    item = spot.region.parent(call)
    if isinstance(item, cst.WithItem) and item.item is call:
        block = spot.region.parent(item)
        assert isinstance(block, cst.With)
        edits, name = _unwrapped(spot, block, names)
    else:
        edits, name = _moved(spot, call, names)
    made = spot.region.code(call.with_changes(lpar=(), rpar=()))
    splice = above_function(spot.source, spot.line, f"{name} = {_flat(made)}")
    return spot.change(
        edits,
        title=f"Make the {what} once, for the whole module.",
        look=look,
        more=[splice],
    )


def _flat(code: str) -> str:
    """Code as it would stand without the indentation that it had."""
    return ast.unparse(ast.parse(code.strip(), mode="eval")) if "\n" in code else code


def _require_known(spot: Spot, call: cst.Call) -> None:
    known = bound_above(spot.source, spot.line) | set(dir(builtins))
    code = spot.region.code(call.with_changes(lpar=(), rpar=()))
    try:
        tree = ast.parse(code.strip(), mode="eval")
    except SyntaxError as exc:
        raise Refused("How it is made cannot be read.") from exc
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in known:
            raise Refused(f"It is made of {node.id}, which only the function knows.")
        if isinstance(node, ast.Await | ast.Yield | ast.NamedExpr | ast.Lambda):
            raise Refused("It is made in a way that only a function can.")
    if spot.scope.node is not None:
        bound = {
            node.id
            for node in ast.walk(spot.scope.node)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        } | {node.arg for node in ast.walk(spot.scope.node) if isinstance(node, ast.arg)}
        hidden = bound & {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        if hidden:
            raise Refused(f"It is made of {min(hidden)}, which is the function's own.")


def _unwrapped(
    spot: Spot, block: cst.With, names: tuple[str, ...]
) -> tuple[dict[cst.CSTNode, Any], str]:
    _, old = one_item(block)
    if not isinstance(block.body, cst.IndentedBlock):
        raise Refused("The `with` stands in one line with what it does.")
    spot.block(block)
    if old:
        _require_only(spot, old, block)
    name = spot.source.free(*names)

    def edit(node: Any) -> cst.FlattenSentinel[cst.BaseStatement]:
        inner = node.body.visit(Renaming(old, name)) if old else node.body
        return cst.FlattenSentinel(spilled(inner.body, node))

    return {block: edit}, name


def _moved(
    spot: Spot, call: cst.Call, names: tuple[str, ...]
) -> tuple[dict[cst.CSTNode, Any], str]:
    statement = spot.statement(call)
    (only,) = statement.body
    if not m.matches(only, m.Assign(targets=[m.AssignTarget(m.Name())])):
        raise Refused("It is made in the middle of an expression.")
    assert isinstance(only, cst.Assign)
    target = only.targets[0].target
    assert isinstance(target, cst.Name)
    if only.value is not call:
        raise Refused("It is made in the middle of an expression.")
    function = spot.function()
    block = spot.block(statement)
    if len(block.body) < 2:
        raise Refused("Nothing would be left of the block.")
    _require_only(spot, target.value, statement)
    name = spot.source.free(*names)

    def edit(node: Any) -> cst.FunctionDef:
        made = node.visit(Renaming(target.value, name))
        assert isinstance(made, cst.FunctionDef)
        return made

    return {statement: lambda node: cst.RemovalSentinel.REMOVE, function: edit}, name


def _require_only(spot: Spot, name: str, maker: cst.CSTNode) -> None:
    """See that a name stands for the object alone, and that nobody closes it.

    Raises:
        Refused: otherwise.
    """
    node = spot.scope.node
    for each in ast.walk(node) if node is not None else ():
        if isinstance(each, ast.Global | ast.Nonlocal) and name in each.names:
            raise Refused(f"{name} is a name of others as well.")
        if isinstance(each, ast.arg) and each.arg == name:
            raise Refused(f"{name} is a parameter as well.")
        if (
            isinstance(each, ast.Attribute)
            and each.attr in _CLOSES
            and isinstance(each.value, ast.Name)
            and each.value.id == name
        ):
            raise Refused(f"The function closes {name}; one for all must stay open.")
        if (
            isinstance(each, ast.Attribute)
            and not isinstance(each.ctx, ast.Load)
            and any(isinstance(part, ast.Name) and part.id == name for part in ast.walk(each))
        ):
            raise Refused(f"The function sets something of {name}, which others would then share.")
        if (
            isinstance(each, ast.withitem)
            and any(
                isinstance(part, ast.Name) and part.id == name
                for part in ast.walk(each.context_expr)
            )
            and isinstance(each.context_expr, ast.Name)
        ):
            raise Refused(f"The function closes {name} by a `with`; one for all must stay open.")
    stored = [
        each
        for each in (ast.walk(node) if node is not None else ())
        if isinstance(each, ast.Name) and each.id == name and not isinstance(each.ctx, ast.Load)
    ]
    if len(stored) > 1:
        raise Refused(f"{name} stands for more than one thing.")
    if isinstance(maker, cst.With) and node is not None:
        first, last = spot.region.lines(maker)
        for each in ast.walk(node):
            if isinstance(each, ast.Name) and each.id == name and not first <= each.lineno <= last:
                raise Refused(f"{name} is used behind its block as well.")
