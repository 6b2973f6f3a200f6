"""Why a call that is written does not hold the loop after all.

Each excuse can be read from the code near the call: the author asked first, chose the thread for
the case that waits, or made something that works only when somebody takes items from it.
"""

from __future__ import annotations

import re
from itertools import pairwise

from slowpath.causes.branches import elsewhere, not_yet, switched_off, test_of
from slowpath.program import extract
from slowpath.program.extract import Ref
from slowpath.program.graph import Graph
from slowpath.program.model import Body, Call, Function

Hops = tuple[tuple[Function, int], ...]

# They ask whether the callable, or its result, is async.
ASYNC_TESTS = frozenset(
    "iscoroutinefunction iscoroutine isawaitable is_async_callable is_coroutine_function "
    "is_coroutine_callable is_async_function is_coroutine is_awaitable isasyncgenfunction".split()
)
# Helpers of a project that put a callable in a thread say so.
_OWN_OFFLOAD = re.compile(r"thread|executor|run_sync|offload")
_ASKS_FOR_A_LOOP = frozenset(
    "get_running_loop _get_running_loop current_task in_async_context in_async_worker "
    "is_in_async_context has_running_loop running_loop current_async_library".split()
)
# Generators of the standard library: the call itself reads nothing.
_LAZY = frozenset(
    "pathlib.Path.walk pathlib.Path.iterdir pathlib.Path.glob pathlib.Path.rglob os.walk os.fwalk "
    "glob.iglob concurrent.futures.ThreadPoolExecutor.map "
    "concurrent.futures.ProcessPoolExecutor.map".split()
)
_ACQUIRES = frozenset({"threading.Lock.acquire", "threading.RLock.acquire"})
# What they may be told by their first argument.
_MAY_NOT_WAIT = frozenset({"acquire", "get", "put", "wait", "join", "result"})
_OPENERS = frozenset(
    {"builtins.open", "io.open", "codecs.open", "gzip.open", "pathlib.Path.open", "os.fdopen"}
)
_OF_FILES = re.compile(r"(builtins\.open|pathlib\.Path\.open)\(\)\.")
_OUTCOMES = frozenset({"concurrent.futures.Future.result", "concurrent.futures.Future.exception"})
_OTHER_BRANCH = frozenset({"else", "except"})
_PACKED = ("zipfile.", "tarfile.", "gzip.", "bz2.", "lzma.")
_DESCRIPTORS = frozenset({"detach", "fileno", "dup", "pipe"})
_ENDS = frozenset(
    "all first one one_or_none scalar scalars count delete update get paginate exists fetchall "
    "fetchone yield_per".split()
)
_TAKES = frozenset({"queue.Queue.get", "multiprocessing.Queue.get"})
# They take a plain generator's items in a thread.
_STREAMS = frozenset({"StreamingResponse", "iterate_in_threadpool", "Stream"})
_FETCHERS = frozenset({"urllib.request.urlopen"})
_FILES = ("builtins.open", "io.open", "pathlib.Path.", "os.")
# Files that the kernel makes up as they are read: no disk is behind them.
_MADE_UP = ("/proc/", "/sys/")


def excused(graph: Graph, hops: Hops, primitive: str) -> bool:
    """Whether the way down to a primitive, or its last call, is one that the loop does not take."""
    site, index = hops[-1]
    call = site.body.calls[index]
    return (
        _told_not_to_wait(call)
        or (primitive in _OUTCOMES and (_of_parameter(site, call) or _settled(site, index)))
        or (primitive in _FETCHERS and inline(site, call))
        or (primitive.startswith(_FILES) and _in_kernel(site, call))
        or (primitive == "os.fdopen" and _is_open(site, call))
        or any(handed_over(graph, each, each.body.calls[at].func) for each, at in hops)
        or any(_streamed(graph, *each) for each in hops)
        or (primitive.endswith(".query") and _only_built(site, index))
        or (primitive in _TAKES and any(_looked_first(each, call) for each, _ in hops[-2:]))
        or (_OF_FILES.match(primitive) and _opened_here(graph, site))
        or (primitive in _LAZY and not _taken_from(site, index))
        or (primitive in _ACQUIRES and _made_here(site, call))
        or (primitive.startswith(_PACKED) and _in_memory(graph, site))
        or (primitive.startswith("psutil.") and not _given(call, "interval", 0))
        or any(_without_a_loop(*each) for each in hops)
        or any(_dispatched(*pair) for pair in pairwise(hops))
        or switched_off(hops)
        or any(elsewhere(*each) or not_yet(*each) for each in hops)
    )


