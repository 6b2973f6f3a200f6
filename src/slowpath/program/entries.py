"""Functions that a framework runs on the event loop, and as what; told by tables, not by code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from slowpath.program.extract import Ref
from slowpath.program.model import Call, Class, Function, Module
from slowpath.program.resolve import Program
from slowpath.program.values import Value

_HTTP_METHODS = frozenset("get post put patch delete head options trace websocket".split())
_VIEW_METHODS = _HTTP_METHODS | {"dispatch", "on_connect", "on_receive", "on_disconnect", "prepare"}


_AROUND = frozenset({"middleware", "before_request", "after_request", "on_request", "on_response"})
_TORNADO = frozenset({"on_message", "open", "on_close", "on_finish", "initialize"})
_PROTOCOL = frozenset(
    "data_received connection_made connection_lost eof_received datagram_received error_received "
    "buffer_updated pipe_data_received process_exited".split()
)
#: Where they take the function that the loop calls later, and does nothing with its result.
CALLED_BY_LOOP = {
    "call_soon": 0,
    "call_soon_threadsafe": 0,
    "call_later": 1,
    "call_at": 1,
    "add_reader": 1,
    "add_writer": 1,
    "add_signal_handler": 1,
    "add_done_callback": 0,
}

_LOOPS = ("asyncio", "anyio", "uvloop", "trio")
_OF_TASKS = ("create_task", "ensure_future", "run_in_executor", "create_future")


def find_entries(program: Program, files: Iterable[Module]) -> dict[Function, str]:
    """Every entry that these files speak of, with its kind: route, websocket, dependency,
    middleware, lifespan, exception handler, tool, resolver or callback. Coroutine functions that
    nothing here names are not listed.
    """
    found: dict[Function, str] = {}
    for module in files:
        for function in module.functions.values():
            if function.decorators:
                kind = _decorated(program, function)
                if kind:
                    found[function] = kind
        for cls in module.classes.values():
            if cls.bases:
                found.update(_view(program, cls))
    for function in _called_by_loop(program, files):
        found.setdefault(function, "callback")
    for function, kind in _registered(program, files):
        if function.is_async:
            found.setdefault(function, kind)
    _add_dependencies(program, found)
    return found


def threaded_routes(program: Program, files: Iterable[Module]) -> Iterator[Function]:
    """Plain functions that a framework runs in a thread for each request."""
    for module in files:
        for function in module.functions.values():
            if (
                function.decorators
                and not function.is_async
                and any(_routes(program, function.scope, ref) for ref in function.decorators)
            ):
                yield function


def _routes(program: Program, scope: Function, ref: Ref) -> bool:
    if ref.__class__ is not int:
        return False
    target = scope.body.calls[ref].func
    if target.__class__ is not str or "." not in target:
        return False
    owner, _, method = target.rpartition(".")
    if method not in _HTTP_METHODS and method not in ("route", "api_route"):
        return False
    value = program.value(scope, owner)
    if _owned(program, value, "inline_owner"):
        return False
    unnamed = not _class_name(program, value) and _looks_like_route(scope, ref)
    return _owned(program, value, "route_owner") or unnamed


def _decorated(program: Program, function: Function) -> str:
    knowledge = program.knowledge
    sets = knowledge.sets
    for ref in function.decorators:
        called = ref.__class__ is int
        scope = function.scope
        target: Ref = scope.body.calls[ref].func if called else ref
        dotted = program.decorator_name(function, ref)
        if knowledge.in_set("resolver_decorator", dotted):
            return "resolver"
        if knowledge.in_set("loop_decorator", dotted) and not function.is_async:
            return "callback"
        if knowledge.in_set("route_decorator", dotted):
            inline = function.is_async or (
                knowledge.in_set("inline_owner", dotted) and not _to_thread(scope, ref)
            )
            return "route" if inline else ""
        if target.__class__ is not str or "." not in target:
            continue
        owner, _, method = target.rpartition(".")
        if method not in sets["route_method"] and method not in sets["tool_method"]:
            continue
        value = program.value(scope, owner)
        name = _class_name(program, value)
        if method in sets["tool_method"] and _owned(program, value, "tool_owner"):
            return "tool"
        if method not in sets["route_method"] or not called:
            continue
        if _owned(program, value, "route_owner") or (not name and _looks_like_route(scope, ref)):
            if not function.is_async and not _owned(program, value, "inline_owner"):
                continue  # a thread runs it
            if method.startswith("websocket"):
                return "websocket"
            if method in ("on_event", "before_serving", "after_serving", "listener"):
                return "lifespan"
            if method == "exception_handler":
                return "exception handler"
            if method in _AROUND:
                return "middleware"
            return "route"
    return ""


def _to_thread(scope: Function, ref: Ref) -> bool:
    """Whether a decorator is told to run a plain handler in a thread."""
    return ref.__class__ is int and scope.body.calls[ref].keyword("sync_to_thread") == ("c", True)


def _looks_like_route(scope: Function, ref: Ref) -> bool:
    """`@something.get("/path")`: the first argument is a path."""
    args = scope.body.calls[ref].args
    return bool(
        args and args[0].__class__ is tuple and args[0][0] == "s" and args[0][1].startswith("/")
    )


def _class_name(program: Program, value: Value | None) -> str:
    if value is None:
        return ""
    return str(value[1]) if value[0] == "ext" else getattr(value[1], "qual", "")


def _owned(program: Program, value: Value | None, table: str) -> bool:
    """Whether the value is, or inherits from, one of the table's classes."""
    if value is None:
        return False
    if value[0] == "alt":
        return any(_owned(program, each, table) for each in value[1])
    if value[0] == "ext":
        return program.knowledge.in_set(table, value[1])
    if value[0] in ("inst", "cls"):
        return any(
            each.__class__ is str and program.knowledge.in_set(table, each)
            for each in program.mro(value[1])
        )
    return False


