"""How a name is closed, or given back to a pool."""

from __future__ import annotations

from slowpath.program.model import Call, Function

CLOSERS = frozenset(
    "close aclose release disconnect close_connection terminate shutdown stop __aexit__ __exit__ "
    "remove putconn wait_closed".split()
)
# Methods of a pool that take back what it gave.
GIVES_BACK = frozenset({"release", "putconn", "put_connection", "give_back"})
_NONE: frozenset[str] = frozenset()
_ALWAYS = frozenset({"finally"})


def closing(call: Call, name: str, further: frozenset[str] = _NONE) -> bool:
    """`name.close()`, `pool.release(name)`; `further` are names of methods that close, too."""
    if call.name in GIVES_BACK and name in call.args:
        return True
    return call.func == f"{name}.{call.name}" and (call.name in CLOSERS or call.name in further)


def closes(function: Function, name: str, further: frozenset[str] = _NONE) -> bool:
    return any(closing(call, name, further) for call in function.body.calls)


def closed_always(function: Function, name: str, further: frozenset[str] = _NONE) -> bool:
    body = function.body
    return any(
        closing(call, name, further) and body.inside(call.block, _ALWAYS) for call in body.calls
    )