def _in_memory(graph: Graph, function: Function) -> bool:
    """Whether the archives that the function opens lie in memory."""
    program = graph.program
    opened = [
        next(
            (ref for name, ref in call.kwargs if name in ("fileobj", "file")),
            next(iter(call.args), None),
        )
        for index, call in enumerate(function.body.calls)
        if call.name not in ("TarInfo", "ZipInfo")
        and (value := program.callee(function, index)) is not None
        and value[0] == "ext"
        and value[1].startswith(_PACKED)
        and value[1].count(".") == 1
    ]
    values = [program.value(function, each) for each in opened]
    return bool(values) and all(value == ("ext", "io.BytesIO") for value in values)


def _given(call: Call, name: str, position: int) -> bool:
    """Whether an argument is passed, and not as none."""
    ref = call.args[position] if len(call.args) > position else call.keyword(name)
    return ref is not None and ref not in (("c", None), ("c", 0), ("c", 0.0))


def handed_over(graph: Graph, function: Function, func: Ref) -> bool:
    """Whether the same callable is passed to a thread somewhere in the function.

    Then the author knows that it may wait, and calls it in place only where it does not.
    """
    if func.__class__ is not str:
        return False
    return any(
        func in call.args
        and (
            graph.offload_position(function, index) is not None
            or (call.awaited and _OWN_OFFLOAD.search(call.name))
        )
        for index, call in enumerate(function.body.calls)
    )


def dispatches(target: Function) -> bool:
    """Whether a decorator is given the async twin: it calls that one where a loop runs."""
    names = twins(target.name)
    for ref in target.decorators:
        if isinstance(ref, int) and not isinstance(ref, bool):
            call = target.scope.body.calls[ref]
            if any(str(each).rpartition(".")[2] in names for each in call.args):
                return True
    return False


def twins(name: str) -> tuple[str, ...]:
    """Names under which the async method that does the same may stand beside a plain one."""
    if name.startswith("_"):
        bare = name.lstrip("_")
        return (f"_a{bare}", f"_async_{bare}", f"{name}_async")
    return (f"a{name}", f"async_{name}", f"{name}_async", f"aio_{name}")


def _told_not_to_wait(call: Call) -> bool:
    """`lock.acquire(blocking=False)`, `queue.get(False)`, `flock(fd, LOCK_EX | LOCK_NB)`."""
    if call.name in ("flock", "lockf"):
        return any(word in repr(each) for each in call.args for word in ("LOCK_NB", "LOCK_UN"))
    if call.name == "waitpid":
        return any("WNOHANG" in repr(each) for each in call.args)
    if call.name == "sleep":
        return call.args == (("c", 0),)
    if call.name == "getaddrinfo":
        passed = (*call.args, *(ref for _, ref in call.kwargs))
        return any("NUMERIC" in repr(each) for each in passed)  # a number needs no look-up
    if call.name not in _MAY_NOT_WAIT:
        return False
    given = {call.keyword(name) for name in ("block", "blocking", "timeout")}
    return bool(given & {("c", False), ("c", 0), ("c", 0.0)}) or (
        bool(call.args) and call.args[0] in (("c", False), ("c", 0))
    )


def _opened_here(graph: Graph, function: Function) -> bool:
    """Whether the function opens a file on the loop; what it then reads is one defect with it."""
    return any(
        edge.primitive is not None and edge.primitive.name in _OPENERS
        for edge in graph.edges(function)
    )


