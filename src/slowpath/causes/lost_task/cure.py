"""A set of the module that keeps the task until it is done."""

from __future__ import annotations

from typing import Any

import libcst as cst
from libcst import matchers as m

from slowpath.codemod import Change, Refused, Site, Spot
from slowpath.codemod.imports import head_of
from slowpath.codemod.insert import above_function, behind_imports
from slowpath.codemod.source import imported

_MAKERS = ("create_task", "ensure_future")
_TASKS = frozenset({"asyncio.create_task", "asyncio.ensure_future"})
_LOOPS = frozenset({"asyncio.get_running_loop", "asyncio.get_event_loop", "asyncio.new_event_loop"})


def cure(site: Site) -> Change:
    """Keep the task as asyncio's own documentation does."""
    spot = site.spot()
    call = _maker(spot, site)
    statement = spot.statement(call)
    spot.block(statement)
    (only,) = statement.body
    kept, splices = _kept(spot)
    if isinstance(only, cst.Expr) and only.value is call:
        name = spot.source.free("task", "background_task", "kept_task")
        first = m.matches(only, m.Expr())
    elif m.matches(only, m.Assign(targets=[m.AssignTarget(m.Name())])):
        assert isinstance(only, cst.Assign)
        target = only.targets[0].target
        if only.value is not call or not isinstance(target, cst.Name):
            raise Refused("The task is part of a larger expression.")
        name, first = target.value, False
    else:
        raise Refused("The task is made in a larger statement, which would have to be taken apart.")

    def edit(node: Any) -> cst.FlattenSentinel[cst.BaseStatement]:
        lines: list[Any] = [node]
        if first:
            # A comment above belongs to the task, one behind to the statement.
            made = cst.Assign([cst.AssignTarget(cst.Name(name))], node.body[0].value)
            lines = [node.with_changes(body=[made])]
        for text in (f"{kept}.add({name})", f"{name}.add_done_callback({kept}.discard)"):
            lines.append(cst.parse_statement(text))
        return cst.FlattenSentinel(lines)

    owner = call.func.value if isinstance(call.func, cst.Attribute) else None
    known = spot.dotted(call.func) in _TASKS or (owner is not None and _is_loop(spot, owner))
    return spot.change(
        {statement: edit},
        title=f"Keep the task in {kept} until it is done.",
        look="" if known else "See that what is made there is a task of asyncio's.",
        more=splices,
    )


def _is_loop(spot: Spot, owner: cst.BaseExpression) -> bool:
    """Whether an object is the event loop, as the function itself got it."""
    if isinstance(owner, cst.Call):
        return spot.dotted(owner.func) in _LOOPS
    name = spot.region.code(owner)
    return any(
        isinstance(node, cst.Assign)
        and m.matches(node, m.Assign(targets=[m.AssignTarget(m.Name(name))]))
        and isinstance(node.value, cst.Call)
        and spot.dotted(node.value.func) in _LOOPS
        for node in spot.region.nodes
    )


def _maker(spot: Spot, site: Site) -> cst.Call:
    for name in (site.culprit_name, *_MAKERS):
        if name in _MAKERS:
            try:
                return spot.call(name, site.end_line)
            except Refused:
                continue
    raise Refused(f"No single task is made at {site.path}:{site.line}.")


def _kept(spot: Spot) -> tuple[str, list[Any]]:
    """The module's own set for tasks, or one that is added."""
    source = spot.source
    for name, (_, value) in source.assigned.items():
        if f".add_done_callback({name}.discard)" in source.text and value is not None:
            return name, []
    name = source.free("_background_tasks", "_kept_tasks")
    known = any(imported(each).get("asyncio") == "asyncio" for each in head_of(source))
    made = f"{name}: set[asyncio.Task] = set()" if known else f"{name} = set()"
    place = behind_imports(source, made) or above_function(source, spot.line, made)
    return name, [place]
