"""Two awaits as one `gather`."""

from __future__ import annotations

from typing import Any

import libcst as cst
from libcst import matchers as m

from slowpath.codemod import Change, Refused, Site, Spot
from slowpath.codemod.calls import widened

_GATHER = "asyncio.gather"
_ONE = m.SimpleStatementLine(
    body=[m.Assign(targets=[m.AssignTarget(m.Name())], value=m.Await(m.Call()))]
)


def cure(site: Site) -> Change:
    """Start both calls before waiting for either."""
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
    first = block.body[number - 1] if number else None
    if first is None or not (m.matches(first, _ONE) and m.matches(second, _ONE)):
        raise Refused("The two awaits are no plain assignments, one right after the other.")
    assert isinstance(first, cst.SimpleStatementLine)
    if any(line.comment for line in second.leading_lines) or first.trailing_whitespace.comment:
        raise Refused("A comment stands between the two awaits; it would lose its place.")
    one, two = first.body[0], second.body[0]
    assert isinstance(one, cst.Assign)
    assert isinstance(two, cst.Assign)
    _require_independent(spot, one, two)
    gather = spot.name(_GATHER)

    def made(width: int) -> dict[cst.CSTNode, Any]:
        both = cst.Call(cst.parse_expression(gather), [_arg(one), _arg(two)])
        value = cst.Await(widened(both, width))
        names = cst.Tuple(
            [cst.Element(each.targets[0].target) for each in (one, two)], lpar=(), rpar=()
        )
        whole = cst.Assign([cst.AssignTarget(names)], value)
        return {
            first: lambda node: node.with_changes(
                body=[whole], trailing_whitespace=second.trailing_whitespace
            ),
            second: lambda node: cst.RemovalSentinel.REMOVE,
        }

    return spot.change(
        made,
        title=f"Await both calls at once, with {gather}.",
        look="Both calls start before the first error is seen; see that neither needs the other.",
    )


def _awaited(assign: cst.Assign) -> cst.BaseExpression:
    assert isinstance(assign.value, cst.Await)
    return assign.value.expression


def _arg(assign: cst.Assign) -> cst.Arg:
    return cst.Arg(_awaited(assign))


def _require_independent(spot: Spot, one: cst.Assign, two: cst.Assign) -> None:
    name = one.targets[0].target
    assert isinstance(name, cst.Name)
    if m.findall(two, m.Name(name.value)):
        raise Refused(f"The second await needs {name.value}, which the first one gives.")
    if any(m.findall(each, m.NamedExpr()) for each in (one, two)):
        raise Refused("One of the calls binds a name on its way.")