def _view(program: Program, cls: Class) -> Iterator[tuple[Function, str]]:
    outside = [each for each in program.mro(cls) if each.__class__ is str]
    if not outside:
        return
    knowledge = program.knowledge
    if any(knowledge.in_set("middleware_base", each) for each in outside):
        method = cls.method("dispatch") or cls.method("__call__")
        if method is not None and method.is_async:
            yield method, "middleware"
    elif any(knowledge.in_set("view_base", each) for each in outside):
        inline = any(knowledge.in_set("inline_view_base", each) for each in outside)
        for name in cls.methods & (_VIEW_METHODS | _TORNADO if inline else _VIEW_METHODS):
            method = cls.method(name)
            if method is not None and (method.is_async or inline):
                yield method, "websocket" if name.startswith("on_") else "route"
    elif any(knowledge.in_set("protocol_base", each) for each in outside):
        for name in cls.methods & _PROTOCOL:
            method = cls.method(name)
            if method is not None:
                yield method, "callback"


def _registered(program: Program, files: Iterable[Module]) -> Iterator[tuple[Function, str]]:
    """Handlers passed to a call: `add_api_route("/", f)`, `Route("/", f)`, `lifespan=f`."""
    kinds = {
        "add_api_route": "route",
        "add_route": "route",
        "Route": "route",
        "WebSocketRoute": "websocket",
        "add_websocket_route": "websocket",
        "add_api_websocket_route": "websocket",
        "add_exception_handler": "exception handler",
        "add_event_handler": "lifespan",
        "add_get": "route",
        "add_post": "route",
        "add_put": "route",
        "add_delete": "route",
    }
    for module in files:
        text = module.body
        for function in (text, *module.functions.values()):
            if function is not text and not function.mentions(*kinds, "lifespan"):
                continue
            for call in function.body.calls:
                kind = kinds.get(call.name)
                if kind is not None:
                    for ref in (*call.args[1:3], call.keyword("endpoint")):
                        yield from _function_of(program, function, ref, kind)
                lifespan = call.keyword("lifespan") if call.kwargs else None
                if lifespan is not None:
                    yield from _function_of(program, function, lifespan, "lifespan")


def _called_by_loop(program: Program, files: Iterable[Module]) -> Iterator[Function]:
    """Plain functions that the loop itself is told to call."""
    for module in files:
        for function in (module.body, *module.functions.values()):
            if not function.mentions(*CALLED_BY_LOOP):
                continue
            for call in function.body.calls:
                position = CALLED_BY_LOOP.get(call.name)
                if position is None or len(call.args) <= position or _of_thread(function, call):
                    continue
                for each, _ in _function_of(program, function, call.args[position], ""):
                    if not each.is_async:
                        yield each


def _of_thread(function: Function, call: Call) -> bool:
    """Whether it is a thread's future that calls back, which it does in that thread.

    In a file that makes no tasks and asks for no loop, none of a task is at hand.
    """
    if call.name != "add_done_callback":
        return False
    if function.mentions("submit", "run_coroutine_threadsafe"):
        return True
    module = function.module
    return (
        not function.is_async
        and not any(source.startswith(_LOOPS) for source, _ in module.imports.values())
        and not any(each.mentions(*_OF_TASKS) for each in module.functions.values())
    )


def _function_of(
    program: Program, function: Function, ref: Ref, kind: str
) -> Iterator[tuple[Function, str]]:
    if ref.__class__ is not str:
        return
    value = program.value(function, ref)
    if value is not None and value[0] in ("fn", "meth"):
        yield value[1], kind


def _add_dependencies(program: Program, found: dict[Function, str]) -> None:
    """Async functions that the entries' parameters depend on, and theirs in turn."""
    queue = list(found)
    while queue:
        function = queue.pop()
        scope = function.scope
        for _, annotation, default in function.params:
            for ref in (default, *metadata(annotation)):
                if ref.__class__ is not int:
                    continue
                call = scope.body.calls[ref]
                if call.name not in ("Depends", "Security", "Provide", "Inject") or not call.args:
                    continue
                value = program.value(scope, call.args[0])
                if value is None or value[0] not in ("fn", "meth") or value[1] in found:
                    continue
                if value[1].is_async:
                    found[value[1]] = "dependency"
                    queue.append(value[1])


def metadata(annotation: Ref) -> tuple[Ref, ...]:
    """What stands beside the type in `Annotated[...]`."""
    if annotation.__class__ is tuple and annotation[0] == "[]":
        index = annotation[2]
        if index.__class__ is tuple and index[0] == "t":
            return tuple(index[1][1:])
    return ()
