"""Files, connections and generators that a function opens for itself and leaves open."""

from __future__ import annotations

import re
from collections.abc import Iterator

from slowpath.causes.base import Finding
from slowpath.causes.reading import at_call
from slowpath.causes.session_leak import CAUSE
from slowpath.causes.session_leak.closing import closed_always, closes, closing
from slowpath.program import extract
from slowpath.program.extract import Ref
from slowpath.program.graph import LIKELY, POSSIBLE, Graph
from slowpath.program.model import Call, Function, Stmt
from slowpath.program.values import argument

# What opens: the last parts of the names, so that other functions are passed by unread.
_OPENERS = (
    "open", "fdopen", "connect", "create_connection", "socket", "SMTP", "SMTP_SSL", "FTP",
    "FTP_TLS", "IMAP4", "IMAP4_SSL", "HTTPConnection", "HTTPSConnection",
)  # fmt: skip
_FILES = frozenset(
    "builtins.open io.open codecs.open gzip.open bz2.open lzma.open os.fdopen pathlib.Path.open "
    "tarfile.open aiofiles.open".split()
)
_CONNECTIONS = frozenset(
    "sqlite3.connect socket.socket socket.create_connection smtplib.SMTP smtplib.SMTP_SSL "
    "ftplib.FTP ftplib.FTP_TLS imaplib.IMAP4 imaplib.IMAP4_SSL http.client.HTTPConnection "
    "http.client.HTTPSConnection psycopg2.connect pymysql.connect mysql.connector.connect "
    "aiomysql.connect psycopg.connect asyncpg.connect aiosqlite.connect".split()
)
# Clients whose connections stay open until they are closed.
_CLIENT = re.compile(r"(^|\.)(Async)?(HTTP)?(OAuth\d?)?(Client|Session|ClientSession)$")
_SAID = re.compile(r"client|session|http|connect", re.I)
# Ends a connection as well, each in its own protocol.
_QUITS = frozenset({"quit", "logout", "detach", "shutdown"})
# They keep what they are given, or close it later.
_KEEPERS = frozenset(
    "enter_context enter_async_context push push_async_callback callback append add put put_nowait "
    "setattr closing aclosing finalize register partial insert extend setdefault update Popen "
    "create_subprocess_exec create_subprocess_shell run run_in_executor to_thread submit".split()
)
# They read a file to its end, there and then.
_READERS = frozenset(
    "load safe_load full_load load_all read reader DictReader parse unsafe_load len list "
    "read_csv read_text readlines loads".split()
)


def in_function(graph: Graph, function: Function) -> Iterator[Finding]:
    """Yield what a function opens and neither closes, returns, keeps nor hands over."""
    if function.mentions(*_OPENERS):
        body = function.body
        for index, call in enumerate(body.calls):
            kind = _opens(graph, function, index)
            if kind and not call.flags & extract.WITH and not call.deferred:
                yield from _left_open(graph, function, index, kind)
    if function.is_async and graph.is_reached(function):
        yield from _made_for_it(graph, function)
    if function.mentions("next", "anext", "__next__", "__anext__"):
        yield from _begun(graph, function)


def _opens(graph: Graph, function: Function, index: int) -> str:
    """ "file", "connection", or "" for a call that opens neither."""
    if function.body.calls[index].name not in _OPENERS:
        return ""
    value = graph.program.callee(function, index)
    if value is None or value[0] != "ext":
        return ""
    dotted = value[1]
    return "file" if dotted in _FILES else "connection" if dotted in _CONNECTIONS else ""


def _left_open(graph: Graph, function: Function, index: int, kind: str) -> Iterator[Finding]:
    body = function.body
    position = body.stmt_of(index)
    if position >= len(body.stmts):
        return
    stmt = body.stmts[position]
    if stmt.kind == "a" and stmt.value == index and len(stmt.writes) == 1:
        yield from _kept_in_name(graph, function, index, stmt, kind)
    elif kind == "file":
        takers = [n for n, each in enumerate(body.calls) if n != index and _takes(each, index)]
        if len(takers) != 1 or stmt.kind in "wy":
            return
        taker = body.calls[takers[0]]
        if _keeps(graph, function, takers[0], index) or _hands_on(stmt, takers[0], graph, function):
            return
        sure = taker.awaited or taker.name not in _READERS
        yield at_call(
            graph, CAUSE, function, index,
            f"the file that {taker.name}(...) is given is never closed",
            culprit=body.calls[index].name,
            confidence=LIKELY if sure else POSSIBLE,
        )  # fmt: skip


