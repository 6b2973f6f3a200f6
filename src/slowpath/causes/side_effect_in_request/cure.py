"""A background task of FastAPI's."""

from __future__ import annotations

import ast
from typing import Any

import libcst as cst

from slowpath.codemod import Change, Refused, Site, Spot
from slowpath.codemod.calls import with_first
from slowpath.codemod.plain import is_route
from slowpath.codemod.source import Scope
from slowpath.codemod.spot import without_parens

_TASKS = "fastapi.BackgroundTasks"
# What a dependency closes before background tasks run.
_CLOSED = frozenset("session db db_session conn connection cursor tx transaction".split())


def cure(site: Site) -> Change:
    """Send it after the response."""
    spot = site.spot()
    node = spot.scope.node
    if node is None or not is_route(spot.source, node):
        raise Refused(f"{site.function} is not seen to be a route of FastAPI itself.")
    call = spot.call(site.culprit_name, site.end_line)
    statement = spot.statement(call)
    (only,) = statement.body
    if not isinstance(only, cst.Expr) or only.value not in (call, spot.region.parent(call)):
        raise Refused("What it gives is used.")
    given = {n.value for n in _names(call)}
    if given & _CLOSED:
        raise Refused(f"It uses {min(given & _CLOSED)}, which is closed once the response is made.")
    kind = spot.name(_TASKS)
    name, has = _parameter(spot, spot.scope)

    def later(node: Any) -> cst.Call:
        inner: Any = node.expression if isinstance(node, cst.Await) else node
        made = with_first(without_parens(inner), inner.func)
        return made.with_changes(func=cst.parse_expression(f"{name}.add_task"))

    edits: dict[cst.CSTNode, Any] = {only.value: later}
    if not has:
        edits[spot.function().params] = lambda params: _with_parameter(params, name, kind)
    return spot.change(
        edits,
        title=f"Do {site.culprit_name} in the background, after the response.",
        look="The caller is told that all is well before it is done, and of no failure.",
    )


def _names(call: cst.Call) -> list[cst.Name]:
    found: list[cst.Name] = []
    left: list[cst.CSTNode] = [call.func, *(arg.value for arg in call.args)]
    while left:
        node = left.pop()
        if isinstance(node, cst.Name):
            found.append(node)
        left.extend(node.children)
    return found


def _parameter(spot: Spot, scope: Scope) -> tuple[str, bool]:
    """The route's own background tasks, or a free name for them."""
    assert scope.node is not None
    for arg in (*scope.node.args.args, *scope.node.args.kwonlyargs):
        if arg.annotation is not None and ast.unparse(arg.annotation).endswith("BackgroundTasks"):
            return arg.arg, True
    return spot.source.free("background_tasks", "after_response"), False


def _with_parameter(params: cst.Parameters, name: str, kind: str) -> cst.Parameters:
    """One more parameter, in front of those that have defaults."""
    new = cst.Param(cst.Name(name), cst.Annotation(cst.parse_expression(kind)))
    own = list(params.params)
    place = next((i for i, each in enumerate(own) if each.default is not None), len(own))
    space: Any = cst.SimpleWhitespace(" ")
    for each in own:
        if isinstance(each.comma, cst.Comma) and isinstance(
            each.comma.whitespace_after, cst.ParenthesizedWhitespace
        ):
            raise Refused("The route's parameters stand on lines of their own; add one by hand.")
    if place == len(own) and own:
        own[-1] = own[-1].with_changes(comma=cst.Comma(whitespace_after=space))
        own.append(new)
    elif own:
        own.insert(place, new.with_changes(comma=cst.Comma(whitespace_after=space)))
    else:
        own = [new]
    return params.with_changes(params=own)
