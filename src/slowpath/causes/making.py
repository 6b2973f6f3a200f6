"""Costly objects made inside requests; what the causes about clients and connections share."""

from __future__ import annotations

import re
from collections.abc import Iterator

from slowpath.causes.base import Cause, Finding
from slowpath.causes.reading import at_call
from slowpath.program import extract
from slowpath.program.graph import LIKELY, POSSIBLE, Graph
from slowpath.program.model import Class, Function
from slowpath.program.resolve import Program

# Work of the start or the end of a process.
_ONCE = frozenset(
    "__init__ __aenter__ __enter__ __new__ __post_init__ main _main amain run setup startup "
    "start on_startup lifespan init initialize initialise connect open _connect _init _setup "
    "_initialize async_setup cli bootstrap configure shutdown stop close aclose".split()
)
# Ways that are taken now and then, or once, rather than for each request.
_NOT_SERVING = frozenset({"coroutine", "lifespan", "callback"})
_SAID_ONCE = re.compile(
    r"^_*init(ialize)?_|(^|_)(once|initdb|create_pool|create_engine|lifespan|wait_until|wait_for|from_url|telemetry|heartbeat|check_for_updates?|check_\w*version|listen|listener|subscribe|watch|forever)($|_)"
)
_CACHED = frozenset("lru_cache cache cached cached_property alru_cache singleton once".split())


# They only pass on what they are given, or hold it.
_HOLDS = frozenset("cast sessionmaker async_sessionmaker scoped_session".split())
# A maker may be wrapped so many times.
_WRAPPED = 3


def made_per_request(graph: Graph, cause: Cause, table: str, what: str) -> Iterator[Finding]:
    """Constructors of the table's classes in functions that run once for each request.

    A helper that only makes and returns one counts where somebody uses its result and drops it; a
    class of the project that makes one for itself, where a framework's entry makes such an object.

    Left out: what is kept (in an attribute, a global, a cache) or handed to a caller who keeps
    it; start-up work; module level.
    """
    for function in graph.reached():
        if not function.qual or _runs_once(graph, function):
            continue
        for site, dotted in _made(graph, function, table):
            if not _kept(function, site) and not _given_to_own(graph, function, site):
                yield at_call(
                    graph, cause, function, site,
                    f"{dotted} makes {what} each time {function.label} runs",
                    culprit=dotted,
                    confidence=LIKELY,
                )  # fmt: skip
        for edge in graph.edges(function):
            target = edge.target
            if target is None or edge.confidence == POSSIBLE or target is function:
                continue
            given = _given(graph, target, table)
            if given is not None and not _kept(function, edge.site):
                maker, site, dotted = given
                yield at_call(
                    graph, cause, maker, site,
                    f"{dotted} makes {what} each time {function.label} calls {maker.label}",
                    culprit=dotted,
                    confidence=LIKELY,
                )  # fmt: skip


def _given(
    graph: Graph, function: Function, table: str, depth: int = _WRAPPED
) -> tuple[Function, int, str] | None:
    """(maker, call, name) of what a function makes for its caller, itself or by another one."""
    found: tuple[Function, int, str] | None = graph.conclude(give, function, table, depth)
    return found


def give(
    graph: Graph, function: Function, table: str, depth: int
) -> tuple[Function, int, str] | None:
    """What `_given` gives, worked out."""
    if not depth or not function.qual or not graph.is_reached(function):
        return None
    if _runs_once(graph, function):
        return None
    for site, dotted in _made(graph, function, table):
        kept = _kept(function, site) or _given_to_own(graph, function, site)
        if kept and _returned(function, site):
            return function, site, dotted
    for edge in graph.edges(function):
        target = edge.target
        if target is None or edge.confidence == POSSIBLE or target is function:
            continue
        if _kept(function, edge.site) and _returned(function, edge.site):
            given = _given(graph, target, table, depth - 1)
            if given is not None:
                return given
    return None


def _made(graph: Graph, function: Function, table: str) -> list[tuple[int, str]]:
    """(call, name) of what the function makes itself."""
    known: list[tuple[int, str]] | None = function.memo.get(("made", table))
    if known is None:
        known = function.memo["made", table] = list(_make(graph, function, table))
    return known


def _make(graph: Graph, function: Function, table: str) -> Iterator[tuple[int, str]]:
    program = graph.program
    for edge in graph.edges(function):
        if edge.target is None:
            if edge.confidence > POSSIBLE and program.knowledge.in_set(table, edge.dotted):
                yield edge.site, edge.dotted
        elif edge.target.name == "__init__":
            cls = edge.target.owner
            name = _own_client(graph, cls, table) if cls is not None else ""
            if cls is None or not name or _bases(graph, cls, table):
                continue
            if graph.way(function).kind not in _NOT_SERVING:
                yield edge.site, f"{cls.name} with its own {name}"
    for index, called in _classes_called(program, function):
        base = _bases(graph, called, table)
        if base:
            yield index, f"{called.name}, a {base},"


def _classes_called(program: Program, function: Function) -> list[tuple[int, Class]]:
    known: list[tuple[int, Class]] | None = function.memo.get("classes called")
    if known is None:
        known = function.memo["classes called"] = []
        for index, call in enumerate(function.body.calls):
            value = None if call.deferred else program.callee(function, index)
            if value is not None and value[0] == "cls":
                known.append((index, value[1]))
    return known


