"""What calls give: what is called, what it returns, what a `with` binds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slowpath.program import outside
from slowpath.program.model import Call, Function
from slowpath.program.values import Value, argument, union

if TYPE_CHECKING:
    from slowpath.program.resolve import Program

# A function with more statements is not read for what it returns.
_LONGEST = 400


def callee(program: Program, function: Function, index: int) -> Value | None:
    if index >= len(function.body.calls):
        return None  # of another definition under this name
    func = function.body.calls[index].func
    if func.__class__ is tuple and func[0] == "." and func[1].__class__ is int:
        inner = function.body.calls[func[1]]
        if inner.func == "super":
            return _super(program, function, func[2])
    return program.value(function, func)


def _super(program: Program, function: Function, chain: str) -> Value | None:
    owner = function.owner
    if owner is None:
        return None
    name, _, rest = chain.partition(".")
    value: Value | None = None
    for each in program.mro(owner)[1:]:
        if isinstance(each, str):
            value = ("ext", f"{each}.{name}")
            break
        method, _, _ = program.member(each, name)
        if method is not None:
            value = ("meth", method, owner)
            break
    return program.attrs(value, rest) if rest and value is not None else value


def result(program: Program, target: Value | None, function: Function, call: Call) -> Value | None:
    """What calling `target` gives; awaiting it is taken for granted."""
    if target is None:
        return None
    kind = target[0]
    if kind == "cls":
        return ("inst", target[1])
    if kind in ("fn", "meth"):
        value = program.returned(target[1])
        if target[1].is_generator and not program.is_context_manager(target[1]):
            return value if value is None or value[0] == "coll" else ("coll", value)
        if value is not None and value[0] == "param":
            return _argument_value(program, target[1], value[2], function, call)
        if value == ("self",):
            return ("inst", target[2]) if kind == "meth" else None
        return value
    if kind == "ext":
        return outside.external_result(program, target[1], function, call)
    if kind == "alt":
        return union([program.result(each, function, call) for each in target[1]])
    if kind == "part":
        return program.result(target[1], function, call)
    if kind == "inst":
        method = program.class_attr(target[1], "__call__")
        return program.result(method, function, call) if method is not None else None
    if kind == "type":
        return target[1]  # type: ignore[no-any-return]
    if kind == "collm":
        inner = target[1][1]
        if target[2] == "items":
            return ("coll", ("tup", (None, inner)))
        return ("coll", inner) if target[2] in ("values", "copy", "all") else inner
    return None


def _argument_value(
    program: Program, callee: Function, name: str, function: Function, call: Call
) -> Value | None:
    ref = argument(callee, name, call)
    return program.value(function, ref) if ref is not None else None


def returned(program: Program, function: Function) -> Value | None:
    if function.returns is not None:
        if function.returns in ("Self", "typing.Self"):
            return ("self",)
        value = program.annotation(function.scope, function.returns)
        if value is not None and value[0] != "param":
            return value
    found: list[Value] = []
    wanted = "y" if function.is_generator else "r"
    if len(function.body.stmts) > _LONGEST:
        return None
    for stmt in function.body.stmts:
        if stmt.kind == wanted and stmt.value is not None:
            value = program.value(function, stmt.value)
            if value is not None and value not in found:
                found.append(value)
    return union(found)


def entered(program: Program, value: Value | None) -> Value | None:
    """What `with value as x` binds."""
    if value is None:
        return None
    if value[0] == "inst":
        for name in ("__aenter__", "__enter__"):
            method = program.class_attr(value[1], name)
            if method is not None and method[0] == "meth":
                got = program.returned(method[1])
                if got is not None and got != ("self",):
                    return got
        return value
    if value[0] == "coll":
        return value[1]  # type: ignore[no-any-return]
    if value[0] == "ext":
        returns = program.knowledge.returns(value[1] + ".__enter__")
        return ("ext", returns) if returns is not None else value
    if value[0] == "alt":
        return union([program.entered(each) for each in value[1]])
    return value
