"""Containers of long-lived objects that get an entry for each caller and never lose one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from slowpath.causes.base import Finding
from slowpath.causes.reading import also_made, at
from slowpath.causes.unbounded_cache import CAUSE
from slowpath.program.extract import Ref
from slowpath.program.graph import LIKELY, POSSIBLE, Graph
from slowpath.program.model import Body, Class, Function, Module

_EMPTY = frozenset({"dict", "defaultdict", "OrderedDict"})
# What is kept for each caller; a plain collection of results may be what the object is for.
_KEPT = re.compile(
    r"(cache|memo(?!ry)|lock|semaphore|session|conversation|history|histories|throttle|limiter|bucket|"
    r"seen|last_|rate|counter|attempts|cooldown|_by_)",
    re.I,
)
#: Names of keys that come from outside, one for each caller or request.
CALLERS = re.compile(
    r"(^|_)((session|user|request|conversation|thread|chat|channel|guild|tenant|customer|client|"
    r"account|message|connection|conn|room|job|run|call|trace|sender|member|visitor)(_?(id|key|uuid|"
    r"name))?|(access_|refresh_|auth_)?token(_?(id|hash|key))?|ip(_address)?|remote_addr|username|email|host|url|query|prompt|text|cache_key|key|peer|address|identifier|\w*signature|fingerprint|digest)$"
)
# Objects of which a process has one, or one for each tenant, by what they are called.
_LONG_LIVED = re.compile(
    r"(Manager|Service|Registry|Store|Cache|Pool|Broker|Router|Server|Hub|Tracker|Monitor|Limiter|"
    r"Gateway|Dispatcher|Coordinator|Middleware|Provider|Bot|App|Engine|Backend|Storage|Memory|"
    r"Repository|Controller|Handler|Queue|Scheduler|Throttle|Cog|Proxy|Agent|Adapter|Connector)\w*$"
)
_SHRINKS = (
    "pop", "popitem", "clear", "remove", "discard", "__delitem__", "move_to_end",
)  # fmt: skip
_OF_SETTINGS = re.compile(r"(^|\.)_?(config|settings|options)\.")
_ONCE = re.compile(
    r"^_*(__init__|register|add_|subscribe|setup|init|configure|on_startup|"
    r"load(_(all|config|settings|plugins|modules|state|extensions))?$)"
)
# What is emptied when its owner ends has no bound until then.
_END = re.compile(r"^_*(a?close|stop|shutdown|cleanup|teardown|dispose|__a?exit__|kill)(_all)?$")
# What takes an entry out because what it stands for has changed or is gone.
_FORGETS = re.compile(r"^_*(async_)?(invalidate|delete|save|update|rename)(_|$)")


def in_instances(graph: Graph) -> Iterator[Finding]:
    """Yield the line at which such a container grows, once for each.

    Left alone: what is emptied, bounded by its length, replaced, or touched from other files.
    """
    for module in graph.files():
        for cls in module.classes.values():
            for attr in _containers(graph, cls):
                found = _growing(graph, module, cls, attr)
                if found is None or _bounded(graph, attr):
                    continue
                function, line, key = found
                sure = _KEPT.search(attr) and CALLERS.search(key) and _lives_long(graph, cls)
                grows = at(
                    graph, CAUSE, function, line,
                    f"{cls.name}.{attr} gets an entry for every {key} and never loses one",
                    culprit=f"self.{attr}",
                    confidence=LIKELY if sure else POSSIBLE,
                )  # fmt: skip
                yield also_made(grows, cls, attr)


def _containers(graph: Graph, cls: Class) -> Iterator[str]:
    for attr in {**cls.attrs, **cls.self_attrs}:
        places: list[tuple[Function, Ref]] = []
        if attr in cls.attrs:
            places.append((cls.scope, cls.attrs[attr][1]))
        for method, _, value in cls.self_attrs.get(attr, ()):
            if method != f"{cls.qual}.__init__":
                places = []  # made anew somewhere, so it is emptied
                break
            places.append((cls.module.functions[method], value))
        if places and all(_is_empty(function, value) for function, value in places):
            yield attr


def _is_empty(function: Function, ref: Ref) -> bool:
    if ref == ("d", ()):
        return True
    if not isinstance(ref, int) or isinstance(ref, bool):
        return False
    calls = function.body.calls
    call = calls[ref] if ref < len(calls) else None
    if call is None or call.has_keyword("maxlen", "maxsize"):
        return False
    if call.name == "field":
        return bool(call.keyword("default_factory") == "dict")
    return call.name in _EMPTY and len(call.args) < 2


def _growing(
    graph: Graph, module: Module, cls: Class, attr: str
) -> tuple[Function, int, str] | None:
    """(method, line, key) where an entry is made under a parameter of the method."""
    name = f"self.{attr}"
    lazy = _makes_when_read(cls, attr)
    for each in sorted(cls.methods):
        function = module.functions.get(f"{cls.qual}.{each}")
        if function is None or _ONCE.match(each) or not graph.is_reached(function):
            continue
        if not function.mentions(name):
            continue
        body = function.body
        # What the method works out is as good as what it is given, if its name says so.
        params = {param for param, _, _ in function.params[1:]}
        params |= {each for each in body.bindings if _from_caller(body, each)}
        for stmt in body.stmts:
            grows = stmt.kind == "a" and f"{name}[]" in stmt.writes
            if grows or (lazy and f"{name}[]" in stmt.reads):
                key = _key(stmt.reads, name, params)
                if key:
                    return function, stmt.line, key
        for call in body.calls:
            if call.func == f"{name}.setdefault" and call.args:
                key = call.args[0] if call.args[0].__class__ is str else ""
                if key.partition(".")[0] in params:
                    return function, call.line, key.rpartition(".")[2]
    return None


def _from_caller(body: Body, name: str) -> bool:
    """Whether a local name speaks of a caller; a bare key does if it is made of what does."""
    if not CALLERS.search(name):
        return False
    if not name.endswith("key"):
        return True
    reads = [r for stmt, _ in body.bindings[name] for r in stmt.reads]
    # One object's settings do not change with who calls.
    return any(CALLERS.search(read) and not _OF_SETTINGS.search(read) for read in reads)


def _makes_when_read(cls: Class, attr: str) -> bool:
    for method, _, value in cls.self_attrs.get(attr, ()):
        calls = cls.module.functions[method].body.calls
        if isinstance(value, int) and not isinstance(value, bool) and value < len(calls):
            return calls[value].name == "defaultdict"
    return False


def _key(reads: tuple[str, ...], name: str, params: set[str]) -> str:
    """The parameter, or part of one, that stands in the brackets behind the container."""
    for position, read in enumerate(reads[:-1]):
        following = reads[position + 1 :]
        if read == name:
            for each in following:
                if each not in (name, f"{name}[]"):
                    return each.rpartition(".")[2] if each.partition(".")[0] in params else ""
    return ""


def _bounded(graph: Graph, attr: str) -> bool:
    """Whether anything anywhere takes entries out, asks for the length, or hands it on."""
    return graph.anywhere(_bounds, attr)


def _bounds(module: Module, attr: str) -> bool:
    ending = f".{attr}"
    for function in (module.body, *module.functions.values()):
        if not function.mentions(attr):
            continue
        body = function.body
        for call in body.calls:
            func = call.func if call.func.__class__ is str else ""
            owner, _, last = func.rpartition(".")
            if owner.endswith(ending) and last in _SHRINKS:
                if (last == "pop" and _forgets_one(function, attr)) or _END.search(function.name):
                    continue
                return True
            if any(a.__class__ is str and a.endswith(ending) for a in call.args):
                return True
            if any(v.__class__ is str and v.endswith(ending) for _, v in call.kwargs):
                return True
        for stmt in body.stmts:
            if stmt.kind == "d" and any(w.endswith(f"{ending}[]") for w in stmt.writes):
                if not _forgets_one(function, attr):
                    return True
                continue
            value = stmt.value if stmt.value.__class__ is str else ""
            if stmt.kind in "ary" and value.endswith(ending):
                return True  # under another name, or in other hands
            if function.name != "__init__" and any(w.endswith(ending) for w in stmt.writes):
                return True
    return False


def _forgets_one(function: Function, attr: str) -> bool:
    """Whether a cache lets go of what is not there any more, which bounds nothing."""
    return "cache" in attr and bool(_FORGETS.match(function.name)) and len(function.params) > 1


def _lives_long(graph: Graph, cls: Class) -> bool:
    """Whether the class is called like what a process has one of, or a module makes one."""
    names = (getattr(each, "name", each) for each in graph.program.mro(cls))
    if any(_LONG_LIVED.search(str(name)) for name in names):
        return True
    return bool(graph.look_up(made_at_import).get(cls.key))


def made_at_import(graph: Graph, module: Module) -> Iterator[tuple[str, str]]:
    """Classes that a file makes an object of when it is imported."""
    for index in range(len(module.body.body.calls)):
        value = graph.program.callee(module.body, index)
        if value is not None and value[0] == "cls":
            yield value[1].key, ""
