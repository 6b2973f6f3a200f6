"""Relationships that a loop touches row by row, each of them a query that nobody wrote."""

from __future__ import annotations

from collections.abc import Iterator

from slowpath.causes.base import Finding
from slowpath.causes.n_plus_one import CAUSE
from slowpath.causes.reading import at
from slowpath.program.extract import Ref
from slowpath.program.graph import Graph
from slowpath.program.model import Body, Class, Function, Module, Stmt

_RELATIONS = frozenset({"relationship", "Relationship", "dynamic_loader"})
# With one of these the rows come with what they refer to, or say no.
_LOADERS = (
    "selectinload", "joinedload", "subqueryload", "contains_eager", "immediateload", "raiseload",
    "selectin_polymorphic",
)  # fmt: skip
_ON_TOUCH = (None, ("s", "select"), ("c", True))
_QUERIES = frozenset({"select", "query"})
_DEEPEST = 12


def lazy_loads(graph: Graph) -> Iterator[Finding]:
    """Yield reads of a lazy relationship of the rows that a loop goes through.

    Plain functions count too: a thread waits for each of the queries just the same.

    Left alone: a function that names a loader option, a relationship that is loaded otherwise by
    its own definition, and rows whose query is seen neither here nor in the function that gives
    them.
    """
    names = _relations(graph)
    for function in graph.functions():
        if not names or not function.mentions(*names) or function.mentions(*_LOADERS):
            continue
        if not _touches(function, names):
            continue
        body = function.body
        told = set()
        for number, block in enumerate(body.blocks):
            if block.kind not in ("for", "comp") or block.stmt >= len(body.stmts):
                continue
            head = body.stmts[block.stmt]
            if len(head.writes) != 1:
                continue
            model = _rows_of(graph, function, head.value)
            if model is None:
                continue
            for stmt in _turn(body, number):
                for read in stmt.reads:
                    row, _, rest = read.partition(".")
                    attr = rest.partition(".")[0]
                    if row != head.writes[0] or (attr, stmt.line) in told:
                        continue
                    if _is_lazy(graph, model, attr):
                        told.add((attr, stmt.line))
                        yield at(
                            graph, CAUSE, function, stmt.line,
                            f"{row}.{attr} is loaded by a query of its own for every item of the "
                            f"loop at line {block.line}; load it with selectinload()",
                            culprit=f"{model.name}.{attr}",
                        )  # fmt: skip


def _relations(graph: Graph) -> tuple[str, ...]:
    """Names of relationships, of any model."""

    def named(module: Module) -> Iterator[tuple[str, str]]:
        for cls in module.classes.values():
            for name in cls.attrs:
                if _is_lazy(graph, cls, name):
                    yield name, ""

    return tuple(graph.program.index("relations", named).table())


def _touches(function: Function, names: tuple[str, ...]) -> bool:
    """Whether the function reads an attribute of one of these names."""
    return any(
        "." in read and not _parts(read).isdisjoint(names)
        for stmt in function.body.stmts
        for read in stmt.reads
    )


def _parts(read: str) -> set[str]:
    return set(read.split(".")[1:])


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
        bound = body.bindings.get(str(ref).partition(".")[0], [])
        if len(bound) != 1 or bound[0][1] is not None:
            return None
        return _rows_of(graph, function, bound[0][0].value, depth - 1)
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
                    if model is not None:
                        return model
    inner = call.func[1] if isinstance(call.func, tuple) and call.func[0] == "." else call.func
    for each in (*call.args[:1], inner):
        model = _rows_of(graph, function, each, depth - 1)
        if model is not None:
            return model
    return None


def _is_lazy(graph: Graph, model: Class, attr: str) -> bool:
    for cls in graph.program.mro(model):
        if isinstance(cls, Class) and attr in cls.attrs:
            value = cls.attrs[attr][1]
            if not isinstance(value, int) or isinstance(value, bool):
                return False
            made = cls.scope.body.calls[value]
            return made.name in _RELATIONS and made.keyword("lazy") in _ON_TOUCH
    return False
