"""Tasks that go on for ever once whoever started them is gone."""

from __future__ import annotations

from collections.abc import Iterator

from slowpath.causes.base import Finding
from slowpath.causes.lost_task import CAUSE
from slowpath.causes.reading import at_call
from slowpath.program.graph import LIKELY, Graph
from slowpath.program.model import Class, Function, Module, Stmt

MAKERS = ("create_task", "ensure_future")
_CAUGHT = frozenset({"finally", "except", "with", "awith"})
_ENDS = frozenset(
    "close aclose stop shutdown cleanup disconnect teardown dispose __aexit__ __exit__".split()
)


def unended(graph: Graph, module: Module) -> Iterator[Finding]:
    """Yield where such a task is started: by a function that fails before it cancels it, or for
    an object whose end passes it by."""
    if not module.mentions(MAKERS):
        return
    for function in module.functions.values():
        if function.is_async and function.mentions(*MAKERS) and function.mentions("cancel"):
            yield from _of_function(graph, function)
    for cls in module.classes.values():
        if cls.methods & _ENDS and cls.self_attrs:
            yield from _of_object(graph, cls)


def _of_function(graph: Graph, function: Function) -> Iterator[Finding]:
    """`task = create_task(beat())`, `await work()`, `task.cancel()`: a failure leaves it."""
    body = function.body
    for stmt in body.stmts:
        name = _named(stmt)
        if not name or "." in name or len(body.bindings.get(name, ())) != 1:
            continue
        if not _starts(graph, function, stmt.value):
            continue
        cancels = [call for call in body.calls if call.func == f"{name}.cancel"]
        if not cancels or any(body.inside(call.block, _CAUGHT) for call in cancels):
            continue
        if any(call.block != stmt.block for call in cancels):
            continue  # ended in one case, and awaited in another
        first = min(call.line for call in cancels)
        if any(name in each.args or name in _others(each) for each in body.calls):
            continue  # in other hands
        waits = any(call.awaited and stmt.line < call.line < first for call in body.calls)
        if waits and not _watched(function, stmt):
            assert isinstance(stmt.value, int)
            yield at_call(
                graph, CAUSE, function, stmt.value,
                f"{name} is cancelled only where nothing fails; until then it goes on for ever",
                confidence=LIKELY,
            )  # fmt: skip


def _named(stmt: Stmt) -> str:
    """What one call's result is bound to, alone."""
    if stmt.kind != "a" or stmt.value.__class__ is not int or len(stmt.writes) != 1:
        return ""
    return stmt.writes[0]


def _others(call: object) -> set[object]:
    return {
        part
        for ref in (*getattr(call, "args", ()), *(r for _, r in getattr(call, "kwargs", ())))
        if ref.__class__ is tuple and ref and ref[0] in ("t", "d")
        for part in ref[1]
    }


def _watched(function: Function, stmt: Stmt) -> bool:
    """Whether a `try` around the task takes care of it by another name, as in `finally`."""
    return function.body.inside(stmt.block, frozenset({"with", "awith"}))


def _starts(graph: Graph, function: Function, ref: object) -> bool:
    """Whether a call makes a task of a coroutine of the project that goes round for ever."""
    if not isinstance(ref, int) or isinstance(ref, bool):
        return False
    call = function.body.calls[ref]
    if call.name not in MAKERS or not call.args or not isinstance(call.args[0], int):
        return False
    value = graph.program.callee(function, call.args[0])
    return value is not None and value[0] in ("fn", "meth") and _endless(value[1])


def _endless(function: Function) -> bool:
    """`while True:` without a way out of it but failing."""
    body = function.body
    for number, block in enumerate(body.blocks):
        if block.kind != "while" or block.stmt >= len(body.stmts):
            continue
        head = body.stmts[block.stmt]
        if head.kind == "i" and head.value != ("c", True) and head.reads:
            continue
        inside = [stmt for stmt in body.stmts if number in body.ancestors(stmt.block)]
        if not any(stmt.kind in "br" for stmt in inside):
            return True
    return False


def _of_object(graph: Graph, cls: Class) -> Iterator[Finding]:
    methods = [f for name in cls.methods if (f := cls.method(name)) is not None]
    ends = [f for f in methods if f.name in _ENDS and not f.is_stub]
    for attr, places in cls.self_attrs.items():
        for method, _, value in places:
            maker = cls.module.functions.get(method)
            if not ends or maker is None or not _starts(graph, maker, value):
                continue
            if _touched(graph, cls, attr, maker):
                continue
            assert isinstance(value, int)
            yield at_call(
                graph, CAUSE, maker, value,
                f"{cls.name}.{attr} goes on for ever: {ends[0].name} does not cancel it",
                confidence=LIKELY,
            )  # fmt: skip


def _touched(graph: Graph, cls: Class, attr: str, maker: Function) -> bool:
    """Whether anything but its start looks at the task: whoever does may end it."""
    name = f"self.{attr}"
    for function in cls.module.functions.values():
        if function is maker or not function.mentions(attr):
            continue
        body = function.body
        if any(attr in read.split(".") for stmt in body.stmts for read in stmt.reads):
            return True
    calls = maker.body.calls
    return any(
        name in call.args or call.func == f"{name}.cancel" for call in calls
    ) or graph.anywhere(_reads, f"{cls.module.path}\0{attr}")


def _reads(module: Module, what: str) -> bool:
    """Whether another file looks at an attribute of that name."""
    path, _, attr = what.partition("\0")
    return module.path != path and any(
        function.mentions(attr) for function in (module.body, *module.functions.values())
    )
