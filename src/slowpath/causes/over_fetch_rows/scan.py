"""Rows that the query could have left out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from slowpath.causes.base import Finding
from slowpath.causes.over_fetch_rows import CAUSE
from slowpath.causes.reading import at, at_call
from slowpath.program.extract import Ref
from slowpath.program.graph import LIKELY, POSSIBLE, Graph
from slowpath.program.model import Body, Class, Function

_LOADERS = frozenset({"joinedload", "selectinload", "subqueryload"})
_GONE = re.compile(r"^(is_)?(deleted|removed|archived|active|deleted_at|archived_at)$")
_FETCHES = frozenset({"all", "fetchall", "fetch", "fetch_all", "to_list"})


def scan(graph: Graph) -> Iterator[Finding]:
    for function in graph.functions():
        if function.mentions(*_LOADERS):
            yield from _eager(graph, function)
    for function in graph.on_loop():
        if function.mentions(*_FETCHES):
            yield from _filtered(graph, function)
    for function in graph.served():
        if function.mentions(*_FETCHES):
            yield from _few_used(graph, function)


def _few_used(graph: Graph, function: Function) -> Iterator[Finding]:
    """All rows, of which the code only takes the number, a slice or the first."""
    body = function.body
    for index, call in enumerate(body.calls):
        if call.name not in _FETCHES or call.deferred or not _from_query(graph, function, index):
            continue
        if function.mentions("returning"):
            continue  # what a statement has changed is known by what it gives back
        how = _how_few(body, index)
        if how:
            yield at_call(
                graph, CAUSE, function, index,
                f"{call.name}() brings every row, and only {how} is used",
                culprit=call.name,
            )  # fmt: skip


def _how_few(body: Body, index: int) -> str:
    for call in body.calls:
        if call.func == "len" and call.args == (index,):
            return "their number"
    position = body.stmt_of(index)
    stmt = body.stmts[position] if position < len(body.stmts) else None
    if stmt is None or stmt.kind != "a" or stmt.value != index or len(stmt.writes) != 1:
        return ""
    name = stmt.writes[0]
    if "." in name or "[" in name or len(body.bindings.get(name, ())) != 1:
        return ""
    bare = sum(each.reads.count(name) for each in body.stmts)
    counted = sum(call.func == "len" and call.args == (name,) for call in body.calls)
    if not any(read.startswith(name + ".") for each in body.stmts for read in each.reads):
        if counted and bare == counted:
            return "their number"
        if len(_slices(body, name)) == bare == 1:
            return "a slice"
    return ""


def _slices(body: Body, name: str) -> list[Ref]:
    """Places where `name[a:b]` is taken."""
    return [
        ref
        for each in body.stmts
        for ref in (each.value,)
        if ref.__class__ is tuple and ref[:2] == ("[]", name) and ref[2] is None
        if name + "[]" in each.reads
    ]


def _eager(graph: Graph, function: Function) -> Iterator[Finding]:
    """An eager load of a collection that brings rows marked as gone along with the live ones."""
    reads = {read for stmt in function.body.stmts for read in stmt.reads}
    for index, call in enumerate(function.body.calls):
        if call.name not in _LOADERS or len(call.args) != 1 or call.args[0].__class__ is not str:
            continue
        owner, _, attr = call.args[0].rpartition(".")
        value = graph.program.value(function, owner) if owner else None
        if value is None or value[0] != "cls":
            continue
        many = graph.program.class_attr(value[1], attr)
        if many is None or many[0] != "coll" or many[1][0] != "inst":
            continue
        mark = _mark(graph, many[1][1])
        # The query itself leaves such rows out, so their children are not wanted either.
        if mark and any(read.startswith(f"{owner}.") and _GONE.match(read.rpartition(".")[2])
                        for read in reads):  # fmt: skip
            yield at_call(
                graph, CAUSE, function, index,
                f"{call.args[0]} is loaded whole, rows with {mark} set included",
                culprit=f"{call.name}({call.args[0]})",
            )  # fmt: skip


def _mark(graph: Graph, cls: Class) -> str:
    for each in graph.program.mro(cls):
        if isinstance(each, Class):
            for name in each.attrs:
                if _GONE.match(name):
                    return str(name)
    return ""


def _filtered(graph: Graph, function: Function) -> Iterator[Finding]:
    """`[row for row in rows if row.x]`: the condition belongs into the query."""
    body = function.body
    for block in body.blocks:
        if block.kind not in ("for", "comp") or block.stmt >= len(body.stmts):
            continue
        head = body.stmts[block.stmt]
        if len(head.writes) != 1 or not _from_query(graph, function, head.value):
            continue
        if any(
            other is not head and other.kind == "f" and head.value in other.reads
            for other in body.stmts
        ):
            continue  # those that are dropped here are used there
        row = head.writes[0]
        test = _test(body, body.blocks.index(block), block.stmt)
        # Whether a column holds anything, nearly every row answers alike.
        if test is None or _bare(body, block.stmt, test):
            continue
        if not any(read.startswith(row + ".") for read in test):
            continue
        if all(read.startswith(row + ".") for read in test):
            yield at(
                graph, CAUSE, function, head.line,
                f"rows are fetched, then kept or dropped by {', '.join(sorted(set(test)))}",
                culprit=row,
                confidence=LIKELY if block.kind == "for" else POSSIBLE,
            )  # fmt: skip


def _test(body: Body, block: int, head: int) -> tuple[str, ...] | None:
    """What the first statement of the loop tests, if a test is all that the loop starts with."""
    if head + 1 >= len(body.stmts):
        return None
    first = body.stmts[head + 1]
    return first.reads if first.kind == "i" and first.block == block else None


def _bare(body: Body, head: int, test: tuple[str, ...]) -> bool:
    """Whether a test asks of several columns, or of one by its very words, only whether they hold
    anything."""
    value = body.stmts[head + 1].value
    return bool(value == ("some", "") or (len(test) > 1 and value == ("|", test)))


def _from_query(graph: Graph, function: Function, ref: Ref) -> bool:
    body = function.body
    if ref.__class__ is str:
        bound = body.bindings.get(ref)
        if not bound or len(bound) != 1:
            return False
        ref = bound[0][0].value
    if ref.__class__ is not int:
        return False
    call = body.calls[ref]
    if call.name not in _FETCHES:
        return False
    if "db" in graph.call_io(function, ref):
        return True
    if any(e.primitive and e.primitive.effect == "db" for e in graph.edges_at(function, ref)):
        return True
    inner = call.func
    for _ in range(6):
        if inner.__class__ is tuple and inner[0] == "." and inner[1].__class__ is int:
            if "db" in graph.call_io(function, inner[1]):
                return True
            inner = body.calls[inner[1]].func
        elif inner.__class__ is str and "." in inner:
            bound = body.bindings.get(inner.partition(".")[0])
            value = bound[0][0].value if bound else None
            return value.__class__ is int and "db" in graph.call_io(function, value)
        else:
            return False
    return False
