"""Calls of coroutine functions whose result is dropped, or taken for what it would give."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from slowpath.causes.base import Finding
from slowpath.causes.excuses import handed_over
from slowpath.causes.forgotten_await import CAUSE
from slowpath.causes.reading import at_call, only_looked_into
from slowpath.program import extract
from slowpath.program.extract import Ref
from slowpath.program.graph import LIKELY, POSSIBLE, Edge, Graph
from slowpath.program.model import Call, Function, Module, Stmt
from slowpath.program.values import argument

# Decorators that leave a coroutine function one.
_NEUTRAL = frozenset(
    "staticmethod classmethod abstractmethod override wraps retry final deprecated overload "
    "traced trace log_call timed typechecked validate_call".split()
)
# Whoever is called so may await what it is given, at once or later.
_MAY_AWAIT = re.compile(
    r"(gather|task|wait|shield|run|spawn|submit|schedule|append|add|put|extend|start|ensure|timeout|"
    r"complete|future|coro|collect|race|async|partial|cast|call|register|submit|send|close)",
    re.I,
)
# A parameter for something to await, or for something to call.
_AWAITABLE = re.compile(
    r"coro|await|(^|_)aw($|_)|task|fut|func|fn$|callable|callback|job|work|^_?f$"
)
# They look at a value at once.
_LOOKS = frozenset(
    "builtins.len builtins.str builtins.int builtins.float builtins.print builtins.sorted "
    "builtins.list builtins.dict builtins.set builtins.tuple builtins.bool builtins.enumerate "
    "builtins.zip builtins.max builtins.min builtins.sum builtins.any builtins.all builtins.repr "
    "json.dumps json.loads".split()
)
# Awaited so many times for each time that the result is dropped, it is forgotten there.
_OFTEN = 3
# Queues, events, files and tasks of either kind have these, so that a name tells nothing.
_BOTH = frozenset(
    "put get join wait set clear acquire release close write start stop cancel read flush".split()
)
# To look for more names than these takes longer than to look at the calls.
_FEW = 40
_TAKEN = "it is taken for its result without await"
_COROUTINES_OWN = ("close", "send", "throw", "cr_", "__")


def scan(graph: Graph) -> Iterator[Finding]:
    """Yield such calls, on the loop or in a plain function beside coroutine functions."""
    for function in graph.reached():
        yield from _in(graph, function)
        if function.is_async:
            yield from _awaited_elsewhere(graph, function)
    for module in graph.files():
        names = _coroutine_functions(module)
        if names:
            few = tuple(names) if len(names) <= _FEW else ()
            for function in module.functions.values():
                if function.is_async or (few and not function.mentions(*few)):
                    continue
                if graph.is_reached(function):
                    continue
                if any(call.name in names and not call.awaited for call in function.body.calls):
                    yield from _in(graph, function)


def _coroutine_functions(module: Module) -> set[str]:
    return {each.name for each in module.functions.values() if each.is_async}


def _in(graph: Graph, function: Function) -> Iterator[Finding]:
    body = function.body
    for edge in graph.edges(function):
        call = body.calls[edge.site]
        if call.awaited or call.deferred or edge.confidence == POSSIBLE:
            continue
        if call.discarded and _on_purpose(function, edge.site):
            continue
        how = _misused(graph, function, edge.site)
        if not how or not _gives_coroutine(graph, function, edge):
            continue
        name = edge.target.label if edge.target is not None else edge.dotted
        yield at_call(
            graph, CAUSE, function, edge.site,
            f"{name}(...) gives a coroutine; {how}",
            culprit=name,
            confidence=edge.confidence if how.startswith("it is not") else LIKELY,
        )  # fmt: skip


_STANDARD = re.compile(r"(" + "|".join(sys.stdlib_module_names) + r"|builtins)\.")


def _awaited_elsewhere(graph: Graph, function: Function) -> Iterator[Finding]:
    """`ctx.send(...)` dropped, whatever it is, where the project awaits it everywhere else."""
    body = function.body
    for index, call in enumerate(body.calls):
        if not call.discarded or call.awaited or call.deferred:
            continue
        value = graph.program.callee(function, index)
        outside = value is not None and value[0] == "ext" and not _STANDARD.match(value[1])
        if value is not None and not outside:
            continue
        if any(each.target or each.primitive for each in graph.edges_at(function, index)):
            continue
        said = _said(call)
        if not said or call.name in _BOTH or handed_over(graph, function, call.func):
            continue
        counts = [each.split() for each in graph.look_up(how_called).get(said)]
        awaited, other = (sum(int(pair[n]) for pair in counts) for n in (0, 1))
        if awaited >= _OFTEN * other:
            yield at_call(
                graph, CAUSE, function, index,
                f"{said}(...) is not awaited here, though it is in {awaited} other "
                "places: if it gives a coroutine, it never runs",
                culprit=said,
                confidence=LIKELY,
            )  # fmt: skip


def how_called(_: Graph, module: Module) -> Iterator[tuple[str, str]]:
    """How often a file awaits a call of this text, and how often it does not."""
    counts: dict[str, list[int]] = {}
    for function in module.functions.values():
        if function.is_async:
            for call in function.body.calls:
                said = _said(call)
                if said:
                    counts.setdefault(said, [0, 0])[not call.awaited] += 1
    for said, (awaited, other) in counts.items():
        yield said, f"{awaited} {other}"


def _said(call: Call) -> str:
    """The last two parts of what is called, as written; "" if there are not two."""
    func = call.func if call.func.__class__ is str else ""
    parts = func.split(".")
    return ".".join(parts[-2:]) if len(parts) > 1 and parts[-2] not in ("self", "cls") else ""


def _on_purpose(function: Function, index: int) -> bool:
    """Whether the same call, in another branch, is handed to somebody who awaits it.

    Then the author tells plain ones from coroutines, and calls it in place where it is plain.
    """
    body = function.body
    call = body.calls[index]
    return call.func.__class__ is str and any(
        other.func == call.func and other.block != call.block and other.flags & extract.ARGUMENT
        for other in body.calls
    )


def _misused(graph: Graph, function: Function, index: int) -> str:
    """What is done with the result that only makes sense of what it would give, as a sentence."""
    body = function.body
    call = body.calls[index]
    if call.discarded:
        return "it is not awaited, so it never runs"
    if call.used:
        return _TAKEN
    if call.flags & extract.YIELDED and function.is_async:
        return "it is yielded without await, so that whoever loops over this gets a coroutine"
    if call.flags & (extract.WITH | extract.YIELDED):
        return ""
    if call.flags & extract.ARGUMENT:
        return _TAKEN if _looked_at(graph, function, index) else ""
    position = body.stmt_of(index)
    if position >= len(body.stmts):
        return ""
    stmt = body.stmts[position]
    if stmt.value != index:
        return ""
    if stmt.kind == "r" and function.is_async and not function.is_generator:
        return "it is returned without await, so that whoever awaits this gets a coroutine"
    if stmt.kind != "a" or not stmt.writes:
        return ""
    if stmt.writes[0][0] == "[":
        return "it is taken apart without await"
    name = stmt.writes[0]
    if len(stmt.writes) != 1 or _as_coroutine(function, name):
        return ""
    if only_looked_into(body, name, stmt) or _only_handed_on(graph, function, name, stmt):
        return f"{name} is taken for its result without await"
    if _only_returned(function, name, stmt):
        return f"{name} is returned without await, so that whoever awaits this gets a coroutine"
    return ""


def _only_returned(function: Function, name: str, bound: Stmt) -> bool:
    """Whether all that a coroutine function does with a name is to return it, by itself or within
    a list."""
    if not function.is_async or function.is_generator or "." in name or "[" in name:
        return False
    body = function.body
    if len(body.bindings.get(name, ())) != 1 or any(
        name in call.args or any(ref == name for _, ref in call.kwargs) for call in body.calls
    ):
        return False
    inner = function.qual + "."
    if any(q.startswith(inner) and f.mentions(name) for q, f in function.module.functions.items()):
        return False
    reading = [stmt for stmt in body.stmts if stmt is not bound and name in stmt.reads]
    return bool(reading) and all(stmt.kind == "r" for stmt in reading)


def _looked_at(graph: Graph, function: Function, index: int) -> bool:
    """Whether the call that is given the result looks at it there and then."""
    for number, call in enumerate(function.body.calls):
        if index in call.args:
            value = graph.program.callee(function, number)
            return value is not None and value[0] == "ext" and value[1] in _LOOKS
    return False


def _only_handed_on(graph: Graph, function: Function, name: str, bound: Stmt) -> bool:
    """Whether a name is given to functions, none of which may await it, and to nothing else."""
    body = function.body
    if "." in name or "[" in name or len(body.bindings.get(name, ())) != 1:
        return False
    given = 0
    for number, call in enumerate(body.calls):
        times = call.args.count(name) + sum(ref == name for _, ref in call.kwargs)
        if times and _may_await(graph, function, number, name):
            return False
        given += times
    inner = function.qual + "."
    if any(q.startswith(inner) and f.mentions(name) for q, f in function.module.functions.items()):
        return False
    bare = sum(stmt.reads.count(name) for stmt in body.stmts if stmt is not bound)
    tested = sum(
        stmt.reads.count(name) for stmt in body.stmts if stmt.kind == "i" and stmt is not bound
    )
    return bool(given) and bare <= given + tested


def _may_await(graph: Graph, function: Function, index: int, name: str) -> bool:
    """Whether whoever is called there may await what it is given under a name."""
    call = function.body.calls[index]
    targets = [edge.target for edge in graph.edges_at(function, index) if edge.target is not None]
    if not targets:
        return bool(call.awaited or call.name[:1].isupper() or _MAY_AWAIT.search(call.name))
    return any(
        _AWAITABLE.search(param) or _read_bare(target, param)
        for target in targets
        for param, _, _ in target.params
        if argument(target, param, call) == name
    )


def _read_bare(function: Function, name: str) -> bool:
    """Whether a function that awaits does more with a name than to hand it on: `await name`."""
    body = function.body
    given = sum(c.args.count(name) + sum(ref == name for _, ref in c.kwargs) for c in body.calls)
    return function.awaits and sum(stmt.reads.count(name) for stmt in body.stmts) > given


def _as_coroutine(function: Function, name: str) -> bool:
    """Whether something is read from the name that a coroutine itself has."""
    read: set[str] | None = function.memo.get("read as coroutines")
    if read is None:
        read = function.memo["read as coroutines"] = set()
        for chain in {each for stmt in function.body.stmts for each in stmt.reads}:
            at = chain.find(".")
            while at >= 0:
                if chain.startswith(_COROUTINES_OWN, at + 1):
                    read.add(chain[:at])
                at = chain.find(".", at + 1)
    return name in read


def _gives_coroutine(graph: Graph, function: Function, edge: Edge) -> bool:
    """Whether everything that is called there, as far as it is known, gives a coroutine."""
    value = graph.program.callee(function, edge.site)
    if value is None:
        return False
    for each in value[1] if value[0] == "alt" else (value,):
        if each is None:
            return False
        if each[0] == "ext":
            if not graph.program.knowledge.in_set("coroutine", each[1]):
                return False
        elif each[0] not in ("fn", "meth") or not _plain(graph, each[1]):
            return False
    return True


def _plain(graph: Graph, target: Function) -> bool:
    """Whether calling the function gives a coroutine, whatever its decorators do."""
    if not target.is_async or target.is_generator:
        return False
    if target.is_stub and target.owner is not None:
        # What is to be written by others may give items rather than a coroutine.
        written = (each.method(target.name) for each in graph.program.subclasses(target.owner))
        if any(each is not None and each.is_generator for each in written):
            return False
    return all(
        name.rpartition(".")[2] in _NEUTRAL or _wraps_in_coroutine(graph, target, ref)
        for name, ref in zip(graph.program.decorator_names(target), target.decorators, strict=True)
    )


def _wraps_in_coroutine(graph: Graph, target: Function, decorator: Ref) -> bool:
    """Whether a decorator of the project puts a coroutine function in place of another."""
    ref = decorator
    if isinstance(ref, int) and not isinstance(ref, bool):
        ref = target.scope.body.calls[ref].func
    value = graph.program.value(target.scope, ref)
    if value is None or value[0] != "fn":
        return False
    inside = value[1].qual + "."
    wrappers = [
        each
        for qual, each in value[1].module.functions.items()
        if qual.startswith(inside)
        and any(name.rpartition(".")[2] == "wraps" for name in graph.program.decorator_names(each))
    ]
    # Where there is one of either kind, the decorator looks at what it wraps.
    return any(
        (each.is_async and not each.is_generator) or _passes_on(each, value[1]) for each in wrappers
    )


def _passes_on(wrapper: Function, decorator: Function) -> bool:
    """Whether a plain wrapper gives back whatever the function that it wraps gives."""
    wrapped = {name for name, _, _ in decorator.params}
    if wrapper.parent and wrapper.parent in wrapper.module.functions:
        wrapped |= {name for name, _, _ in wrapper.module.functions[wrapper.parent].params}
    returned = [stmt.value for stmt in wrapper.body.stmts if stmt.kind == "r"]
    return (
        not wrapper.is_generator
        and bool(returned)
        and all(
            isinstance(ref, int)
            and not isinstance(ref, bool)
            and wrapper.body.calls[ref].func in wrapped
            and not wrapper.body.calls[ref].awaited
            for ref in returned
        )
    )
