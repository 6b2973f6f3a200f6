"""Awaits as one `gather`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import libcst as cst
from libcst import matchers as m

from slowpath.codemod import Change, Refused, Site, Spot
from slowpath.codemod.blocks import uses
from slowpath.codemod.calls import Layout, widened

_GATHER = "asyncio.gather"
_ONE = m.SimpleStatementLine(
    body=[m.Assign(targets=[m.AssignTarget(m.Name())], value=m.Await(m.Call()))]
)


def cure(site: Site) -> Change:
    """Start the calls before waiting for any."""
    if "loop at line" in site.message:
        raise Refused(
            "For the items of a loop it takes a bound as well, which only their number can tell."
        )
    if "read the same rows" in site.message:
        raise Refused("Both use one session, which runs one statement at a time.")
    spot = site.spot()
    call = spot.call(site.culprit_name, site.end_line)
    second = spot.statement(call)
    block = spot.block(second)
    number = list(block.body).index(second)
    together = _together(spot, block.body[max(0, number - 1) :])
    if not number or len(together) < 2 or second not in together:
        raise Refused("The two awaits are no plain assignments, one right after the other.")
    gather = spot.name(_GATHER)
    calls = [_awaited(each) for each in together]
    indent = spot.region.module.default_indent
    lines = any("\n" in spot.region.code(each) for each in calls)

    def made(width: int) -> dict[cst.CSTNode, Any]:
        whole = cst.Call(cst.parse_expression(gather), [cst.Arg(each) for each in calls])
        names = cst.Tuple([cst.Element(_name(each)) for each in together], lpar=(), rpar=())
        assign = cst.Assign(
            [cst.AssignTarget(names)],
            cst.Await(widened(whole, Layout(2 if lines else width, indent))),
        )
        end = together[-1].trailing_whitespace
        edits: dict[cst.CSTNode, Any] = {
            each: lambda node: cst.RemovalSentinel.REMOVE for each in together[1:]
        }
        edits[together[0]] = lambda node: node.with_changes(body=[assign], trailing_whitespace=end)
        return edits

    return spot.change(
        made,
        title=f"Await {'both' if len(calls) == 2 else f'all {len(calls)}'} calls at once.",
        look="All start before the first error is seen; see that none needs another.",
    )


def _together(spot: Spot, statements: Sequence[cst.CSTNode]) -> list[cst.SimpleStatementLine]:
    """The first two, and what follows and calls the same as the second, each for itself.

    Raises:
        Refused: the second needs the first, or a comment would lose its place.
    """
    found: list[cst.SimpleStatementLine] = []
    for each in statements:
        if not m.matches(each, _ONE):
            break
        assert isinstance(each, cst.SimpleStatementLine)
        more = len(found) > 1
        if more and spot.region.code(_func(each)) != spot.region.code(_func(found[1])):
            break
        needed = [_name(one).value for one in found if uses([each], _name(one).value)]
        commented = found and (
            any(line.comment for line in each.leading_lines)
            or found[-1].trailing_whitespace.comment is not None
        )
        if more and (needed or commented or m.findall(each, m.NamedExpr())):
            break
        if needed:
            raise Refused(f"The second await needs {needed[0]}, which the first one gives.")
        if commented:
            raise Refused("A comment stands between the two awaits; it would lose its place.")
        if m.findall(each, m.NamedExpr()):
            raise Refused("One of the calls binds a name on its way.")
        found.append(each)
    return found


def _assign(statement: cst.SimpleStatementLine) -> cst.Assign:
    (only,) = statement.body
    assert isinstance(only, cst.Assign)
    return only


def _name(statement: cst.SimpleStatementLine) -> cst.Name:
    name = _assign(statement).targets[0].target
    assert isinstance(name, cst.Name)
    return name


def _awaited(statement: cst.SimpleStatementLine) -> cst.BaseExpression:
    value = _assign(statement).value
    assert isinstance(value, cst.Await)
    return value.expression


def _func(statement: cst.SimpleStatementLine) -> cst.BaseExpression:
    call = _awaited(statement)
    assert isinstance(call, cst.Call)
    return call.func
