"""A session or transaction that stays open while the code waits for something else."""

from __future__ import annotations

from collections.abc import Iterator

from slowpath.causes.base import Finding
from slowpath.causes.long_transaction import CAUSE
from slowpath.causes.reading import at_call
from slowpath.causes.sessions import WITH, is_session, known_session, opens_session
from slowpath.program.extract import Ref
from slowpath.program.graph import LIKELY, POSSIBLE, Graph
from slowpath.program.model import Body, Call, Function
from slowpath.program.resolve import Value

_STREAMS = frozenset({"StreamingResponse", "EventSourceResponse"})


def scan(graph: Graph) -> Iterator[Finding]:
    for function in graph.on_loop():
        if function.is_async:
            yield from _with_blocks(graph, function)
    for function, kind in graph.entry_functions():
        if kind == "route":
            yield from _dependencies(graph, function)


def _with_blocks(graph: Graph, function: Function) -> Iterator[Finding]:
    """Awaits of the network inside `async with session`."""
    body = function.body
    held: dict[int, str] = {}
    for number, block in enumerate(body.blocks):
        if block.kind in WITH and block.stmt < len(body.stmts):
            stmt = body.stmts[block.stmt]
            if stmt.kind == "w" and is_session(graph, function, stmt.value, stmt.writes):
                held[number] = stmt.writes[0] if stmt.writes else "the transaction"
    if not held:
        return
    reported = set()
    for index, call in enumerate(body.calls):
        if not call.awaited or call.deferred:
            continue
        around = [each for each in body.ancestors(call.block) if each in held]
        if not around or around[-1] in reported or _given_back(body, index, held[around[0]]):
            continue
        if not _concerns(_given(call), held[around[0]]) and _takes_another(
            graph, function, index, body.stmts[body.blocks[around[0]].stmt].value
        ):
            reported.add(around[-1])
            yield at_call(
                graph, CAUSE, function, index,
                f"{call.name}(...) takes a second connection while {held[around[0]]} holds one: "
                "callers that each have their first wait for each other",
            )  # fmt: skip
            continue
        sleeps = _sleeps(graph, function, index)
        if (
            sleeps or _elsewhere(graph.call_io(function, index)) or _streams_text(call)
        ) and not _concerns(_given(call), held[around[0]]):
            reported.add(around[-1])
            line = body.blocks[around[-1]].line
            what = "sleeps" if sleeps else "waits for the network"
            yield at_call(
                graph, CAUSE, function, index,
                f"{held[around[-1]]} (line {line}) is held while {call.name}(...) {what}",
            )  # fmt: skip


def _given_back(body: Body, index: int, name: str) -> bool:
    """Whether the session has ended its transaction, and with it let go of its connection, and
    nothing was asked of it since."""
    last = ""
    for call in body.calls[:index]:
        func = call.func if call.func.__class__ is str else ""
        if func.startswith(name + "."):
            last = call.name
        elif name in _given(call):
            last = "used"
    return last in ("commit", "rollback", "close")


def _given(call: Call) -> tuple[Ref, ...]:
    return (*call.args, *(ref for _, ref in call.kwargs))


def _takes_another(graph: Graph, function: Function, index: int, held: Ref) -> bool:
    """Whether the called function opens a session from where the held one came from."""
    source = _source(graph, function, held)
    call = function.body.calls[index]
    for edge in graph.edges_at(function, index):
        target = edge.target
        if target is None or target is function or edge.confidence == POSSIBLE:
            continue
        if source is not None and any(
            stmt.kind == "w" and _source(graph, target, stmt.value) == source
            for stmt in target.body.stmts
        ):
            return True
        # Another method of the same object talks to the same database, however it asks for it.
        same = target.owner is function.owner is not None and call.func == f"self.{call.name}"
        if same and opens_session(graph, target):
            return True
    return False


def _source(graph: Graph, function: Function, ref: Ref) -> Value | None:
    """What is called for a session that a with block opens."""
    if not isinstance(ref, int) or isinstance(ref, bool):
        return None
    if function.body.calls[ref].name in ("begin", "begin_nested", "transaction"):
        return None  # on a connection that is there already
    return graph.program.callee(function, ref)


def _sleeps(graph: Graph, function: Function, index: int) -> bool:
    """`asyncio.sleep` for longer than it takes to let others run."""
    call = function.body.calls[index]
    if call.name != "sleep" or not call.args or call.args[0] in (("c", 0), ("c", 0.0)):
        return False
    value = graph.program.callee(function, index)
    return (
        value is not None
        and value[0] == "ext"
        and (value[1] in graph.program.knowledge.sets["async_sleep"])
    )


def _streams_text(call: Call) -> bool:
    """`async for token in llm.astream(...)`, whatever the model is."""
    return call.name in ("astream", "astream_events", "astream_log", "ainvoke")


def _elsewhere(io: frozenset[str]) -> bool:
    """Whether a call waits for the network and not for the database as well."""
    return "net" in io and "db" not in io


def _concerns(args: tuple[Ref, ...], name: str) -> bool:
    return name in args


def _dependencies(graph: Graph, function: Function) -> Iterator[Finding]:
    """A session from a `yield` dependency: held until the response, or its stream, has ended."""
    names = [
        name
        for name, _, _ in function.params
        if (value := graph.program.name(function, name)) is not None
        and value[0] in ("ext", "alt")
        and known_session(graph, value)
    ]
    if not names:
        return
    body = function.body
    used = False
    for index, call in enumerate(body.calls):
        if call.deferred:
            continue
        func = call.func if call.func.__class__ is str else ""
        if call.name in _STREAMS:
            yield at_call(
                graph, CAUSE, function, index,
                f"{names[0]} stays open until the whole response has been streamed",
                culprit=call.name, confidence=LIKELY if used else POSSIBLE,
            )  # fmt: skip
            return
        given = (*call.args, *(ref for _, ref in call.kwargs))
        if any(func.startswith(name + ".") or name in given for name in names):
            used = True
        elif used and call.awaited and _elsewhere(graph.call_io(function, index)):
            yield at_call(
                graph, CAUSE, function, index,
                f"{names[0]} holds its connection while {call.name}(...) waits for the network",
                culprit=call.name,
            )  # fmt: skip
            return
