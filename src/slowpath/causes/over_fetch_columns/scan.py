"""Entities of which a loop uses one or two columns."""

from __future__ import annotations

from collections.abc import Iterator

from slowpath.causes.base import Finding
from slowpath.causes.over_fetch_columns import CAUSE
from slowpath.causes.reading import at
from slowpath.program.extract import Ref
from slowpath.program.graph import LIKELY, Graph
from slowpath.program.model import Body, Call, Class, Function

_MANY_COLUMNS = 8
_FEW_USED = 2
_NAMES_COLUMNS = ("load_only", "defer", "undefer")


def scan(graph: Graph) -> Iterator[Finding]:
    for function in graph.reached():
        if function.mentions("select", "query"):
            yield from _in(graph, function)


def _in(graph: Graph, function: Function) -> Iterator[Finding]:
    body = function.body
    for block in body.blocks:
        if block.kind not in ("for", "comp") or block.stmt >= len(body.stmts):
            continue
        head = body.stmts[block.stmt]
        if len(head.writes) != 1 or "." in head.writes[0] or "[" in head.writes[0]:
            continue
        cls = _entity(graph, function, head.value)
        if cls is None or len(_columns(cls)) < _MANY_COLUMNS:
            continue
        used = _used(body, head.writes[0])
        if used is not None and 0 < len(used) <= _FEW_USED and used <= _columns(cls):
            yield at(
                graph, CAUSE, function, head.line,
                f"{cls.name} has {len(_columns(cls))} columns; the loop uses "
                f"{' and '.join(sorted(used))}",
                culprit=cls.name,
                confidence=LIKELY,
            )  # fmt: skip


def _columns(cls: Class) -> set[str]:
    """Names that the class maps to columns, relationships left out."""
    found = set()
    for name, (annotation, value) in cls.attrs.items():
        if isinstance(value, int) and not isinstance(value, bool):
            called = cls.scope.body.calls[value].name
            if called in ("Column", "mapped_column", "Field"):
                found.add(name)
        elif annotation.__class__ is tuple and annotation[0] == "[]" and annotation[1] == "Mapped":
            found.add(name)
    return found


def _used(body: Body, row: str) -> set[str] | None:
    """Attributes read from the loop's variable; None if it goes anywhere as a whole."""
    found = set()
    for stmt in body.stmts:
        for read in stmt.reads:
            head, dot, rest = read.partition(".")
            if head == row:
                if not dot:
                    return None
                found.add(rest.partition(".")[0])
    return found


def _leaves_out(body: Body, call: Call) -> bool:
    """Whether options say which columns are loaded."""
    options = [body.calls[arg].name for arg in call.args if arg.__class__ is int]
    return call.name == "options" and any(name in _NAMES_COLUMNS for name in options)


def _entity(graph: Graph, function: Function, ref: Ref) -> Class | None:
    """The class that `ref` is a list of, if it comes from `select(Class)`."""
    body = function.body
    seen = 0
    while seen < 12:
        seen += 1
        if ref.__class__ is str:
            bound = body.bindings.get(ref.partition(".")[0])
            if not bound or len(bound) != 1:
                return None
            ref = bound[0][0].value
        elif ref.__class__ is int:
            call = body.calls[ref]
            if call.name in ("select", "query") and len(call.args) == 1:
                value = graph.program.value(function, call.args[0])
                return value[1] if value is not None and value[0] == "cls" else None
            if call.name == "with_only_columns" or _leaves_out(body, call):
                return None
            if call.name in ("execute", "scalars", "stream_scalars", "exec") and call.args:
                ref = call.args[0]
            elif call.func.__class__ is tuple and call.func[0] == ".":
                ref = call.func[1]
            elif call.func.__class__ is str and "." in call.func:
                ref = call.func.partition(".")[0]
            elif call.name in ("list", "tuple", "sorted") and call.args:
                ref = call.args[0]
            else:
                return None
        else:
            return None
    return None
