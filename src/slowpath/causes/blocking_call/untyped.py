"""Calls on receivers of unknown type that only a synchronous object would take so.

The async twin of each of these gives a coroutine; whoever neither awaits nor keeps it has the
plain one in hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from slowpath.causes.base import Cause, Finding
from slowpath.causes.excuses import handed_over
from slowpath.causes.reading import at, at_call, only_looked_into
from slowpath.program import extract
from slowpath.program.extract import Ref
from slowpath.program.graph import LIKELY, POSSIBLE, Graph
from slowpath.program.model import Body, Function

# The ends of dotted calls: SDKs of models, LangChain's plain methods beside its `a...` ones.
_CHAINS = re.compile(
    r"\.(chat\.completions\.create|completions\.create|embeddings\.create|messages\.create|"
    r"responses\.create|images\.(generate|edit)|audio\.(transcriptions|translations|speech)\.create|"
    r"moderations\.create|beta\.chat\.completions\.parse|models\.generate_content)$"
)
# Django's managers; the others that are called so give something to await.
_MANAGERS = re.compile(
    r"\.(objects|[a-z]\w*_set)(\.(filter|exclude|all|select_related|order_by|using)\(\))*\."
    r"(exists|count|get|create|first|last|get_or_create|update_or_create|bulk_create|aggregate|"
    r"in_bulk|latest|earliest)$"
)
# These have their twin under another name, so that they are always the plain ones.
_PLAIN = re.compile(
    r"\.(get_relevant_documents|similarity_search|similarity_search_with_score|"
    r"max_marginal_relevance_search|from_notebook_node)$"
)
_INVOKING = ("langchain", "langgraph")
_SQL = re.compile(
    r"\s*(select|insert|update|delete|create|alter|drop|pragma|replace|with|truncate|begin|commit|"
    r"vacuum|attach)\b",
    re.I,
)
_EXECUTES = frozenset({"execute", "executemany", "executescript"})
# The ends of a query of SQLAlchemy's old style, which only the plain session has.
_ENDS = frozenset(
    "all first one one_or_none scalar count delete update exists get paginate".split()
)
_ENQUEUES = frozenset({"delay", "apply_async", "send", "send_with_options", "enqueue"})
_TASKS = re.compile(
    r"(^|\.)(celery|dramatiq|huey)\.(.*\.)?(task|shared_task|actor|db_task)$|Celery\.task$"
)
_LOCKS = frozenset({"threading.Lock", "threading.RLock", "threading.Semaphore",
                    "threading.BoundedSemaphore", "threading.Condition"})  # fmt: skip


def plain_twins(graph: Graph, cause: Cause) -> Iterator[Finding]:
    """Yield such calls in coroutines; where the result is handed on, they are only possible."""
    for function in graph.on_loop():
        if not function.is_async:
            continue
        body = function.body
        for index, call in enumerate(body.calls):
            if call.awaited or call.deferred:
                continue
            what, plain = _what(function, index)
            if not what or not _unknown(graph, function, index, plain):
                continue
            kept = False if plain else _kept_coroutine(body, index)
            if kept is None or handed_over(graph, function, call.func):
                continue
            yield at_call(
                graph, cause, function, index,
                f"{what} is neither awaited nor handed on, so it is the plain one, which waits on "
                "the event loop",
                culprit=call.name,
                confidence=POSSIBLE if kept else LIKELY,
            )  # fmt: skip


def _unknown(graph: Graph, function: Function, index: int, plain: bool) -> bool:
    """Whether nothing is known of what is called; of an outside name, that it is known to block."""
    edges = graph.edges_at(function, index)
    if plain:
        return all(each.target is None and each.primitive is None for each in edges)
    return not edges and graph.program.callee(function, index) is None


def _what(function: Function, index: int) -> tuple[str, bool]:
    """The call as text, if it is one of those, and whether it is plain whatever it is called on."""
    body = function.body
    call = body.calls[index]
    spelled = _spelled(body, call.func)
    if _CHAINS.search(spelled):
        return spelled, False
    if _MANAGERS.search(spelled):
        return spelled, "_set." in spelled or _imports(function, ("django",))
    if _PLAIN.search(spelled) or (call.name == "invoke" and _imports(function, _INVOKING)):
        return spelled, True
    if call.name in _EXECUTES and call.args:
        text = call.args[0]
        if text.__class__ is str:
            bound = body.bindings.get(text, [])
            text = bound[-1][0].value if bound else None
        if text.__class__ is tuple and text[0] == "s" and _SQL.match(text[1]):
            return f"{spelled} with SQL", False
    if call.name in _ENDS and ".query()." in spelled and _queries_a_model(body, call.func):
        return spelled, True
    return "", False


def _imports(function: Function, packages: tuple[str, ...]) -> bool:
    return any(source.startswith(packages) for source, _ in function.module.imports.values())


def _spelled(body: Body, ref: Ref, depth: int = 12) -> str:
    """An expression as dotted text, calls as "()"."""
    if ref.__class__ is str:
        return str(ref)
    if not depth:
        return ""
    if isinstance(ref, int) and not isinstance(ref, bool):
        return _spelled(body, body.calls[ref].func, depth - 1) + "()"
    if ref.__class__ is tuple and ref[0] == ".":
        return f"{_spelled(body, ref[1], depth - 1)}.{ref[2]}"
    return ""


def _queries_a_model(body: Body, ref: Ref) -> bool:
    """`x.query(Model)...`: what is queried is written like a class."""
    while ref.__class__ is tuple and ref[0] == "." and ref[1].__class__ is int:
        call = body.calls[ref[1]]
        if call.name == "query":
            last = (
                call.args[0].rpartition(".")[2]
                if call.args and call.args[0].__class__ is str
                else ""
            )
            return len(call.args) >= 1 and (last[:1].isupper() or "." in str(call.args[0]))
        ref = call.func
    return False


def _kept_coroutine(body: Body, index: int) -> bool | None:
    """None if somebody may await the result after all; True if it is handed to the caller."""
    call = body.calls[index]
    if call.used:
        return False
    if call.flags & (extract.ARGUMENT | extract.WITH):
        return None
    position = body.stmt_of(index)
    if position >= len(body.stmts):
        return None
    stmt = body.stmts[position]
    if stmt.kind in "ry" and _holds(stmt.value, index):
        return True
    if stmt.kind == "a" and stmt.value == index and len(stmt.writes) == 1:
        name = stmt.writes[0]
        return False if only_looked_into(body, name, stmt) else None
    if _holds(stmt.value, index) and stmt.value != index:
        return None
    return False if call.discarded or stmt.kind in "afe" else None


def _holds(ref: Ref, index: int) -> bool:
    if ref.__class__ is int:
        return bool(ref == index)
    return ref.__class__ is tuple and any(_holds(each, index) for each in ref)


def queued_tasks(graph: Graph, cause: Cause) -> Iterator[Finding]:
    """`job.delay(...)` of a task of Celery or Dramatiq: the broker is written to at once."""
    for function in graph.on_loop():
        for index, call in enumerate(function.body.calls):
            if call.name not in _ENQUEUES or call.awaited or call.deferred:
                continue
            owner = str(call.func).rpartition(".")[0] if call.func.__class__ is str else ""
            value = graph.program.value(function, owner) if owner else None
            if value is None or value[0] != "fn":
                continue
            if any(_TASKS.search(name) for name in graph.program.decorator_names(value[1])):
                yield at_call(
                    graph, cause, function, index,
                    f"{call.name}() writes to the broker, and waits for it on the event loop; "
                    "use asyncio.to_thread",
                    culprit=f"{owner}.{call.name}",
                )  # fmt: skip


def locks_across_awaits(graph: Graph, cause: Cause) -> Iterator[Finding]:
    """A thread's lock that is held while the coroutine waits: the next one stops the loop."""
    for function in graph.on_loop():
        if not function.is_async or not function.awaits:
            continue
        body = function.body
        for number, block in enumerate(body.blocks):
            if block.kind != "with" or block.stmt >= len(body.stmts):
                continue
            stmt = body.stmts[block.stmt]
            value = graph.program.value(function, stmt.value) if stmt.kind == "w" else None
            if value is None or value[0] != "ext" or value[1] not in _LOCKS:
                continue
            if any(c.awaited and number in body.ancestors(c.block) for c in body.calls):
                yield at(
                    graph, cause, function, stmt.line,
                    f"{value[1]} is held across an await: whoever wants it meanwhile stops the "
                    "event loop, for ever if it is on the same one; use asyncio.Lock",
                    culprit=value[1],
                )  # fmt: skip
