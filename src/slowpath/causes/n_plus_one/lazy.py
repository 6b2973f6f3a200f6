"""Relationships that a loop touches row by row, each of them a query that nobody wrote."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from slowpath.causes.base import Finding, Hop
from slowpath.causes.n_plus_one import CAUSE
from slowpath.causes.reading import at
from slowpath.program.extract import Ref
from slowpath.program.graph import Graph
from slowpath.program.model import Body, Class, Function, Module, Stmt
from slowpath.program.values import argument

_RELATIONS = frozenset({"relationship", "Relationship", "dynamic_loader"})
# With one of these the rows come with what they refer to, or say no.
_LOADERS = (
    "selectinload", "joinedload", "subqueryload", "contains_eager", "immediateload", "raiseload",
    "selectin_polymorphic",
)  # fmt: skip
_ON_TOUCH = (None, ("s", "select"), ("c", True))
_QUERIES = ("select", "query")
_DEEPEST = 12
# A row is handed on so often, and a name bound so often, at most.
_HANDED_ON, _BOUND = 3, 4
_PAGES = re.compile(r"paginat|(^|_)page(_|$)|fetch_rows|list_rows")


def lazy_loads(graph: Graph) -> Iterator[Finding]:
    """Yield reads of a lazy relationship of the rows that a loop goes through.

    Plain functions count too: a thread waits for each of the queries just the same.

    Left alone: a function that names a loader option, a relationship that is loaded otherwise by
    its own definition, and rows whose query is seen neither here nor in the function that gives
    them.
    """
    names = tuple(graph.look_up(relations).names())
    if not names:
        return
    for function in graph.functions():
        if function.mentions(*_LOADERS) or not function.mentions(*_QUERIES, *names):
            continue
        body = function.body
        for number, block in enumerate(body.blocks):
            if block.kind not in ("for", "comp") or block.stmt >= len(body.stmts):
                continue
            head = body.stmts[block.stmt]
            if len(head.writes) != 1:
                continue
            model = _rows_of(graph, function, head.value)
            if model is not None:
                yield from _in_turn(graph, function, number, head.writes[0], model)


def _in_turn(
    graph: Graph, function: Function, loop: int, row: str, model: Class
) -> Iterator[Finding]:
    """What each turn of a loop over rows loads, by itself or by what it hands the row to."""
    body = function.body
    told = set()
    line = body.blocks[loop].line
    for stmt in _turn(body, loop):
        for attr in _attributes(stmt, row):
            hops = [] if _is_lazy(graph, model, attr) else _of_getter(graph, model, attr)
            if hops is not None and (attr, stmt.line) not in told:
                told.add((attr, stmt.line))
                yield _finding(graph, function, stmt.line, f"{row}.{attr}", attr, model, line, hops)
    for index, call in enumerate(body.calls):
        if loop not in body.ancestors(call.block) or call.line in {each for _, each in told}:
            continue
        for target, name in _takers(graph, function, index, row, model):
            place = _touched(graph, target, name, model)
            if place is not None:
                told.add((place[1], call.line))
                attr = place[1].rpartition(".")[2]
                what = f"{call.name}() reads {place[1]}, which"
                yield _finding(graph, function, call.line, what, attr, model, line, [place[0]])
                break


def _finding(
    graph: Graph,
    function: Function,
    line: int,
    what: str,
    attr: str,
    model: Class,
    loop: int,
    hops: list[Hop],
) -> Finding:
    found = at(
        graph, CAUSE, function, line,
        f"{what} is loaded by a query of its own for every item of the loop at line {loop}; "
        "load it with selectinload()",
        culprit=f"{model.name}.{attr}",
    )  # fmt: skip
    return replace(found, chain=(*found.chain, *hops)) if hops else found


def _attributes(stmt: Stmt, row: str) -> Iterator[str]:
    for read in stmt.reads:
        name, _, rest = read.partition(".")
        if name == row and rest:
            yield rest.partition(".")[0].removesuffix("[]")


def _of_getter(graph: Graph, model: Class, attr: str) -> list[Hop] | None:
    """Where a property of the model reads a relationship."""
    getter = graph.program.getter(model, attr)
    place = _touched(graph, getter, "self", model) if getter is not None else None
    return [place[0]] if place is not None else None


def _takers(
    graph: Graph, function: Function, index: int, row: str, model: Class
) -> Iterator[tuple[Function, str]]:
    """Functions that a call hands the row to, each with its name for it."""
    call = function.body.calls[index]
    if call.func.__class__ is str and call.func == f"{row}.{call.name}":
        method = graph.program.class_attr(model, call.name)
        if method is not None and method[0] == "meth" and method[1].params:
            yield method[1], method[1].params[0][0]
        return
    if row not in call.args and all(ref != row for _, ref in call.kwargs):
        return
    for edge in graph.edges_at(function, index):
        if edge.target is not None:
            for name, _, _ in edge.target.params:
                if argument(edge.target, name, call) == row:
                    yield edge.target, name


def _touched(
    graph: Graph, function: Function, row: str, model: Class, depth: int = _HANDED_ON
) -> tuple[Hop, str] | None:
    """The place where a function, or one that it hands a row to, reads a lazy relationship."""
    if not depth or function.mentions(*_LOADERS):
        return None
    for stmt in function.body.stmts:
        for attr in _attributes(stmt, row):
            if _is_lazy(graph, model, attr):
                return Hop(function.path, stmt.line, function.label), f"{model.name}.{attr}"
            getter = graph.program.getter(model, attr)
            if getter is not None and getter is not function:
                place = _touched(graph, getter, "self", model, depth - 1)
                if place is not None:
                    return place
    for index in range(len(function.body.calls)):
        for target, name in _takers(graph, function, index, row, model):
            place = _touched(graph, target, name, model, depth - 1)
            if place is not None:
                return place
    return None


def relations(graph: Graph, module: Module) -> Iterator[tuple[str, str]]:
    """Names of relationships of a file's models."""
    for cls in module.classes.values():
        for name in cls.attrs:
            if _is_lazy(graph, cls, name):
                yield name, ""


