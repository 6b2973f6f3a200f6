"""What an expression may stand for.

A *value* is a small tuple, its kind first:

    ("mod", Module)            a module of the project
    ("fn", Function)           a function
    ("meth", Function, Class)  a method bound to an instance of the class
    ("cls", Class)             a class of the project
    ("inst", Class)            an instance of it
    ("ext", "dotted.name")     something from outside; "()" marks a result that is not an instance
    ("part", value, call)      functools.partial of the value
    ("coll", value)            a collection of such values
    ("tup", (value, ...))      a tuple
    ("alt", (value, ...))      one of these
    ("param", Function, name)  whatever the caller passes
    ("type", value)            the class of a value, for `type[X]`

An instance of an outside class and the class itself share one name, "requests.Session": what
matters is what is reached through it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slowpath.program import extract
from slowpath.program.extract import Ref
from slowpath.program.model import Call, Function

Value = tuple[Any, ...]

_MAX_ALTERNATIVES = 6


def union(values: Sequence[Value | None]) -> Value | None:
    """One value for several; the unknown ones are left out."""
    flat: list[Value] = []
    for value in values:
        if value is None:
            continue
        for each in value[1] if value[0] == "alt" else (value,):
            if each is not None and each not in flat:
                flat.append(each)
    if not flat:
        return None
    return flat[0] if len(flat) == 1 else ("alt", tuple(flat[:_MAX_ALTERNATIVES]))


def element(value: Value | None) -> Value | None:
    """What a loop over `value`, or an index into it, gives."""
    if value is None:
        return None
    if value[0] == "coll":
        return value[1]  # type: ignore[no-any-return]
    if value[0] == "tup":
        return union(list(value[1]))
    if value[0] == "alt":
        return union([element(each) for each in value[1]])
    if value[0] == "ext":
        return ("ext", value[1] + "[]")
    return None


def part(value: Value | None, position: int) -> Value | None:
    """The part of an unpacked value."""
    if value is None:
        return None
    if value[0] == "tup":
        return value[1][position] if position < len(value[1]) else None
    if value[0] == "alt":
        return union([part(each, position) for each in value[1]])
    return element(value)


def argument(callee: Function, name: str, call: Call) -> Ref:
    """The ref that `call` passes for the callee's parameter `name`, or None."""
    for key, ref in call.kwargs:
        if key == name:
            return ref
    names = [each[0] for each in callee.params]
    if callee.owner is not None and names and names[0] in ("self", "cls"):
        names = names[1:]
    if call.flags & extract.STARRED:
        return None
    for position, each in enumerate(names):
        if each == name:
            return call.args[position] if position < len(call.args) else None
    return None
