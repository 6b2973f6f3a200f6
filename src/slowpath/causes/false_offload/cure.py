"""The function itself for the thread; or, of a coroutine function, its await."""

from __future__ import annotations

from typing import Any

import libcst as cst

from slowpath.codemod import Change, Refused, Site, Spot
from slowpath.codemod.calls import with_first

_AS_IT_IS = frozenset({"to_thread", "run_in_threadpool"})
_NO_KEYWORDS = frozenset({"run_sync", "run_in_executor", "async_add_executor_job", "submit"})
_SECOND = frozenset({"run_in_executor"})


def cure(site: Site) -> Change:
    """Pass the function and what it takes."""
    spot = site.spot()
    if "coroutine function" in site.message:
        return _in_place(site, spot)
    call = spot.call(site.culprit_name, site.end_line)
    argument = spot.region.parent(call)
    outer = spot.region.parent(argument) if isinstance(argument, cst.Arg) else None
    if not isinstance(outer, cst.Call) or not isinstance(argument, cst.Arg):
        raise Refused("The result is not handed to the thread where it is made.")
    position = int(_name(outer) in _SECOND)
    if outer.args[position] is not argument or len(outer.args) > position + 1:
        raise Refused("More is handed to the thread than the result.")
    if argument.keyword is not None:
        raise Refused("The result is handed over by a keyword.")
    if _name(outer) not in _AS_IT_IS | _NO_KEYWORDS:
        raise Refused(f"How {_name(outer)} takes what a function needs is not known.")
    plain = all(arg.keyword is None and arg.star != "**" for arg in call.args)
    partial = "" if plain or _name(outer) in _AS_IT_IS else spot.name("functools.partial")

    def edit(node: Any) -> cst.Call:
        work = node.args[position].value
        if partial:
            bound = with_first(work, work.func).with_changes(func=cst.parse_expression(partial))
            args = [node.args[position].with_changes(value=bound)]
        else:
            args = [*with_first(work, work.func).args]
            args[-1] = args[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
        made: cst.Call = node.with_changes(args=[*node.args[:position], *args])
        return made

    return spot.change(
        {outer: edit},
        title=f"Pass {site.culprit_name} itself, so that the thread does the work.",
        look="The work may meet data there that only the event loop touched so far.",
    )


def _in_place(site: Site, spot: Spot) -> Change:
    """`to_thread(work, x)` of a coroutine function as `work(x)`."""
    found = [
        node
        for name in sorted(_AS_IT_IS | _NO_KEYWORDS)
        for node in _calls(spot, name, site.end_line)
    ]
    if len(found) != 1:
        raise Refused("Which call hands it over is not clear.")
    (outer,) = found
    if not isinstance(spot.region.parent(outer), cst.Await):
        raise Refused("What the thread gives back is not awaited here.")
    first = int(_name(outer) in _SECOND)
    if len(outer.args) <= first or not isinstance(
        outer.args[first].value, cst.Name | cst.Attribute
    ):
        raise Refused("The coroutine function is not handed over by its name.")
    if any(arg.keyword or arg.star for arg in outer.args) and _name(outer) in _NO_KEYWORDS:
        raise Refused("Some of the arguments are the thread's, not the function's.")

    def edit(node: Any) -> cst.Call:
        made: cst.Call = node.with_changes(
            func=node.args[first].value, args=list(node.args[first + 1 :])
        )
        return made

    return spot.change(
        {outer: edit},
        title=f"Await {site.culprit_name} itself; it is a coroutine function.",
        look="Its work is done now, and on the event loop: what blocks in it needs a thread still.",
    )


def _calls(spot: Spot, name: str, end_line: int) -> list[cst.Call]:
    try:
        return spot.calls(name, end_line)
    except Refused:
        return []


def _name(call: cst.Call) -> str:
    func = call.func
    if isinstance(func, cst.Attribute):
        return func.attr.value
    return func.value if isinstance(func, cst.Name) else ""
