"""Module-level containers, queues of subscribers and defaultdicts that only grow."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from slowpath.causes.base import Finding
from slowpath.causes.reading import also_made, at, at_call
from slowpath.causes.unbounded_cache import CAUSE
from slowpath.causes.unbounded_cache.instances import CALLERS, in_instances
from slowpath.causes.unbounded_cache.relays import relays
from slowpath.program.extract import Ref
from slowpath.program.graph import LIKELY, POSSIBLE, Graph
from slowpath.program.model import Body, Class, Function, Module, Stmt

_EMPTY = frozenset({"dict", "list", "set", "defaultdict", "OrderedDict", "deque", "Counter"})
_GROWS = frozenset({"append", "add", "setdefault", "extend", "update", "appendleft"})
_KEYED = frozenset({"setdefault", "add"})
_SHRINKS = frozenset(
    {"pop", "popitem", "clear", "remove", "discard", "popleft", "__delitem__", "difference_update"}
)
_SUBSCRIBER = re.compile(r"(Subscri|Listener|Broadcast|PubSub|Observer|Watcher|EventBus)")
_CACHE = re.compile(r"(cache|memo(?!ry)|seen|history|_by_|registry|pending|results|sessions)", re.I)
# There are as many of these as the program has, whatever is asked of it.
_PART_OF_PROGRAM = re.compile(
    r"(^|_)(type|types|cls|class|klass|func|fn|function|callable|callback|handler|endpoint|"
    r"settings|config|module|loop|event|kind|app|app_name|plugin|plugin_name|backend|dialect|locale|bucket|phase|stage|hook|signal|level|category|"
    r"__class__|__name__|__qualname__)_?$"
)
# What a program registers once, not what it is asked for.
_OF_FUNCTIONS = re.compile(
    r"(funcs|functions|handlers|callbacks|hooks|listeners|processors|routes|factories|plugins)$"
)
# So many steps back a key is followed.
_MADE_OF = 4
_FUNCTION_CACHES = frozenset({"functools.lru_cache", "functools.cache"})
_REGISTERS = re.compile(
    r"^_*(register|add|subscribe|setup|init|configure|on_startup|"
    r"load(_(all|config|settings|plugins|modules|state|extensions))?$)"
)


def scan(graph: Graph) -> Iterator[Finding]:
    for module in graph.files():
        yield from _globals(graph, module)
    yield from _looked_up_defaultdicts(graph)
    yield from in_instances(graph)
    yield from _without_end(graph)
    yield from _subscriber_queues(graph)
    yield from relays(graph)


# -- module-level containers -----------------------------------------------------------------


def _globals(
    graph: Graph,
    module: Module,
) -> Iterator[Finding]:
    """Containers made empty at import, filled by what the loop runs, emptied by nobody."""
    names = [
        name
        for name, assigned in module.assigns.items()
        if len(assigned) == 1 and "." not in name and _is_empty(module, assigned[0][0])
    ]
    if not names:
        return
    functions = [f for f in module.functions.values() if f.mentions(*names)]
    for name in names:
        growing: list[tuple[Function, int, bool]] = []
        bounded = False
        for function in functions:
            if name in function.body.bindings:
                bounded = bounded or name in function.body.shared
                continue
            growing += [(function, *each) for each in _growth(function.body, name)]
            bounded = bounded or _shrinks(function.body, name)
        if bounded or graph.anywhere(_emptied, f"{module.name}\0{name}"):
            continue
        for function, line, of_callers in growing:
            if graph.is_reached(function) and not _REGISTERS.match(function.name):
                yield at(
                    graph, CAUSE, function, line,
                    f"{name} grows here and nothing in {module.path} takes anything out",
                    culprit=name,
                    confidence=LIKELY if of_callers and _CACHE.search(name) else POSSIBLE,
                )  # fmt: skip
                break


def _is_empty(module: Module, ref: object) -> bool:
    if isinstance(ref, tuple):
        return ref in (("t", ()), ("d", ()))
    if isinstance(ref, int) and module.body.mentions(*_EMPTY):
        call = module.body.body.calls[ref]
        return call.name in _EMPTY and not call.has_keyword("maxlen") and len(call.args) < 2
    return False


def _growth(body: Body, name: str) -> Iterator[tuple[int, bool]]:
    """Lines at which a container grows, and whether by what speaks of callers or requests."""
    for stmt in body.stmts:
        if stmt.kind in "a" and name + "[]" in stmt.writes and not _few_keys(body, stmt, name):
            yield stmt.line, _of_callers(body, _keys(stmt, name))
    for call in body.calls:
        if (
            call.func.__class__ is str
            and call.name in _GROWS
            and call.func == f"{name}.{call.name}"
            and not (call.name in _KEYED and call.args and _few(body, call.args[:1]))
        ):
            if any(
                body.blocks[each].kind == "if"
                and body.stmts[body.blocks[each].stmt - 1].reads == (name,)
                for each in body.ancestors(call.block)
            ):
                continue  # only while it is empty
            keyed = call.name in _KEYED and bool(call.args)
            yield call.line, not keyed or _of_callers(body, call.args[:1])


def _of_callers(body: Body, keys: Iterable[Ref]) -> bool:
    """Whether a key, or what a local one is made of, is called like what callers bring."""
    seen = {key for key in keys if isinstance(key, str)}
    # A key that is made of others is as good as these, and no better.
    parts = seen
    for _ in range(_MADE_OF):
        made = {each for part in parts for each in _read_for(body, part)}
        if not made - seen:
            break
        parts = {part for part in parts if not _read_for(body, part)} | made
        seen = seen | made
    return any(CALLERS.search(word) for part in parts for word in part.split("."))


def _read_for(body: Body, name: str) -> list[str]:
    """What is read where a local name is bound."""
    bound = body.bindings.get(name.partition(".")[0], ())
    return [read.rstrip("?").removesuffix("[]") for stmt, _ in bound for read in stmt.reads]


def _keys(stmt: Stmt, name: str) -> tuple[str, ...]:
    """What stands in the brackets behind the container that a statement stores into."""
    last = max(n for n, each in enumerate(stmt.reads) if each == name)
    return stmt.reads[last + 1 :]


def _few_keys(body: Body, stmt: Stmt, name: str) -> bool:
    """Whether an element is stored under a part of the program: a type, a function, settings."""
    keys = _keys(stmt, name)
    return not keys or _few(body, keys)  # without a name it is a constant


def _few(body: Body, keys: Iterable[Ref]) -> bool:
    """Whether a key, or what it is made of, is a part of the program."""
    parts = {each for each in keys if isinstance(each, str)}
    for part in tuple(parts):
        for other, _ in body.bindings.get(part, ()):
            parts.update(other.reads)
    words = {word for part in parts for word in part.split(".")}
    return any(_PART_OF_PROGRAM.search(word) for word in words)


def _shrinks(body: Body, name: str) -> bool:
    if any(stmt.kind == "d" and name + "[]" in stmt.writes for stmt in body.stmts):
        return True
    if any(name in stmt.writes and stmt.kind != "s" for stmt in body.stmts):
        return True
    if any(stmt.value == name and stmt.kind in "ary" for stmt in body.stmts):
        return True  # under another name, or in other hands
    return any(
        call.name in _SHRINKS and call.func == f"{name}.{call.name}" for call in body.calls
    ) or any(name in call.args and call.name in ("len", "del") for call in body.calls)


def _emptied(module: Module, what: str) -> bool:
    """Whether a file imports a container and takes something out, or hands it on."""
    source, _, name = what.partition("\0")
    names = [each for each, found in module.imports.items() if found == (source, name)]
    bodies = [each.body for each in module.functions.values() if each.mentions(*names)]
    return any(
        _shrinks(body, alias)
        or any(alias in call.args for call in body.calls)
        or any(stmt.value == alias and stmt.kind in "ary" for stmt in body.stmts)
        for body in (bodies if names else ())
        for alias in names
    )


# -- caches of functions ---------------------------------------------------------------------


def _without_end(graph: Graph) -> Iterator[Finding]:
    """`functools.cache` by what comes from outside: an entry for each, and for each object."""
    for function in graph.reached():
        if not function.decorators:
            continue
        for ref in function.decorators:
            name = graph.program.decorator_name(function, ref)
            if name not in _FUNCTION_CACHES or not _no_maximum(function, ref, name):
                continue
            keys = [each for each, _, _ in function.params if CALLERS.search(each)]
            if keys:
                yield at(
                    graph, CAUSE, function, function.line,
                    f"{name} keeps the result of {function.label} for every {keys[0]} that it is "
                    "asked for, for ever",
                    culprit=name,
                )  # fmt: skip


def _no_maximum(function: Function, ref: Ref, name: str) -> bool:
    if name == "functools.cache":
        return True
    if not isinstance(ref, int) or isinstance(ref, bool):
        return False  # 128 by default
    call = function.scope.body.calls[ref]
    given = call.args[0] if call.args else call.keyword("maxsize")
    return bool(given == ("c", None))


# -- queues ----------------------------------------------------------------------------------


def _subscriber_queues(graph: Graph) -> Iterator[Finding]:
    """A queue without a bound that others fill for a subscriber who may never read it."""
    for module in graph.files():
        for cls in module.classes.values():
            if not _SUBSCRIBER.search(cls.name) or cls.name.endswith(("Iterator", "Iterable")):
                continue  # an iterator fills its queue when it is asked
            for attr, places in cls.self_attrs.items():
                for method, _, value in places:
                    function = module.functions.get(method)
                    if function is None or not _unbounded_queue(graph, function, value):
                        continue
                    if not _filled(cls, module, attr) or _reads_itself(cls, module, attr):
                        continue
                    assert isinstance(value, int)
                    yield at_call(
                        graph, CAUSE, function, value,
                        f"{cls.name}.{attr} has no maxsize: a subscriber that stops reading "
                        "keeps every message",
                        culprit="asyncio.Queue",
                    )  # fmt: skip


def _unbounded_queue(graph: Graph, function: Function, value: object) -> bool:
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    call = function.body.calls[value]
    if call.args or call.kwargs or call.name not in ("Queue", "LifoQueue", "PriorityQueue"):
        return False
    target = graph.program.callee(function, value)
    return target is not None and target[0] == "ext" and target[1].startswith("asyncio.")


def _filled(cls: Class, module: Module, attr: str) -> bool:
    wanted = {f"self.{attr}.put", f"self.{attr}.put_nowait"}
    for name in cls.methods:
        method = module.functions.get(f"{cls.qual}.{name}")
        if method is None or not method.mentions(attr):
            continue
        if any(call.func in wanted for call in method.body.calls):
            return True
    return False


def _reads_itself(cls: Class, module: Module, attr: str) -> bool:
    """Whether the object itself runs what empties the queue: no subscriber is waited for."""
    methods = [
        each
        for name in cls.methods
        if (each := module.functions.get(f"{cls.qual}.{name}")) is not None
    ]
    readers = {
        f"self.{each.name}": each
        for each in methods
        if each.mentions(attr) and _takes_from(each.body, f"self.{attr}")
    }
    return any(
        call.func in readers and readers[str(call.func)] is not each
        for each in methods
        for call in each.body.calls
        if call.func.__class__ is str
    )


def _takes_from(body: Body, queue: str) -> bool:
    """Whether something is taken from a queue, under its own name or a local one."""
    names = {queue, *(s.writes[0] for s in body.stmts if s.kind == "a" and s.value == queue)}
    return any(call.name == "get" and str(call.func)[:-4] in names for call in body.calls)


# -- defaultdicts ----------------------------------------------------------------------------


def _looked_up_defaultdicts(graph: Graph) -> Iterator[Finding]:
    """`self.rows[key]` on a defaultdict only to read: every new key leaves an entry behind."""
    for function in graph.reached():
        cls = function.owner
        if cls is None or not cls.self_attrs:
            continue
        for attr in cls.self_attrs:
            name = f"self.{attr}"
            if not function.mentions(name) or _OF_FUNCTIONS.search(attr):
                continue
            if not _is_defaultdict(graph, cls, attr):
                continue
            line, of_callers = _read_by_index(function.body, name)
            if line:
                finding = at(
                    graph, CAUSE, function, line,
                    f"reading {name}[...] makes an entry for every key it has not seen; "
                    "it is a defaultdict",
                    culprit=name,
                    confidence=LIKELY if of_callers else POSSIBLE,
                )  # fmt: skip
                yield also_made(finding, cls, attr)


def _constant(body: Body, name: str) -> bool:
    """Whether a name goes over a constant: `for part in PARTS`."""
    return any(
        stmt.kind == "f" and str(stmt.value).rpartition(".")[2].isupper()
        for stmt, _ in body.bindings.get(name, ())
    )


def _called(body: Body, ref: Ref) -> tuple[Ref, ...]:
    """What a loop's head calls: `x.items` for `x.items()`, `x` for `list(x)`."""
    if isinstance(ref, int) and not isinstance(ref, bool):
        call = body.calls[ref]
        inner = [each for arg in call.args for each in (arg, *_called(body, arg))]
        return tuple(r for r in (call.func, *inner) if isinstance(r, str))
    return ()


def _is_defaultdict(graph: Graph, cls: Class, attr: str) -> bool:
    for method, _, value in cls.self_attrs[attr]:
        function = cls.module.functions.get(method)
        if function is None or not isinstance(value, int) or isinstance(value, bool):
            continue
        target = graph.program.callee(function, value)
        if target == ("ext", "collections.defaultdict"):
            return True
    return False


def _read_by_index(body: Body, name: str) -> tuple[int, bool]:
    """Line of a loop over `name[key]` whose key is not known to be there, and whether the key
    speaks of callers; 0 if there is none."""
    element = name + "[]"
    for stmt in body.stmts:
        if any(element in each.writes for each in body.stmts):
            return 0, False
        if stmt.kind != "f" or element not in stmt.reads:
            continue
        # Keys that come from the mapping itself, or were tested for, are there already.
        own = {name, f"{name}.items", f"{name}.keys"}
        if any(s.kind == "f" and own & {s.value, *_called(body, s.value)} for s in body.stmts):
            continue
        key = [read for read in stmt.reads if read not in (name, element)]
        if not key or _few(body, key) or any(_constant(body, read) for read in key):
            continue
        if not any(name + "?" in s.reads for s in body.stmts):
            return stmt.line, _of_callers(body, key)
    return 0, False