def _bases(graph: Graph, cls: Class, table: str) -> str:
    """The outside class of the table that a class of the project inherits from, or ""."""
    for each in graph.program.mro(cls):
        if isinstance(each, str) and graph.program.knowledge.in_set(table, each):
            return each
    return ""


def _own_client(graph: Graph, cls: Class, table: str) -> str:
    """What `__init__` makes and keeps for this very object, or ""."""
    made = cls.method("__init__")
    if made is None:
        return ""
    for places in cls.self_attrs.values():
        for method, _, value in places:
            if method != made.qual or not isinstance(value, int) or isinstance(value, bool):
                continue
            target = graph.program.callee(made, value)
            known = graph.program.knowledge
            if target is not None and target[0] == "ext" and known.in_set(table, target[1]):
                return str(target[1])
    return ""


def _runs_once(graph: Graph, function: Function) -> bool:
    known: bool | None = function.memo.get("runs once")
    if known is None:
        known = function.memo["runs once"] = _is_run_once(graph, function)
    return known


def _is_run_once(graph: Graph, function: Function) -> bool:
    if (
        function.name in _ONCE
        or _SAID_ONCE.search(function.name)
        or graph.way(function).kind == "lifespan"
    ):
        return True
    return _keeps_result(function) or any(
        name.rpartition(".")[2] in _CACHED for name in graph.program.decorator_names(function)
    )


def _keeps_result(function: Function) -> bool:
    """`cache[key] = made; return made`: a cache written by hand."""
    stored = {
        stmt.value
        for stmt in function.body.stmts
        if stmt.kind == "a" and any(name.endswith("[]") for name in stmt.writes)
    }
    return any(
        stmt.kind == "r" and stmt.value.__class__ is str and stmt.value in stored
        for stmt in function.body.stmts
    )


def _returned(function: Function, index: int) -> bool:
    """Whether what is made goes to the caller and nowhere else."""
    body = function.body
    position = body.stmt_of(index)
    if position >= len(body.stmts):
        return False
    stmt = body.stmts[position]
    if stmt.kind == "r":
        return bool(stmt.value == index)
    name = stmt.writes[0] if stmt.kind == "a" and len(stmt.writes) == 1 else ""
    return (
        bool(name)
        and "." not in name
        and "[" not in name
        and name not in function.module.assigns
        and any(other.kind == "r" and other.value == name for other in body.stmts)
        and not any(
            other.value == name and other.kind == "a" and "." in "".join(other.writes)
            for other in body.stmts
        )
    )


def _given_to_own(graph: Graph, function: Function, index: int) -> bool:
    """Whether it becomes part of an object of the project, which may be kept."""
    body = function.body
    position = body.stmt_of(index)
    stmt = body.stmts[position] if position < len(body.stmts) else None
    name = stmt.writes[0] if stmt is not None and len(stmt.writes) == 1 else ""
    for number, call in enumerate(body.calls):
        given = (*call.args, *(ref for _, ref in call.kwargs))
        if index in given or (name and name in given):
            value = graph.program.callee(function, number)
            if value is not None and value[0] == "cls":
                return True
    return False


def _lent(function: Function, index: int) -> bool:
    """`async with connect() as c: yield c` of a context manager: who enters it decides.

    A framework that is given such a generator enters it for each request, and needs no decorator.
    """
    if not function.is_generator or not any(
        str(ref).endswith("contextmanager") for ref in function.decorators
    ):
        return False
    body = function.body
    position = body.stmt_of(index)
    names = body.stmts[position].writes if position < len(body.stmts) else ()
    return any(each.kind == "y" and each.value in names for each in body.stmts)


def _given_back_in(function: Function, name: str) -> bool:
    """`return cast(Channel, channel)`, `return sessionmaker(engine)`: the caller decides."""
    body = function.body
    return any(
        call.name in _HOLDS
        and not call.awaited
        and name in (*call.args, *(ref for _, ref in call.kwargs))
        and _returned(function, index)
        for index, call in enumerate(body.calls)
    )


def _kept(function: Function, index: int) -> bool:
    body = function.body
    call = body.calls[index]
    if call.deferred:  # a property that was read
        return any(
            stmt.value == call.func and (stmt.kind in "ry" or "." in "".join(stmt.writes))
            for stmt in body.stmts
        )
    if call.flags & extract.WITH and _lent(function, index):
        return True
    if call.flags & extract.WITH or call.used:
        return False
    position = body.stmt_of(index)
    if position >= len(body.stmts):
        return False
    stmt = body.stmts[position]
    if stmt.kind in "ry":
        return True  # the caller decides
    names = [name for name in stmt.writes if name[0] != "["]
    if any("." in name or name.endswith("[]") for name in names):
        return True
    if stmt.kind != "a" or len(names) != 1:
        return bool(call.flags & extract.ARGUMENT)  # whoever takes it may keep it
    name = names[0]
    if name in function.module.assigns:
        return True  # a global, set once
    if _given_back_in(function, name):
        return True
    for other in body.stmts:
        if other.value == name and other is not stmt:
            if other.kind in "ry":
                return True
            if other.kind == "a" and any("." in n or n.endswith("[]") for n in other.writes):
                return True
    return False
