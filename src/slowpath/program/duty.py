"""Code that runs while nobody is served: tests, examples, command lines, start and end."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from slowpath.program import extract
from slowpath.program.model import Function

if TYPE_CHECKING:
    from slowpath.program.graph import Graph

_FILES = frozenset(
    "conftest.py setup.py cli.py _cli.py __main__.py pytest_plugin.py manage.py noxfile.py".split()
)
_FOLDERS = frozenset(
    "tests test testing examples example demo demos docs benchmarks _testing docs_src scripts cli "
    "_cli commandline migrations alembic management pytest eval evals evaluate".split()
)
# What command lines are made of, others may use as well.
_COMMAND_LINE = frozenset("cli _cli cli.py _cli.py commandline scripts management".split())
_BEFORE_SERVING = frozenset(
    "serve _serve main amain _main async_main __main__ bootstrap pre_login _pre_login "
    "_pre_connect pre_connect setup_process_pool_exit_at_shutdown init_db initdb create_tables "
    "run_migrations init worker_serve launch_instance launch_instance_async".split()
)
# They mean the start where nobody on the loop calls them but a start, or nobody that is known.
_SET_UP = re.compile(r"^_*(async_|a)?(initiali[sz]e|init_async)(_async)?$")
_START_OR_END = re.compile(
    r"(^|_)(startup|shutdown|lifespan)(_|$)|^_?teardown(_(all|app|services?))?$"
)
_AT_START = re.compile(r"(^|_)on_(server|app|worker)_(start|stop)")
_COMMAND_LINES = frozenset({"click", "asyncclick", "typer", "cyclopts"})
# How a server is started, until it serves.
_STARTS = frozenset("run start _start serve astart aserve run_async start_async".split())
_SERVERS = re.compile(r"(Server|Application|Cluster|Daemon)$")
_WORKERS, _WORKERS_START = "gunicorn.workers.", frozenset({"run", "_run", "init_process"})
# They run a coroutine on a loop of its own.
_RUNNERS = frozenset({"asyncio.run", "anyio.run", "trio.run", "asyncio.Runner().run"})
_TASKS = ("create_task", "ensure_future", "gather", "TaskGroup", "start_soon", "as_completed")
# What stands in these may run for as long as the program.
_FOR_EVER = frozenset({"while", "afor", "lambda"})
_DEEPEST = 6


@cache
def off_duty(path: str) -> bool:
    """Whether the file is of a test-suite, an example or a command line: nobody waits there."""
    *folders, name = path.split("/")
    return (
        name.startswith("test_")
        or name.endswith("_test.py")
        or name in _FILES
        or not _FOLDERS.isdisjoint(folders)
        or any(each.startswith("example_") for each in folders)
    )


@cache
def of_command_line(path: str) -> bool:
    """Whether nothing but a command line's folder or name says that the file is off duty."""
    parts = path.split("/")
    return off_duty(path) and not off_duty(
        "/".join(each if each not in _COMMAND_LINE else "_" for each in parts)
    )


def before_serving(graph: Graph, function: Function, depth: int = _DEEPEST) -> bool:
    """Whether a function runs before others are served, or after.

    Its name may say so, or those of all that call it, once each.
    """
    name = function.name
    if name in _BEFORE_SERVING or _START_OR_END.search(name):
        return True
    if name in _STARTS and function.cls is not None and _SERVERS.search(function.cls):
        return True
    kind = graph.kind_of(function)
    if kind == "lifespan" or _starts_worker(graph, function):
        return True
    if _alone_on_a_loop(graph, function) or _is_command(function):
        return True
    if kind == "callback" and _AT_START.search(function.scope.name):
        return True
    if not depth or kind is not None:
        return False
    return bool(graph.conclude(called_before, function, depth))


def _is_command(function: Function) -> bool:
    """`@cli.command("uninstall")` in a file that uses Click or one of its kind."""
    decorators = [
        function.scope.body.calls[ref].func if isinstance(ref, int) else ref
        for ref in function.decorators
    ]
    return any(str(each).rpartition(".")[2] == "command" for each in decorators) and any(
        source.partition(".")[0] in _COMMAND_LINES for source, _ in function.module.imports.values()
    )


