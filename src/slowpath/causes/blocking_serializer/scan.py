"""Much data turned into text at once, on the event loop."""

from __future__ import annotations

from collections.abc import Iterator

from slowpath.causes.base import Finding
from slowpath.causes.blocking_serializer import CAUSE
from slowpath.causes.reading import at_call, few_ways, reaching
from slowpath.program.extract import Ref
from slowpath.program.graph import LIKELY, POSSIBLE, Graph
from slowpath.program.model import Body, Function

_ENCODERS = frozenset({"json.dumps", "simplejson.dumps", "ujson.dumps"})
_RESPONSES = ("Response", "HttpResponse", "HTTPResponse")


def scan(graph: Graph) -> Iterator[Finding]:
    """Yield calls that serialise a table or document, and response bodies encoded by hand."""
    yield from reaching(graph, CAUSE, frozenset({"serialize"}))
    for function, kind in graph.entry_functions():
        if kind == "route" and function.mentions("dumps"):
            yield from _bodies(graph, function)


def _bodies(graph: Graph, function: Function) -> Iterator[Finding]:
    for edge in graph.edges(function):
        call = function.body.calls[edge.site]
        if edge.dotted not in _ENCODERS or not call.args or not _holds_data(call.args[0]):
            continue
        if _is_answer(function, edge.site):
            yield at_call(
                graph, CAUSE, function, edge.site,
                f"{edge.dotted} encodes the whole response on the event loop",
                culprit=edge.dotted,
                confidence=POSSIBLE if _is_one_thing(function.body, edge.site) else LIKELY,
            )  # fmt: skip


def _is_one_thing(body: Body, index: int) -> bool:
    """Whether attributes of one object are written out, or the names of a table's columns.

    Such an answer is small more often than not; rows are what makes it large.
    """
    call = body.calls[index]
    ref = call.args[0]
    if ref.__class__ is str:
        bound = body.bindings.get(str(ref), [])
        ref = bound[0][0].value if len(bound) == 1 and bound[0][0].kind == "a" else None
    if ref.__class__ is not tuple:
        return False
    if ref[0] == "d":
        return not any(each.__class__ is str and "." not in each for each in ref[1])
    heads = [
        body.stmts[block.stmt]
        for block in body.blocks
        if block.kind == "comp" and call.line <= block.line <= call.end_line
    ]
    return bool(heads) and all(str(_over(body, head.value)).endswith("columns") for head in heads)


def _over(body: Body, ref: Ref) -> Ref:
    """What a comprehension goes over, as it ends: `columns` of `entry.structure().columns`."""
    return ref[2] if ref.__class__ is tuple and ref[0] == "." else ref


def _holds_data(ref: Ref) -> bool:
    """Whether a variable is part of what is encoded: a literal alone is small."""
    if isinstance(ref, tuple) and ref:
        if ref[0] in ("t", "d", "|"):
            return any(_holds_data(each) for each in ref[1])
        return ref[0] in ("L", "[]")
    return isinstance(ref, str)


def _is_answer(function: Function, index: int) -> bool:
    """Whether the text becomes a response: returned, or given to a response class."""
    body = function.body
    position = body.stmt_of(index)
    stmt = body.stmts[position] if position < len(body.stmts) else None
    names = stmt.writes if stmt is not None and stmt.value == index else ()
    for call in body.calls:
        if call.name.endswith(_RESPONSES):
            given = (*call.args, *(value for _, value in call.kwargs))
            if index in given or any(name in given for name in names):
                return True
    return any(
        other.kind == "r" and (other.value == index or other.value in names) for other in body.stmts
    )


def settle(findings: list[Finding]) -> Iterator[Finding]:
    return few_ways(findings)
