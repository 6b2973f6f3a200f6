"""Connections, clients and streams that some path never closes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from slowpath.causes.base import Finding
from slowpath.causes.reading import also_made, at, at_call
from slowpath.causes.session_leak import CAUSE
from slowpath.causes.session_leak.closing import CLOSERS, GIVES_BACK, closed_always, closes
from slowpath.causes.session_leak.opened import in_function
from slowpath.program import extract
from slowpath.program.entries import metadata
from slowpath.program.extract import Ref
from slowpath.program.graph import LIKELY, Graph
from slowpath.program.model import Class, Function, Stmt
from slowpath.program.resolve import Value

_TEARDOWN = re.compile(
    r"(^|_)(a?close|stop|shutdown|cleanup|clean_up|disconnect|teardown|__aexit__|aexit|dispose|"
    r"destroy|terminate|kill|end|finish|on_[A-Za-z]*(Stop|Close|Shutdown|Disconnect)[A-Za-z]*)($|_)"
)
_CLIENTS: tuple[Value, ...] = (
    ("ext", "httpx.AsyncClient"), ("ext", "aiohttp.ClientSession"), ("ext", "httpx.Client"),
)  # fmt: skip
# The whole of an object ends with these.
_ENDS = frozenset(
    "close aclose stop shutdown cleanup disconnect teardown dispose __aexit__ __exit__".split()
)
_VERBS = frozenset("get post put patch delete head options request ws_connect".split())
# They read the body to its end, or let go of it.
_READS = frozenset("read text json release close raise_for_status __aexit__".split())
_STREAM = re.compile(r"(^|\.)Async[A-Za-z]*Stream$|\.AsyncStream$")
_POOLED = re.compile(r"(^|\.)(acquire|getconn|get_connection)$")


def scan(graph: Graph) -> Iterator[Finding]:
    for function in graph.reached():
        if function.qual:
            yield from _locals(graph, function)
            yield from _streams(graph, function)
            yield from _responses(graph, function)
    # What threads run leaks just the same; dependencies that yield are made for it.
    for function in graph.functions():
        if function.qual and function.is_generator and not graph.is_reached(function):
            yield from _locals(graph, function)
    for function in graph.in_threads():
        if not function.is_generator and not graph.is_reached(function):
            yield from _locals(graph, function)
    # A file that stays open is lost to the process, whoever opened it.
    for function in graph.functions() if graph.has_loop() else ():
        if function.qual:
            yield from in_function(graph, function)
    yield from _given_out(graph)
    for module in graph.files():
        for cls in module.classes.values():
            if cls.self_attrs:
                yield from _attributes(graph, cls)


# -- local names -----------------------------------------------------------------------------


def _locals(graph: Graph, function: Function) -> Iterator[Finding]:
    """`x = Session()` that is neither a context manager nor closed in `finally`."""
    body = function.body
    for stmt in body.stmts:
        if stmt.kind != "a" or stmt.value.__class__ is not int or len(stmt.writes) != 1:
            continue
        name = stmt.writes[0]
        if "." in name or "[" in name:
            continue
        call = body.calls[stmt.value]
        if not _acquires(graph, function, stmt.value) or call.flags & extract.WITH:
            continue
        if _goes_elsewhere(function, name, stmt.line) or closed_always(function, name):
            continue
        closed = closes(function, name)
        how = "is closed only where nothing fails" if closed else "is never closed"
        yield at_call(graph, CAUSE, function, stmt.value, f"{name} {how}", culprit=call.name)


def _acquires(graph: Graph, function: Function, index: int) -> bool:
    knowledge = graph.program.knowledge
    value = graph.program.callee(function, index)
    result = graph.program.call_result(function, index)
    call = function.body.calls[index]
    if value is None and call.name == "pubsub" and not call.args and not call.awaited:
        return function.mentions("subscribe", "psubscribe", "listen", "get_message")
    if value is None or value[0] != "ext":
        return False
    dotted = value[1]
    if dotted == "httpx.AsyncClient.send":
        return bool(call.keyword("stream") == ("c", True))
    if dotted in ("redis.asyncio.Redis.pubsub", "redis.Redis.pubsub"):
        return True
    if _POOLED.search(dotted) and ("Pool" in dotted or "pool" in dotted):
        return True
    if result is not None and result[0] == "ext" and knowledge.in_set("db_session", result[1]):
        return call.name not in ("begin", "begin_nested", "connection", "execution_options")
    return dotted in ("httpx.AsyncClient", "aiohttp.ClientSession", "asyncpg.connect",
                      "aiosqlite.connect", "psycopg.AsyncConnection.connect")  # fmt: skip


def _goes_elsewhere(function: Function, name: str, line: int) -> bool:
    """Returned, yielded, stored, passed on or given to a with block: somebody else closes it."""
    for stmt in function.body.stmts:
        if stmt.value == name and stmt.kind == "y" and _left_to_itself(function, name, stmt.line):
            continue
        if stmt.value == name and stmt.kind in "ryaw":
            return True
        if stmt.kind == "r" and name in stmt.reads:
            return True
        if stmt.kind == "w" and any(r == name or r.startswith(name + ".") for r in stmt.reads):
            return True
    for call in function.body.calls:
        if call.name in GIVES_BACK and name in call.args:
            continue
        given = (*call.args, *(ref for _, ref in call.kwargs))
        if any(f"{name}.{closer}" in given for closer in CLOSERS):
            return True  # whoever takes that closes it in the end, as a background task does
        if call.line > line - 1 and (
            name in call.args or any(value == name for _, value in call.kwargs)
        ):
            return True
    inner = function.qual + "."
    return any(
        q.startswith(inner) and f.mentions(name) for q, f in function.module.functions.items()
    )


def _left_to_itself(function: Function, name: str, line: int) -> bool:
    """A generator that yields it bare and closes it behind the `yield`, which an error skips."""
    return any(
        call.line > line and call.func == f"{name}.{call.name}" and call.name in CLOSERS
        for call in function.body.calls
    )


# -- dependencies ----------------------------------------------------------------------------


def _given_out(graph: Graph) -> Iterator[Finding]:
    """`Depends(get_db)` where `get_db` returns a session: nobody closes what it gave."""
    for function in graph.functions():
        scope = function.scope
        for _, annotation, default in function.params:
            for ref in (default, *metadata(annotation)):
                if not isinstance(ref, int) or isinstance(ref, bool):
                    continue
                call = scope.body.calls[ref]
                if call.name not in ("Depends", "Security") or not call.args:
                    continue
                value = graph.program.value(scope, call.args[0])
                if value is None or value[0] not in ("fn", "meth") or value[1].is_generator:
                    continue
                index = _returned_session(graph, value[1])
                if index is not None:
                    yield at_call(
                        graph, CAUSE, value[1], index,
                        f"{value[1].label} returns a session to the routes that depend on it, and "
                        "nobody closes it; yield it inside a with block",
                        culprit=value[1].body.calls[index].name,
                    )  # fmt: skip


def _returned_session(graph: Graph, function: Function) -> int | None:
    """The call by which a function makes the session that it returns."""
    body = function.body
    for stmt in body.stmts:
        if stmt.kind != "r":
            continue
        refs = [stmt.value]
        if stmt.value.__class__ is str:
            refs = [bound.value for bound, _ in body.bindings.get(str(stmt.value), [])]
        for ref in refs:
            if isinstance(ref, int) and not isinstance(ref, bool):
                value = graph.program.call_result(function, ref)
                known = graph.program.knowledge
                if value is None or value[0] != "ext" or not known.in_set("db_session", value[1]):
                    continue
                if _acquires(graph, function, ref):
                    return ref
    return None


# -- responses -------------------------------------------------------------------------------


def _responses(graph: Graph, function: Function) -> Iterator[Finding]:
    """`r = await session.get(url)` of aiohttp: its connection is held until the body is read."""
    body = function.body
    for stmt in body.stmts:
        if stmt.kind != "a" or stmt.value.__class__ is not int or len(stmt.writes) != 1:
            continue
        name = stmt.writes[0]
        call = body.calls[stmt.value]
        if "." in name or "[" in name or not call.awaited or call.name not in _VERBS:
            continue
        value = graph.program.callee(function, stmt.value)
        if value is None or value[0] != "ext" or not value[1].startswith("aiohttp.ClientSession."):
            continue
        if call.flags & extract.WITH or _goes_elsewhere(function, name, stmt.line):
            continue
        if any(each.func == f"{name}.{each.name}" and each.name in _READS for each in body.calls):
            continue
        if not closes(function, name):
            yield at_call(
                graph, CAUSE, function, stmt.value,
                f"{name} is neither read nor released, so its connection stays taken",
                culprit=value[1],
            )  # fmt: skip


# -- streams ---------------------------------------------------------------------------------


def _streams(graph: Graph, function: Function) -> Iterator[Finding]:
    """`async for part in stream`, where the stream holds a connection until it is closed."""
    body = function.body
    for block in body.blocks:
        if block.kind != "afor" or block.stmt >= len(body.stmts):
            continue
        head = body.stmts[block.stmt]
        name = _stream_of(graph, function, head.value)
        if not name or any(stmt.kind == "w" for stmt, _ in body.bindings[name]):
            continue
        if closes(function, name) or _managed(function, name) or _given_on(function, name, head):
            continue
        yield at(
            graph, CAUSE, function, head.line,
            f"{name} holds a connection; when the loop ends early nothing closes it",
            end_line=head.end_line,
            culprit=f"async for ... in {name}",
        )  # fmt: skip


def _stream_of(graph: Graph, function: Function, ref: Ref) -> str:
    """The local name that holds the stream: in `stream`, and in `own_generator(stream)`."""
    names: list[Ref] = [ref]
    if isinstance(ref, int) and not isinstance(ref, bool):
        value = graph.program.callee(function, ref)
        if value is None or value[0] not in ("fn", "meth") or not value[1].is_generator:
            return ""
        if value[1].mentions(*CLOSERS, "aclosing"):
            return ""
        call = function.body.calls[ref]
        names = [*call.args, *(given for _, given in call.kwargs)]
    for name in names:
        local = str(name) if name.__class__ is str and name in function.body.bindings else ""
        if local and _is_stream(graph.program.name(function, local)):
            return local
    return ""


def _given_on(function: Function, name: str, head: Stmt) -> bool:
    """Whether somebody besides the loop has the stream, who may close it: `await end(stream)`."""
    body = function.body
    return any(
        body.stmts[body.stmt_of(index)] is not head
        for index, call in enumerate(body.calls)
        if (name in call.args or any(ref == name for _, ref in call.kwargs))
        and body.stmt_of(index) < len(body.stmts)
    )


def _is_stream(value: Value | None) -> bool:
    if value is None:
        return False
    if value[0] == "alt":
        return any(_is_stream(each) for each in value[1])
    return value[0] == "ext" and bool(_STREAM.search(value[1].removesuffix("[]")))


def _managed(function: Function, name: str) -> bool:
    return any(stmt.kind == "w" and name in stmt.reads for stmt in function.body.stmts)


# -- attributes ------------------------------------------------------------------------------


def _attributes(graph: Graph, cls: Class) -> Iterator[Finding]:
    """A client kept in an attribute that the class's own teardown uses or passes by, unclosed."""
    module = cls.module
    methods = [f for name in cls.methods if (f := cls.method(name)) is not None]
    teardown = [f for f in methods if _TEARDOWN.search(f.name)]
    if not teardown:
        return
    for attr in sorted({*cls.self_attrs, *cls.attrs}):
        used = [f for f in methods if f.mentions(attr)]
        if not used or not _owns_client(graph, graph.program.class_attr(cls, attr)):
            continue
        if not _made_here(graph, cls, attr) or _attr_closed(module.functions.values(), attr):
            continue
        told = False
        for function in teardown:
            for index, call in enumerate(function.body.calls):
                if call.func.__class__ is str and call.func.startswith(f"self.{attr}."):
                    found = at_call(
                        graph, CAUSE, function, index,
                        f"{cls.name}.{attr} keeps connections open: {function.name} ends its use "
                        "and nothing closes it",
                        culprit=f"self.{attr}",
                        confidence=LIKELY,
                    )  # fmt: skip
                    yield also_made(found, cls, attr)
                    told = True
                    break
        if not told and not _handed_on(methods, attr):
            yield from _passed_by(graph, cls, attr, teardown)