def _starts_worker(graph: Graph, function: Function) -> bool:
    """Whether it is how a worker process of Gunicorn begins."""
    return (
        function.name in _WORKERS_START
        and function.owner is not None
        and any(str(each).startswith(_WORKERS) for each in graph.program.mro(function.owner))
    )


def called_before(graph: Graph, function: Function, depth: int) -> bool:
    """Whether all that call a function run before others are served."""
    callers = _callers(graph, function)
    if not callers and _run_by_main(function):
        return not graph.called_elsewhere(function)
    if any(caller is function or not once(caller, index) for caller, index in callers):
        return False
    others = graph.callers_elsewhere(function)
    if others is None:
        return False
    sets_up = bool(_SET_UP.match(function.name))
    return (sets_up or bool(callers or others)) and all(
        before_serving(graph, caller, depth - 1) or (sets_up and _makes(graph, caller))
        for caller in (*(each for each, _ in callers), *others)
    )


def _makes(graph: Graph, function: Function) -> bool:
    """Whether it is a function that sets up what it makes, and nobody is seen to call it."""
    return (
        function.owner is None
        and graph.kind_of(function) is None
        and not _callers(graph, function)
        and not graph.called_elsewhere(function)
    )


def _alone_on_a_loop(graph: Graph, function: Function) -> bool:
    """Whether plain code runs it on a loop of its own, on which it starts nothing else.

    `asyncio.run(do())` of a function inside, or `Thread(target=asyncio.run, args=(do(),))`.
    """
    if not function.is_async or function.mentions(*_TASKS):
        return False
    if graph.kind_of(function) is not None:
        return False
    if any(block.kind in _FOR_EVER for block in function.body.blocks):
        return False
    name = function.name
    outer = function.scope
    nearby = (outer,) if outer.qual else function.module.functions.values()
    handed = [
        _run_apart(each, index)
        for each in nearby
        if each is not function and each.mentions(name)
        for index, call in enumerate(each.body.calls)
        if call.name == name
    ]
    # Of what is not inside, some loop that runs already may be asked for the same.
    return (
        all(handed)
        and ("thread" in handed or (bool(outer.qual) and "loop" in handed))
        and not graph.called_elsewhere(function)
    )


def _run_apart(caller: Function, index: int) -> str:
    """Where a coroutine that is made by a call runs, if it is not on the loop of its caller."""
    for call in caller.body.calls:
        args = call.keyword("args")
        if index in call.args:
            runs = call.func in _RUNNERS or call.name == "run_until_complete"
            return "loop" if runs else ""
        if args.__class__ is tuple and index in args[1]:
            runs = call.name == "Thread" and call.keyword("target") in _RUNNERS
            return "thread" if runs else ""
    return ""


def _run_by_main(function: Function) -> bool:
    """Whether the `main` of a command line in the same file makes a loop for it."""
    if not function.is_async:
        return False
    name = function.name
    mains = (
        each
        for each in (function.module.body, *function.module.functions.values())
        if not each.is_async and (not each.qual or each.name in ("main", "_main", "cli"))
    )
    for main in mains:
        calls = main.body.calls
        for index, call in enumerate(calls):
            if call.func == name and any(
                c.func == "asyncio.run" and index in c.args for c in calls
            ):
                return True
    return False


def _callers(graph: Graph, function: Function) -> list[tuple[Function, int]]:
    """The calls of a function that the loop makes in its own file."""
    name = function.name
    return [
        (each, edge.site)
        for each in function.module.functions.values()
        if each.mentions(name) and graph.is_reached(each)
        for edge in graph.edges(each)
        if edge.target is function
    ]


def once(caller: Function, index: int) -> bool:
    """Whether a call is made there and then, and not again and again."""
    body = caller.body
    call = body.calls[index]
    handed_on = call.flags & (extract.ARGUMENT | extract.DEFERRED) and not call.awaited
    return not handed_on and not body.inside(call.block, _FOR_EVER)