def _kept_in_name(
    graph: Graph, function: Function, index: int, stmt: Stmt, kind: str
) -> Iterator[Finding]:
    body = function.body
    name = stmt.writes[0]
    if not _plain(name) or name in body.shared or name in function.module.assigns:
        return
    if closed_always(function, name, _QUITS) or _elsewhere(graph, function, name, stmt):
        return
    if kind == "connection" and any(
        _takes(call, name) or call.func in (f"{name}.listen", f"{name}.accept")
        for call in body.calls
    ):
        return  # whoever is given a socket may keep it, and a server listens for good
    closed = closes(function, name, _QUITS)
    how = "is closed only where nothing fails" if closed else "is never closed"
    sure = not closed or kind != "file"
    yield at_call(
        graph, CAUSE, function, index, f"{name} {how}",
        culprit=body.calls[index].name, confidence=LIKELY if sure else POSSIBLE,
    )  # fmt: skip


def _made_for_it(graph: Graph, function: Function) -> Iterator[Finding]:
    """`client = self._make_client()`, where the helper makes a new one at each call."""
    for stmt in function.body.stmts:
        if stmt.kind != "a" or stmt.value.__class__ is not int or len(stmt.writes) != 1:
            continue
        call = function.body.calls[stmt.value]
        if not _plain(stmt.writes[0]) or (call.awaited and not _SAID.search(call.name)):
            continue  # to wait for a client is rare, and said so
        value = graph.program.callee(function, stmt.value)
        if value is None or value[0] not in ("fn", "meth"):
            continue
        made = graph.conclude(makes, value[1])
        if not made or _elsewhere(graph, function, stmt.writes[0], stmt):
            continue
        name = stmt.writes[0]
        if not closes(function, name, _QUITS):
            yield at_call(
                graph, CAUSE, function, stmt.value,
                f"{name}, a new {made} by {value[1].label}, is never closed",
                culprit=value[1].name,
            )  # fmt: skip


def makes(graph: Graph, function: Function) -> str:
    """The client that a function makes for whoever calls it, or ""."""
    body = function.body
    if function.is_generator or function.decorators:
        return ""  # a cache, a context manager, a dependency
    for stmt in body.stmts:
        ref = stmt.value if stmt.kind == "r" else None
        if ref.__class__ is str and len(body.bindings.get(str(ref), ())) == 1:
            if _elsewhere(graph, function, str(ref), stmt):
                return ""
            ref = body.bindings[str(ref)][0][0].value
        if not isinstance(ref, int) or isinstance(ref, bool):
            continue
        value = graph.program.callee(function, ref)
        dotted = value[1] if value is not None and value[0] == "ext" else ""
        if graph.program.knowledge.in_set("client", dotted) and _CLIENT.search(dotted):
            return str(dotted)
    return ""


def _plain(name: str) -> bool:
    return "." not in name and "[" not in name


# -- where it goes ---------------------------------------------------------------------------


def _holds(ref: Ref, what: Ref) -> bool:
    """Whether an expression is `what`, or a display with it: `("a.wav", file)`."""
    if ref == what and ref.__class__ is what.__class__:
        return True
    if ref.__class__ is tuple and ref and ref[0] in ("t", "d", "|"):
        return any(_holds(each, what) for each in ref[1])
    return False


def _takes(call: Call, what: Ref) -> bool:
    return any(_holds(each, what) for each in (*call.args, *(ref for _, ref in call.kwargs)))


def _elsewhere(graph: Graph, function: Function, name: str, bound: Stmt) -> bool:
    """Returned, yielded, stored, entered, or given to somebody who may keep or close it."""
    body = function.body
    takers = [number for number, call in enumerate(body.calls) if _takes(call, name)]
    for stmt in body.stmts:
        if stmt is bound or name not in {read.partition(".")[0] for read in stmt.reads}:
            continue
        if stmt.kind in "wyx" or (stmt.kind in "ra" and _holds(stmt.value, name)):
            return True
        if stmt.kind == "r" and _bound_method(stmt.value, name):
            return True
        # Named apart from calls, as an element of something that is kept.
        given = sum(
            body.stmts[body.stmt_of(n)] is stmt for n in takers if body.stmt_of(n) < len(body.stmts)
        )
        if stmt.kind in "ra" and stmt.reads.count(name) > given:
            return True
    for number in takers:
        position = body.stmt_of(number)
        if position < len(body.stmts) and _hands_on(body.stmts[position], number, graph, function):
            return True
        if _keeps(graph, function, number, name):
            return True
    others = [each for each, _ in body.bindings[name] if each is not bound]
    if not all(_is_opened(graph, function, each.value) for each in others):
        return True
    inner = function.qual + "."
    return any(
        q.startswith(inner) and f.mentions(name) for q, f in function.module.functions.items()
    )


def _is_opened(graph: Graph, function: Function, ref: Ref) -> bool:
    return isinstance(ref, int) and not isinstance(ref, bool) and bool(_opens(graph, function, ref))


def _bound_method(ref: Ref, name: str) -> bool:
    return ref.__class__ is str and str(ref).startswith(name + ".")