def _passed_by(graph: Graph, cls: Class, attr: str, teardown: list[Function]) -> Iterator[Finding]:
    """A teardown that ends other things, where the client is made."""
    ends = [each for each in teardown if each.name in _ENDS and not each.is_stub]
    for method, _, value in cls.self_attrs.get(attr, ()):
        maker = cls.module.functions.get(method)
        if not ends or maker is None or not isinstance(value, int) or isinstance(value, bool):
            continue
        if graph.program.callee(maker, value) in _CLIENTS:  # and not what a helper shares
            yield at_call(
                graph, CAUSE, maker, value,
                f"{cls.name}.{attr} keeps connections open: {ends[0].name} passes it by and "
                "nothing closes it",
                culprit=f"self.{attr}",
                confidence=LIKELY,
            )  # fmt: skip
            return


def _handed_on(methods: Iterable[Function], attr: str) -> bool:
    """Whether somebody else is given the client, who may close it."""
    name = f"self.{attr}"
    for function in methods:
        if not function.mentions(attr):
            continue
        body = function.body
        for call in body.calls:
            if name in call.args or any(ref == name for _, ref in call.kwargs):
                return True
        if any(stmt.kind in "aryw" and stmt.value == name for stmt in body.stmts):
            return True
    return False


def _owns_client(graph: Graph, value: Value | None) -> bool:
    """A client with connections, or an object of the project that has one and can be closed."""
    if value is None:
        return False
    if value[0] == "alt":
        return any(_owns_client(graph, each) for each in value[1])
    if value[0] == "ext":
        return value in _CLIENTS
    if value[0] != "inst":
        return False
    cls: Class = value[1]
    if not cls.methods & {"close", "aclose"}:
        return False
    return any(
        (inner := graph.program.class_attr(cls, attr)) is not None and inner in _CLIENTS
        for attr in cls.self_attrs
    )


def _made_here(graph: Graph, cls: Class, attr: str) -> bool:
    """Whether the class makes the object itself; one that was passed in is its giver's."""
    places = [(cls.scope, cls.attrs[attr][1])] if attr in cls.attrs else []
    for method, _, value in cls.self_attrs.get(attr, ()):
        function = cls.module.functions.get(method)
        if function is not None:
            places.append((function, value))
    return any(isinstance(value, int) and not isinstance(value, bool) for _, value in places)


def _attr_closed(functions: Iterable[Function], attr: str) -> bool:
    for function in functions:
        if not function.mentions(attr):
            continue
        for call in function.body.calls:
            func = call.func if isinstance(call.func, str) else ""
            if call.name in CLOSERS and func.endswith(f".{attr}.{call.name}"):
                return True
        for stmt in function.body.stmts:
            if stmt.kind == "w" and any(r.endswith("." + attr) for r in stmt.reads):
                return True
    return False
