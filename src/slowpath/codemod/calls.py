"""Changes of calls: into a thread, behind an `await`, with another argument."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import libcst as cst
from libcst import matchers as m

from slowpath.codemod.change import Refused
from slowpath.codemod.region import Edit
from slowpath.codemod.spot import Edits, Spot, without_parens

_TO_THREAD = "asyncio.to_thread"
_ANYIO = "anyio.to_thread.run_sync"
_THREADPOOLS = ("fastapi.concurrency.run_in_threadpool", "starlette.concurrency.run_in_threadpool")
_SPACE = cst.SimpleWhitespace(" ")


@dataclass(frozen=True)
class Layout:
    """How a call is written.

    Attributes:
        width: 0 leaves it in one line, 1 gives its arguments a line of their own, 2 one to each.
        indent: what one step further in is, in this file.
    """

    width: int
    indent: str


def awaited(spot: Spot, call: cst.Call) -> Edit:
    """`f()` as `await f()`, in parentheses where something is done with what it gives.

    Raises:
        Refused: no `await` may stand there.
    """
    spot.require_awaitable(call)
    dug = _is_dug_into(spot, call)
    return lambda node: _await(node, dug)


def renamed(spot: Spot, call: cst.Call, name: str) -> Edit:
    """`f(...)` as `await name(...)`; `name` may have dots."""
    spot.require_awaitable(call)
    dug = _is_dug_into(spot, call)
    return lambda node: _await(node.with_changes(func=cst.parse_expression(name)), dug)


def in_thread(spot: Spot, calls: Sequence[cst.Call]) -> Edits:
    """`f(x)` as `await asyncio.to_thread(f, x)`, or by what the file uses for that already.

    Raises:
        Refused: no `await` may stand there, or the call cannot be handed over.
    """
    for call in calls:
        spot.require_awaitable(call)
        if not m.matches(call.func, m.Name() | m.Attribute() | m.Subscript() | m.Call()):
            raise Refused("What is called is no name that could be handed to a thread.")
        if _within_item(spot, call):
            raise Refused(
                "The call opens a `with` block, and what the block does would still be done on "
                "the event loop: move the whole block into a function for a thread."
            )
        if isinstance(spot.region.parent(call), cst.Raise):
            raise Refused("What is raised is made there; that is no work for a thread.")
    offload, partial = _offload(spot, calls)

    def edit(call: cst.Call, width: int) -> Edit:
        dug = _is_dug_into(spot, call)
        # Before Python 3.12 what stands in an f-string may have no line ends.
        wide = 0 if _is_in_text(spot, call) else width
        layout = Layout(wide, spot.region.module.default_indent)
        return lambda node: _await(_handed_over(node, offload, partial, layout), dug)

    return lambda width: {call: edit(call, width) for call in calls}


def _offload(spot: Spot, calls: Sequence[cst.Call]) -> tuple[str, str]:
    """What hands a call to a thread here, and what binds keywords where it takes none."""
    known = spot.source.imports.values()
    keywords = {arg.keyword.value for call in calls for arg in call.args if arg.keyword}
    keywords |= {"**" for call in calls for arg in call.args if arg.star == "**"}
    for pool in _THREADPOOLS:
        if pool in known and "func" not in keywords:
            return spot.name(pool), ""
    if spot.imports("anyio", "trio") and not spot.imports("asyncio"):
        return spot.name(_ANYIO), spot.name("functools.partial") if keywords else ""
    return spot.name(_TO_THREAD), ""


def _handed_over(call: cst.Call, offload: str, partial: str, layout: Layout) -> cst.Call:
    inner = without_parens(call)
    if partial:
        bound = with_first(inner, inner.func, layout.width).with_changes(
            func=cst.parse_expression(partial)
        )
        made = cst.Call(cst.parse_expression(offload), [cst.Arg(bound)])
    else:
        made = with_first(inner, inner.func, layout.width).with_changes(
            func=cst.parse_expression(offload)
        )
    return widened(made, layout)


def with_first(call: cst.Call, value: cst.BaseExpression, width: int = 0) -> cst.Call:
    """A call with one more argument in front, laid out like the others."""
    if not call.args:
        return call.with_changes(args=[cst.Arg(value)])
    space = _between(call, call.args[0])
    if width and isinstance(call.whitespace_before_args, cst.ParenthesizedWhitespace):
        space = _plain(call.whitespace_before_args)
    first = cst.Arg(value, comma=cst.Comma(whitespace_after=space))
    return call.with_changes(args=[first, *call.args])


def with_keyword(call: cst.Call, name: str, value: str) -> cst.Call:
    """A call with a keyword argument, in the place of one of that name or behind the others."""
    parsed = cst.parse_expression(value)
    args = list(call.args)
    for number, arg in enumerate(args):
        if arg.keyword is not None and arg.keyword.value == name:
            args[number] = arg.with_changes(value=parsed)
            return call.with_changes(args=args)
    equal = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
    new = cst.Arg(parsed, keyword=cst.Name(name), equal=equal)
    if not args:
        return call.with_changes(args=[new])
    last = args[-1]
    if isinstance(last.comma, cst.Comma):
        # A comma at the end stays one, and a comment behind it with the argument it follows.
        end = last.comma.whitespace_after
        space = _between(call, args[-2]) if len(args) > 1 else _plain(call.whitespace_before_args)
        if isinstance(end, cst.ParenthesizedWhitespace):
            if isinstance(space, cst.ParenthesizedWhitespace):
                space = space.with_changes(first_line=end.first_line)
            end = _plain(end)
        args[-1] = last.with_changes(comma=cst.Comma(whitespace_after=space))
        new = new.with_changes(comma=cst.Comma(whitespace_after=end))
    else:
        space = _between(call, args[-2]) if len(args) > 1 else _SPACE
        new = new.with_changes(whitespace_after_arg=last.whitespace_after_arg)
        args[-1] = last.with_changes(
            comma=cst.Comma(whitespace_after=space), whitespace_after_arg=cst.SimpleWhitespace("")
        )
    return call.with_changes(args=[*args, new])


def _between(call: cst.Call, arg: cst.Arg) -> cst.BaseParenthesizableWhitespace:
    """What stands behind the comma of an argument that is not the last, comments apart."""
    if len(call.args) > 1 and isinstance(arg.comma, cst.Comma):
        return _plain(arg.comma.whitespace_after)
    return _SPACE


def _plain(space: cst.BaseParenthesizableWhitespace) -> cst.BaseParenthesizableWhitespace:
    """A new line where there is one, without comments and empty lines; else a space."""
    if isinstance(space, cst.ParenthesizedWhitespace):
        return space.with_changes(first_line=cst.TrailingWhitespace(), empty_lines=())
    return _SPACE


def widened(call: cst.Call, layout: Layout) -> cst.Call:
    """A call with its arguments one step further in."""
    if not layout.width or not call.args:
        return call
    last = call.args[-1]
    known = isinstance(call.whitespace_before_args, cst.ParenthesizedWhitespace)
    if known or isinstance(last.comma, cst.Comma):
        return call
    step = cst.SimpleWhitespace(layout.indent)
    inside = cst.ParenthesizedWhitespace(indent=True, last_line=step)
    end = cst.ParenthesizedWhitespace(indent=True)
    args: list[Any] = [arg.visit(_Indenting(layout.indent)) for arg in call.args]
    if layout.width == 1:
        args[-1] = args[-1].with_changes(whitespace_after_arg=end)
    else:
        args = [arg.with_changes(comma=cst.Comma(whitespace_after=inside)) for arg in args]
        args[-1] = args[-1].with_changes(comma=cst.Comma(whitespace_after=end))
    return call.with_changes(whitespace_before_args=inside, args=args)


class _Indenting(cst.CSTTransformer):
    """Lines within parentheses one step further in."""

    def __init__(self, indent: str) -> None:
        super().__init__()
        self._indent = indent

    def leave_ParenthesizedWhitespace(
        self, original_node: cst.ParenthesizedWhitespace, updated_node: cst.ParenthesizedWhitespace
    ) -> cst.ParenthesizedWhitespace:
        last = cst.SimpleWhitespace(self._indent + updated_node.last_line.value)
        lines = [
            line.with_changes(whitespace=cst.SimpleWhitespace(self._indent + line.whitespace.value))
            if line.comment
            else line
            for line in updated_node.empty_lines
        ]
        return updated_node.with_changes(last_line=last, empty_lines=lines)


def _await(call: cst.BaseExpression, dug: bool) -> cst.BaseExpression:
    lpar, rpar = call.lpar, call.rpar
    if not lpar and dug:
        lpar, rpar = (cst.LeftParen(),), (cst.RightParen(),)
    return cst.Await(without_parens(call), lpar=lpar, rpar=rpar)


def _is_dug_into(spot: Spot, node: cst.CSTNode) -> bool:
    """Whether the value itself is read from or called: `f().x`, `f()[0]`, `f()()`."""
    parent = spot.region.parent(node)
    return (isinstance(parent, cst.Attribute | cst.Subscript) and parent.value is node) or (
        isinstance(parent, cst.Call) and parent.func is node
    )


def _is_in_text(spot: Spot, node: cst.CSTNode) -> bool:
    return any(isinstance(parent, cst.FormattedString) for _, parent in spot.region.around(node))


def _within_item(spot: Spot, call: cst.Call) -> bool:
    """Whether a call is what a `with` enters, or part of it."""
    for inner, parent in spot.region.around(call):
        if isinstance(parent, cst.WithItem):
            return parent.item is inner
        if isinstance(parent, cst.BaseStatement | cst.BaseSmallStatement):
            return False
    return False