def _hands_on(stmt: Stmt, taker: int, graph: Graph, function: Function) -> bool:
    """Whether what a call made of it is given on, and may hold it: `return csv.reader(file)`."""
    if stmt.kind in "yw":
        return True
    kept = stmt.kind == "r" or (stmt.kind == "a" and any("." in w or "[" in w for w in stmt.writes))
    if not kept or stmt.value != taker:
        return False
    call = function.body.calls[taker]
    if call.awaited or call.name in _READERS - {"reader", "DictReader"}:
        return False
    # What waits for the disk or the network is done with it when it comes back.
    edges = graph.edges_at(function, taker)
    return not edges or any(
        edge.primitive is None if edge.target is None else edge.target.is_generator
        for edge in edges
    )


def _keeps(graph: Graph, function: Function, index: int, what: Ref) -> bool:
    """Whether a call may keep, or close, what it is given."""
    call = function.body.calls[index]
    if call.name in _KEEPERS or call.name[:1].isupper() or call.deferred:
        return True
    value = graph.program.callee(function, index)
    if value is None:
        return not call.awaited and call.name not in _READERS
    if value[0] == "ext":
        return str(value[1]).rpartition(".")[2][:1].isupper()
    if value[0] not in ("fn", "meth"):
        return True
    target: Function = value[1]
    if target.is_generator or call.flags & extract.STARRED:
        return True
    given = [name for name, _, _ in target.params if _holds(argument(target, name, call), what)]
    return not given or any(graph.conclude(keeps, target, name) for name in given)


def keeps(graph: Graph, function: Function, name: str) -> bool:
    """Whether a function closes, enters, stores or hands back what it is given by that name."""
    body = function.body
    names = {name}
    for stmt in body.stmts:
        if stmt.kind == "a" and all(map(_plain, stmt.writes)) and stmt.value in names:
            names.update(stmt.writes)  # another name for it
    for stmt in body.stmts:
        if stmt.kind == "w" and names & set(stmt.reads):
            return True
        alias = stmt.kind == "a" and stmt.value in names and all(map(_plain, stmt.writes))
        if stmt.kind in "ary" and not alias and any(_holds(stmt.value, each) for each in names):
            return True
    return any(closing(call, each) for call in body.calls for each in names)


# -- generators ------------------------------------------------------------------------------


def _begun(graph: Graph, function: Function) -> Iterator[Finding]:
    """`db = next(get_db())`: what the generator does behind its `yield` is never reached."""
    body = function.body
    for index, call in enumerate(body.calls):
        if call.name not in ("next", "anext", "__next__", "__anext__"):
            continue
        made = call.args[0] if len(call.args) == 1 else None
        if call.name.startswith("__") and call.func.__class__ is tuple and call.func[0] == ".":
            made = call.func[1]
        elif call.name.startswith("__") and call.func.__class__ is str:
            made = call.func.rpartition(".")[0]
        generator = ""
        if made.__class__ is str and len(body.bindings.get(str(made), ())) == 1:
            generator = str(made)
            made = body.bindings[generator][0][0].value
        if not isinstance(made, int) or isinstance(made, bool):
            continue
        value = graph.program.callee(function, made)
        if value is None or value[0] not in ("fn", "meth") or not _owes(value[1]):
            continue
        position = body.stmt_of(index)
        stmt = body.stmts[position] if position < len(body.stmts) else None
        names = [generator] if generator else []
        if stmt is not None and stmt.kind == "a" and stmt.value == index:
            names += [each for each in stmt.writes if "." not in each and "[" not in each]
        if any(
            closed_always(function, each, frozenset({"athrow", "throw"}))
            or _finished(function, each)
            for each in names
        ):
            continue
        if stmt is None or stmt.kind in "ry" or (stmt.kind == "a" and not names):
            continue
        yield at_call(
            graph, CAUSE, function, index,
            f"{call.name}(...) begins {value[1].label} and nobody lets it end, so what it opened "
            "is not given back",
            culprit=value[1].name,
        )  # fmt: skip


def _owes(function: Function) -> bool:
    """Whether a generator yields once, within something that ends with it."""
    if not function.is_generator:
        return False
    yields = [stmt for stmt in function.body.stmts if stmt.kind == "y"]
    body = function.body
    return (
        len(yields) == 1
        and body.loop_of(yields[0].block) is None
        and (
            body.inside(yields[0].block, frozenset({"with", "awith"}))
            or any(block.kind == "finally" for block in body.blocks)
        )
    )


def _finished(function: Function, name: str) -> bool:
    """`next(generator, None)` in `finally`."""
    body = function.body
    return any(
        call.name in ("next", "anext", "list")
        and name in call.args
        and body.inside(call.block, frozenset({"finally"}))
        for call in body.calls
    )