def _is_open(function: Function, call: Call) -> bool:
    """Whether what `os.fdopen` wraps is there already: a pipe or socket that was passed in."""
    body = function.body
    ref = call.args[0] if call.args else None
    refs = [ref]
    if ref.__class__ is str:
        if any(ref == name for name, _, _ in function.params):
            return True
        refs = [stmt.value for stmt, _ in body.bindings.get(str(ref), ())]
    made = [body.calls[each].name for each in refs if isinstance(each, int)]
    return bool(made) and all(name in _DESCRIPTORS for name in made)


def _of_parameter(function: Function, call: Call) -> bool:
    """A future that was passed in: as a rule by whoever waited for it, or called back."""
    owner = str(call.func).partition(".")[0]
    return any(owner == name for name, _, _ in function.params[function.owner is not None :])


def _taken_from(function: Function, index: int) -> bool:
    """Whether items are taken from what the call gives back, here or by somebody else."""
    body = function.body
    call = body.calls[index]
    if call.flags & extract.ARGUMENT:
        return True
    position = body.stmt_of(index)
    if position >= len(body.stmts):
        return True
    stmt = body.stmts[position]
    if stmt.kind != "a" or len(stmt.writes) != 1 or "." in stmt.writes[0]:
        return True
    name = stmt.writes[0]
    return any(
        (other.kind == "f" and name in other.reads) or (other.kind in "ry" and name in other.reads)
        for other in body.stmts
    ) or any(name in each.args for each in body.calls)


def _made_here(function: Function, call: Call) -> bool:
    """A lock that the function has just made: nobody else can hold it yet."""
    owner = str(call.func).rpartition(".")[0]
    made = function.body.bindings.get(owner, [])
    return bool(made) and all(stmt.value.__class__ is int for stmt, _ in made)


def _without_a_loop(function: Function, index: int) -> bool:
    """A call in the branch for "no loop is running" of a function that asks."""
    body = function.body
    if function.is_async and _if_no_loop(body, index):
        return True
    if not function.mentions(*_ASKS_FOR_A_LOOP):
        return False
    inside = {
        (body.blocks[each].parent, body.blocks[each].line)
        for each in body.ancestors(body.calls[index].block)
        if body.blocks[each].kind in _OTHER_BRANCH
    }
    return bool(inside) and any(
        call.name in _ASKS_FOR_A_LOOP and _head_of(function, call) in inside
        for call in body.calls[:index]
    )


def _if_no_loop(body: Body, index: int) -> bool:
    """Whether a call stands under `if loop is None` of a coroutine: there is one that runs it."""
    for block in body.ancestors(body.calls[index].block):
        test = test_of(body, block) if body.blocks[block].kind == "if" else None
        if test.__class__ is not tuple or test[0] != "none" or not test[1].endswith("loop"):
            continue
        bound = [stmt.value for stmt, _ in body.bindings.get(test[1], ())]
        if any(isinstance(ref, int) and body.calls[ref].name.endswith("loop") for ref in bound):
            return True
    return False


def _head_of(function: Function, call: Call) -> tuple[int, int]:
    """Parent block and line of the `try` that a call stands in, or of the `if` that it tests."""
    block = function.body.blocks[call.block]
    if block.kind == "try":
        return block.parent, block.line
    return call.block, call.line


def _dispatched(caller: tuple[Function, int], callee: tuple[Function, int]) -> bool:
    """A call from a coroutine that a decorator turns to the async twin."""
    return caller[0].is_async and dispatches(callee[0])


def _settled(function: Function, index: int) -> bool:
    """A future that was asked whether it is done, or that calls back and was waited for."""
    body = function.body
    call = body.calls[index]
    owner = str(call.func).rpartition(".")[0] if call.func.__class__ is str else ""
    if not owner:
        return False
    before = body.calls[:index]
    asked = any(each.func == f"{owner}.done" for each in body.calls)
    observed = [n for n, each in enumerate(before) if each.func == f"{owner}.add_done_callback"]
    return asked or (bool(observed) and any(each.awaited for each in before[observed[0] :]))


def _streamed(graph: Graph, function: Function, index: int) -> bool:
    """`StreamingResponse(rows())`: a plain generator is gone through in a thread."""
    body = function.body
    if not function.mentions(*_STREAMS):
        return False
    return any(
        other.name in _STREAMS and (index in other.args or any(r == index for _, r in other.kwargs))
        for other in body.calls
    ) and any(
        edge.target is not None and edge.target.is_generator and not edge.target.is_async
        for edge in graph.edges_at(function, index)
    )


