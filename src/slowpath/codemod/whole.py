"""A `with` block that waits for files, as a function of its own that a thread runs."""

from __future__ import annotations

from typing import Any

import libcst as cst
from libcst import matchers as m

from slowpath.codemod.blocks import is_label
from slowpath.codemod.change import Change, Refused
from slowpath.codemod.spot import Spot

_THREAD = "asyncio.to_thread"
# They mean something else one function further in.
_PLACE_BOUND = ("super", "locals", "vars", "__class__")


def opened_by(spot: Spot, call: cst.Call) -> cst.With | None:
    """The plain `with` block that a call opens, itself, if it does."""
    item = spot.region.parent(call)
    block = spot.region.parent(item) if isinstance(item, cst.WithItem) else None
    if not isinstance(block, cst.With) or block.asynchronous is not None:
        return None
    return block


def block_in_thread(spot: Spot, block: cst.With, what: str) -> Change:
    """Hand a block of one statement to a thread, with what it opens and closes.

    Raises:
        Refused: it does more than one thing, or something that only its own function can.
    """
    small = _only_statement(spot, block)
    target, value = _taken_apart(small)
    names = m.OneOf(*(m.Name(name) for name in _PLACE_BOUND))
    if any(m.findall(block, kind) for kind in (m.Await(), m.Yield(), m.NamedExpr())) or (
        m.findall(block, names)
    ):
        raise Refused("The block does something that only its own function can.")
    _require_own_names(spot, block)
    spot.block(block)
    offload = spot.name(_THREAD)
    known = target if target is not None and target.isidentifier() else "it"
    name = spot.source.free(f"{'write' if target is None else 'read'}_{known}", "in_thread")
    handed = cst.parse_expression(f"await {offload}({name})")

    def edit(node: Any) -> cst.FlattenSentinel[cst.BaseStatement]:
        line = node.body.body[0]
        result = line.body[0] if target is None else cst.Return(value)
        inner = node.body.with_changes(body=[line.with_changes(body=[result])])
        work = cst.FunctionDef(
            cst.Name(name),
            cst.Parameters(),
            cst.IndentedBlock([node.with_changes(leading_lines=(), body=inner)]),
            leading_lines=node.leading_lines,
        )
        if isinstance(small, cst.Assign):
            after: cst.BaseSmallStatement = small.with_changes(value=handed)
        elif isinstance(small, cst.Return):
            after = cst.Return(handed)
        else:
            after = cst.Expr(handed)
        empty = cst.EmptyLine(indent=False)
        return cst.FlattenSentinel([work, cst.SimpleStatementLine([after], [empty])])

    return spot.change(
        {block: edit},
        title=f"Hand the block that {what} opens to a thread.",
        look="The block runs beside other code now: what it works on must bear that.",
    )


def _only_statement(spot: Spot, block: cst.With) -> cst.BaseSmallStatement:
    body = block.body.body
    if (
        not isinstance(block.body, cst.IndentedBlock)
        or len(body) != 1
        or not isinstance(body[0], cst.SimpleStatementLine)
        or len(body[0].body) != 1
    ):
        raise Refused(
            "The call opens a `with` block, and what the block does would still be done on the "
            "event loop: move the whole block into a function for a thread."
        )
    return body[0].body[0]


def _taken_apart(small: cst.BaseSmallStatement) -> tuple[str | None, cst.BaseExpression | None]:
    """The name that a statement gives its value ("" for a return), and the value.

    Raises:
        Refused: it is a statement of another kind.
    """
    if m.matches(small, m.Assign(targets=[m.AssignTarget(m.Name())])):
        assert isinstance(small, cst.Assign)
        target = small.targets[0].target
        assert isinstance(target, cst.Name)
        return target.value, small.value
    if isinstance(small, cst.Return) and small.value is not None:
        return "", small.value
    if isinstance(small, cst.Expr):
        return None, small.value
    raise Refused("The block does what no function could do for it.")


def _require_own_names(spot: Spot, block: cst.With) -> None:
    """See that the names that the block is given are used nowhere else in the function.

    Raises:
        Refused: one is.
    """
    names = {
        item.asname.name.value
        for item in block.items
        if item.asname is not None and isinstance(item.asname.name, cst.Name)
    }
    if len(names) != sum(item.asname is not None for item in block.items):
        raise Refused("The `with` takes what it enters apart.")
    first, last = spot.region.lines(block)
    for node in spot.region.nodes:
        if not isinstance(node, cst.Name) or node.value not in names:
            continue
        line = spot.region.lines(node)[0]
        here = spot.scope.first <= line <= spot.scope.last and not first <= line <= last
        if here and not is_label(node, spot.region.parent(node)):
            raise Refused(f"{node.value} is used outside of its block as well.")
