"""What a call of something outside the project gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slowpath.program.model import Call, Function
from slowpath.program.values import Value, element

if TYPE_CHECKING:
    from slowpath.program.resolve import Program

_PASSTHROUGH = frozenset(
    {
        "builtins.list",
        "builtins.sorted",
        "builtins.tuple",
        "builtins.set",
        "builtins.reversed",
        "builtins.iter",
        "copy.copy",
        "copy.deepcopy",
        "contextlib.closing",
        "contextlib.aclosing",
        "contextlib.nullcontext",
        "contextlib.ExitStack.enter_context",
        "contextlib.AsyncExitStack.enter_context",
        "contextlib.AsyncExitStack.enter_async_context",
    }
)


def external_result(program: Program, dotted: str, function: Function, call: Call) -> Value | None:
    knowledge = program.knowledge
    returns = knowledge.returns(dotted)
    if returns is not None:
        return ("ext", returns)
    if dotted in _PASSTHROUGH and call.args:
        return program.value(function, call.args[0])
    if dotted in ("builtins.enumerate",) and call.args:
        inner = element(program.value(function, call.args[0]))
        return ("coll", ("tup", (None, inner)))
    if dotted == "builtins.super":
        owner = function.owner
        return ("inst", owner) if owner is not None else None
    if dotted in ("functools.partial", "functools.partialmethod") and call.args:
        inner = program.value(function, call.args[0])
        return ("part", inner, call) if inner is not None else None
    if dotted == "typing.cast" and call.args:
        return program.annotation(function, call.args[0])
    if dotted == "builtins.getattr" and len(call.args) >= 2:
        base = program.value(function, call.args[0])
        name = call.args[1]
        if base is not None and name.__class__ is tuple and name[0] == "s":
            return program.attr(base, name[1])
        return None
    offload = knowledge.offload(dotted)
    if offload is not None and dotted.endswith("Executor.submit"):
        return ("ext", "concurrent.futures.Future")
    if offload is not None:
        position, _ = offload
        if len(call.args) > position:
            made = program.value(function, call.args[position])
            return program.result(made, function, call) if made is not None else None
        return None
    if (
        dotted
        in (
            "asyncio.wait_for",
            "asyncio.shield",
            "asyncio.create_task",
            "asyncio.ensure_future",
        )
        and call.args
    ):
        return program.value(function, call.args[0])
    last = dotted.rpartition(".")[2]
    if last[:1].isupper():
        return ("ext", dotted)
    return ("ext", dotted + "()")
