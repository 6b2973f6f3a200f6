"""What a name stands for inside a function: what it binds, its parameters, what is injected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slowpath.program.extract import Ref
from slowpath.program.model import Function
from slowpath.program.values import Value, element, part, union

if TYPE_CHECKING:
    from slowpath.program.resolve import Program


def local_value(program: Program, function: Function, name: str) -> Value | None:
    module = function.module
    nested = module.functions.get(f"{function.qual}.{name}")
    if nested is not None and nested.cls is None:
        return ("fn", nested)
    inner = module.classes.get(f"{function.qual}.{name}")
    if inner is not None:
        return ("cls", inner)
    body = function.body
    if name in body.imports:
        return program.imported(*body.imports[name])
    found: list[Value] = []
    for stmt, position in reversed(body.bindings.get(name, ())):
        value = None
        if stmt.annotation is not None:
            value = program.annotation(function, stmt.annotation)
        if value is None and stmt.value is not None:
            value = program.value(function, stmt.value)
            if stmt.kind == "w":
                value = program.entered(value)
            elif stmt.kind == "f":
                value = element(value)
            elif stmt.kind == "g":
                value = None
            if position is not None:
                value = part(value, position)
        if value is not None and value not in found:
            found.append(value)
    param = _param(program, function, name)
    if param is not None and (not found or param[0] != "param"):
        found.append(param)
    return union(found)


def _param(program: Program, function: Function, name: str) -> Value | None:
    for position, (param, annotation, default) in enumerate(function.params):
        if param != name:
            continue
        owner = function.owner
        if position == 0 and owner is not None:
            kinds = program.decorator_names(function)
            if "builtins.staticmethod" not in kinds:
                first = "cls" if "builtins.classmethod" in kinds else "inst"
                return (first, owner)
        scope = function.scope
        value = program.annotation(scope, annotation) if annotation is not None else None
        if value is None or value[0] == "ext":
            given = _injected(program, scope, default) or _injected_by(program, scope, annotation)
            value = given or value
        if value is None and default is not None and default.__class__ is not tuple:
            value = program.value(scope, default)
        return value or ("param", function, name)
    return None


def _injected(program: Program, scope: Function, ref: Ref) -> Value | None:
    """What `Depends(get_x)` provides: get_x's result, or what it yields."""
    if ref.__class__ is not int:
        return None
    call = scope.body.calls[ref]
    if call.name not in ("Depends", "Security", "Provide", "Inject") or not call.args:
        return None
    target = program.value(scope, call.args[0])
    if target is None:
        return None
    if target[0] in ("fn", "meth"):
        value = program.returned(target[1])
        # An annotation speaks of the iterator, a bare `yield` of what it gives.
        return element(value) if value is not None and value[0] == "coll" else value
    return program.result(target, scope, call)


def _injected_by(program: Program, scope: Function, annotation: Ref) -> Value | None:
    if annotation.__class__ is tuple and annotation[0] == "[]":
        metadata = annotation[2]
        if metadata.__class__ is tuple and metadata[0] == "t":
            for each in metadata[1][1:]:
                value = _injected(program, scope, each)
                if value is not None:
                    return value
    return None
