"""What differs between two versions of a file, function by function, and where lines are now."""

from __future__ import annotations

import marshal
from dataclasses import dataclass, field
from typing import Any

from slowpath.program import extract
from slowpath.program.extract import Ref
from slowpath.program.model import Class, Function, Module
from slowpath.program.shift import LineMap, same_body

#: Version 2 writes equal values alike; later ones write whether they are one object.
_PLAIN = 2


@dataclass
class Changes:
    """How a file differs from what it was.

    Attributes:
        looks: functions that look different from outside; their parameters, say.
        steps: of these, those that run another way: as coroutines or no longer so.
        bodies: functions that do something else now, or are gone; "" where the module itself, or
            what there is in it, differs.
        classes: classes that differ, are gone or new.
        pairs: lines of what stayed the same, as they were and as they are now.
    """

    looks: set[str] = field(default_factory=set)
    steps: set[str] = field(default_factory=set)
    bodies: set[str] = field(default_factory=set)
    classes: set[str] = field(default_factory=set)
    pairs: list[tuple[int, int]] = field(default_factory=lambda: [(1, 1)])


def changes(old: Module, new: Module) -> Changes:
    """Compare two versions of a file."""
    found = Changes()
    pairs = found.pairs
    if not (
        same_body(old.body.packed, new.body.packed, pairs)
        and list(old.imports.items()) == list(new.imports.items())
        and marshal.dumps(old.assigns, _PLAIN) == marshal.dumps(new.assigns, _PLAIN)
        and old.stars == new.stars
        and list(old.classes) == list(new.classes)
        and list(old.functions) == list(new.functions)
    ):
        found.bodies.add("")
    for qual, one in old.functions.items():
        two = new.functions.get(qual)
        if two is None:
            found.bodies.add(qual)
            found.looks.add(qual)
            found.steps.add(qual)
            continue
        pairs.append((one.line, two.line))
        inner: list[tuple[int, int]] = []
        if one.packed == two.packed:
            pairs += [(line, line) for line in range(one.line, one.end_line + 1)]
        elif same_body(one.packed, two.packed, inner):
            pairs += inner
        else:
            found.bodies.add(qual)
        if _look(one) != _look(two):
            found.looks.add(qual)
        if (one.flags ^ two.flags) & ~extract.AWAITS:
            found.steps.add(qual)
    for qual in {**old.classes, **new.classes}:
        was, now = old.classes.get(qual), new.classes.get(qual)
        if was is None or now is None or _record(was) != _record(now):
            found.classes.add(qual)
        if was is not None and now is not None:
            pairs.append((was.line, now.line))
    return found


def unmistakable(pairs: list[tuple[int, int]]) -> LineMap:
    """The pairs as a map, without lines that became several or were several before."""
    lines: dict[int, set[int]] = {}
    for before, after in pairs:
        lines.setdefault(before, set()).add(after)
    seen: set[int] = set()
    twice: set[int] = set()
    for now in lines.values():
        twice |= now & seen
        seen |= now
    return {
        before: next(iter(now))
        for before, now in lines.items()
        if len(now) == 1 and not now & twice
    }


def _record(cls: Class) -> bytes:
    """All that others see of a class without a question."""
    said = (
        cls.qual, cls.bases, cls.keywords, cls.decorators, cls.attrs, sorted(cls.methods),
        list(cls.self_attrs.items()), cls.parent,
    )  # fmt: skip
    return marshal.dumps(said, _PLAIN)


def _look(function: Function) -> bytes:
    """What others see of a function without a question; what its values call is spelled out."""
    scope = function.scope
    said = (
        function.flags & ~extract.AWAITS,
        [(name, _deep(hint, scope), _deep(value, scope)) for name, hint, value in function.params],
        [_deep(each, scope) for each in function.decorators],
        _deep(function.returns, scope),
        function.parent,
        function.cls,
    )
    return marshal.dumps(said, _PLAIN)


def _deep(ref: Ref, scope: Function) -> Any:
    """A ref with the calls that it stands for in place of their numbers."""
    kind = ref.__class__
    if kind is int:
        call = scope.body.calls[ref]
        args = [_deep(each, scope) for each in call.args]
        kwargs = [(name, _deep(value, scope)) for name, value in call.kwargs]
        return ("call", _deep(call.func, scope), call.flags & ~extract.DISCARDED, args, kwargs)
    if kind is not tuple or not ref or ref[0] in ("s", "c"):
        return ref
    if ref[0] in ("t", "d", "|"):
        return (ref[0], [_deep(each, scope) for each in ref[1]])
    return (ref[0], *[_deep(each, scope) for each in ref[1:]])