def _turn(body: Body, loop: int) -> Iterator[Stmt]:
    """The statements that each turn of a loop runs."""
    block = body.blocks[loop]
    for stmt in body.stmts[block.stmt :]:
        if loop in body.ancestors(stmt.block):
            yield stmt
        elif block.kind == "comp":
            yield stmt  # what a comprehension gives is told of the statement around it
            return


def _rows_of(graph: Graph, function: Function, ref: Ref, depth: int = _DEEPEST) -> Class | None:
    """The model whose rows an expression gives: `session.scalars(select(Order)).all()`."""
    body = function.body
    if not depth or isinstance(ref, bool):
        return None
    if ref.__class__ is str:
        # `query = query.where(...)` binds a name anew to rows of the same kind.
        for stmt, position in body.bindings.get(str(ref).partition(".")[0], [])[:_BOUND]:
            if stmt.kind == "a" and (position is None or _pages(body, stmt.value)):
                model = _rows_of(graph, function, stmt.value, depth - 1)
                if model is not None:
                    return model
        return None
    if ref.__class__ is tuple and ref[0] in ("[]", "."):
        return _rows_of(graph, function, ref[1], depth - 1)
    if not isinstance(ref, int) or ref >= len(body.calls):
        return None
    call = body.calls[ref]
    if call.name in _QUERIES:
        # Several columns or entities give tuples.
        value = graph.program.value(function, call.args[0]) if len(call.args) == 1 else None
        return value[1] if value is not None and value[0] == "cls" else None
    for edge in graph.edges_at(function, ref):
        target = edge.target
        # Whoever gives the rows may have loaded what they refer to.
        if target is not None and not target.mentions(*_LOADERS):
            for stmt in target.body.stmts:
                if stmt.kind == "r":
                    model = _rows_of(graph, target, stmt.value, depth - 1)
                    if model is not None and not _gives_others(graph, target, model):
                        return model
    inner = call.func[1] if isinstance(call.func, tuple) and call.func[0] == "." else call.func
    given = call.args[:1]
    if _pages(body, ref):
        given = (*call.args, *(each for _, each in call.kwargs))
    for each in (*given, inner):
        model = _rows_of(graph, function, each, depth - 1)
        if model is not None:
            return model
    return None


def _gives_others(graph: Graph, function: Function, model: Class) -> bool:
    """Whether a function says that it gives objects of other classes than the rows it reads."""
    ref = function.returns
    while ref.__class__ is tuple and ref and ref[0] == "[]":
        ref = ref[2]
    for each in ref[1] if ref.__class__ is tuple and ref and ref[0] in ("t", "|") else (ref,):
        value = graph.program.value(function.scope, each) if each.__class__ is str else None
        if value is None or value[0] != "cls":
            return False
        if value[1] in graph.program.mro(model) or model in graph.program.mro(value[1]):
            return False
    return True


def _pages(body: Body, ref: Ref) -> bool:
    """Whether a call, by its name, takes a query and gives a page of its rows."""
    return (
        isinstance(ref, int)
        and not isinstance(ref, bool)
        and bool(_PAGES.search(body.calls[ref].name))
    )


def _is_lazy(graph: Graph, model: Class, attr: str) -> bool:
    for cls in graph.program.mro(model):
        if isinstance(cls, Class) and attr in cls.attrs:
            value = cls.attrs[attr][1]
            if not isinstance(value, int) or isinstance(value, bool):
                return False
            made = cls.scope.body.calls[value]
            return made.name in _RELATIONS and made.keyword("lazy") in _ON_TOUCH
    return False