def _only_built(function: Function, index: int) -> bool:
    """`ids = session.query(Order.id)` that only becomes part of another statement.

    Or what the function gives back: whoever takes the rows waits for them.
    """
    body = function.body
    position = body.stmt_of(index)
    stmt = body.stmts[position] if position < len(body.stmts) else None
    if any(_root(body, number) == index and call.name in _ENDS for number, call in _calls(body)):
        return False
    if stmt is not None and stmt.kind == "r" and _begins_with(body, stmt.value, index):
        return True
    if stmt is None or stmt.kind != "a" or len(stmt.writes) != 1:
        return False
    name = stmt.writes[0]
    # `query = restricted(query, user)`: it is put together somewhere else as well.
    onward = [s.value for s in body.stmts if s.kind == "a" and s.writes == (name,)]
    return not any(
        (each.kind in "fy" and (each.value == name or name in _parts(each.value)))
        or (each.kind == "r" and name in _parts(each.value))
        or (
            name in each.writes
            and each is not stmt
            and not _begins_with(body, each.value, name)
            and not _takes(body, each.value, name)
        )
        for each in body.stmts
    ) and not any(
        (_root(body, number) == name and call.name in _ENDS)
        or (name in call.args and number not in onward and not call.name.endswith("in_"))
        or any(ref == name for _, ref in call.kwargs)
        for number, call in _calls(body)
    )


def _begins_with(body: Body, ref: Ref, what: Ref) -> bool:
    """Whether a chain of calls begins with a call, or a name."""
    return isinstance(ref, int) and not isinstance(ref, bool) and _root(body, ref) == what


def _takes(body: Body, ref: Ref, name: str) -> bool:
    """Whether a plain call is given a name."""
    if not isinstance(ref, int) or isinstance(ref, bool):
        return False
    return name in body.calls[ref].args and not body.calls[ref].awaited


def _parts(ref: Ref) -> tuple[Ref, ...]:
    """What a display is made of."""
    return tuple(ref[1]) if ref.__class__ is tuple and ref[0] in ("t", "d") else ()


def _calls(body: Body) -> enumerate[Call]:
    return enumerate(body.calls)


def _root(body: Body, index: int) -> Ref:
    """What a chain of calls begins with: a name, or the number of its first call."""
    ref: Ref = index
    while isinstance(ref, int) and not isinstance(ref, bool):
        func = body.calls[ref].func
        if func.__class__ is str:
            name = func.rpartition(".")[0]
            return name if "." not in name and name in body.bindings else ref
        ref = func[1] if func.__class__ is tuple and func[0] == "." else None
    return ref


def _looked_first(function: Function, call: Call) -> bool:
    """`while not queue.empty(): queue.get()`: what is taken is there."""
    owner = str(call.func).rpartition(".")[0]
    return any(each.func == f"{owner}.empty" for each in function.body.calls)


def inline(function: Function, call: Call) -> bool:
    """`urlopen(uri)` of what was seen to begin with "data:": nobody is asked."""
    return any(
        each.args == (("s", "data:"),) and str(each.func) == f"{call.args[0]}.startswith"
        for each in function.body.calls
        if call.args and call.args[0].__class__ is str
    )


def _in_kernel(function: Function, call: Call) -> bool:
    """`open("/proc/meminfo")`, `Path("/sys/...").read_text()`."""
    body = function.body
    ref: Ref = call.args[0] if call.args else None
    if call.func.__class__ is tuple and call.func[0] == "." and call.func[1].__class__ is int:
        made = body.calls[call.func[1]]
        ref = made.args[0] if made.args else None
    if ref.__class__ is str:
        bound = [stmt.value for stmt, _ in body.bindings.get(str(ref), [])]
        bound = bound or [value for value, _ in function.module.assigns.get(str(ref), [])]
        ref = bound[0] if len(bound) == 1 else None
    return ref.__class__ is tuple and ref[0] == "s" and str(ref[1]).startswith(_MADE_UP)
