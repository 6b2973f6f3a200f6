"""What an annotation says of a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slowpath.program.extract import Ref
from slowpath.program.model import Function
from slowpath.program.values import Value, union

if TYPE_CHECKING:
    from slowpath.program.resolve import Program

_WRAPPERS = frozenset(
    "Optional Annotated Awaitable Coroutine Required NotRequired ClassVar Final InitVar Mapped "
    "ContextManager AsyncContextManager AbstractContextManager AbstractAsyncContextManager "
    "Depends Inject Provide".split()
)
_COLLECTIONS = frozenset(
    "list List set Set frozenset FrozenSet Sequence Iterable Iterator AsyncIterator AsyncIterable "
    "Generator AsyncGenerator Collection MutableSequence deque Deque KeysView ValuesView "
    "ScalarResult Queue".split()
)
_MAPPINGS = frozenset(
    "dict Dict Mapping MutableMapping defaultdict DefaultDict OrderedDict "
    "WeakValueDictionary".split()
)


def hinted(program: Program, scope: Function, ref: Ref) -> Value | None:
    """An instance of what the annotation names."""
    kind = ref.__class__
    if kind is str:
        value = program.value(scope, ref)
        if value is None:
            return None
        if value[0] == "cls":
            return ("inst", value[1])
        if value[0] == "type":
            return value[1]  # type: ignore[no-any-return]
        if value[0] == "ext":
            dotted = value[1]
            if dotted.startswith(("typing.", "typing_extensions.")) or dotted == "builtins.object":
                return None
            return value
        if value[0] == "alt":
            return union(
                [("inst", e[1]) if e[0] == "cls" else e for e in value[1] if e is not None]
            )
        return None
    if kind is tuple:
        if ref[0] == "s":
            return program.annotation(scope, ref[1]) if ref[1].isidentifier() else None
        if ref[0] == "|":
            return union([program.annotation(scope, each) for each in ref[1]])
        if ref[0] == "[]":
            return _generic(program, scope, ref)
    return None


def _generic(program: Program, scope: Function, ref: Ref) -> Value | None:
    base, index = ref[1], ref[2]
    name = base.rpartition(".")[2] if base.__class__ is str else ""
    items = index[1] if index.__class__ is tuple and index[0] == "t" else (index,)
    if not items:
        return None
    if name in ("Union",):
        return union([program.annotation(scope, each) for each in items])
    if name == "Coroutine":
        return program.annotation(scope, items[-1])
    if name in _WRAPPERS:
        return program.annotation(scope, items[0])
    if name in _COLLECTIONS:
        inner = program.annotation(scope, items[0])
        return ("coll", inner) if inner is not None else None
    if name in _MAPPINGS:
        inner = program.annotation(scope, items[-1])
        return ("coll", inner) if inner is not None else ("ext", "builtins.dict")
    if name in ("tuple", "Tuple"):
        return ("tup", tuple([program.annotation(scope, each) for each in items]))
    if name in ("type", "Type"):
        inner = program.annotation(scope, items[0])
        return ("type", inner) if inner is not None else None
    if name in ("Literal", "Callable"):
        return None
    return program.annotation(scope, base)
