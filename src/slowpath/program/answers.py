"""Answers as text, to be held against those of another scan."""

from __future__ import annotations

from typing import Any

from slowpath.program.calls import invoked_params
from slowpath.program.graph import Graph
from slowpath.program.model import Call, Class, Function, Module
from slowpath.program.resolve import Program

#: A part of a file as text, and the question about it.
Question = tuple[str, Any]


def question(part: Function | Class, asked: Any) -> Question:
    """A question as plain tuples."""
    return ("C" if isinstance(part, Class) else "F") + part.qual, asked


def answer(graph: Graph, module: Module, question: Question) -> str | None:
    """What is answered now; None if nobody can ask that from here.

    The text tells whatever is looked at without a further question, apart from functions
    themselves: what these look like from outside is compared as a whole.
    """
    program = graph.program
    place, asked = question
    kind = asked[0] if asked.__class__ is tuple else asked
    qual = place[1:]
    if place[0] == "C":
        if qual not in module.classes:
            return "gone"
        return _of_class(program, module.cls(qual), kind, asked)
    if qual and qual not in module.functions:
        return "gone"
    function = module.function(qual)
    if kind == "m":
        value: Any = program.module_member(module, asked[1])
    elif kind == "ret":
        value = program.returned(function)
    elif kind == "dec":
        value = program.decorator_names(function)
    elif kind == "inv":
        return _told(invoked_params(function))
    elif ":" in kind:
        return _told(graph.concluded(function, asked))
    else:
        return None
    return _with_height(function, asked, value)


def _of_class(program: Program, cls: Class, kind: str, asked: Any) -> str | None:
    if kind == "mro":
        return _with_height(cls, asked, program.mro(cls))
    if kind == "a":
        return _with_height(cls, asked, program.class_attr(cls, asked[1], asked[2]))
    if kind == "o":
        return _told(program.member(cls, asked[1]))
    if kind == "s":
        return _told(program.stored(cls, asked[1]))
    return None


def _with_height(part: Function | Class, asked: Any, value: Any) -> str:
    """How deep it was found counts too: who asks from far away may find it too deep."""
    known = part.memo.get(asked)
    return f"{_told(value)}#{known[1] if known is not None else ''}"


def _told(value: Any) -> str:
    if value.__class__ is tuple or value.__class__ is list:
        return f"({','.join(map(_told, value))})"
    if value.__class__ is Function:
        return f"F{value.key}"
    if value.__class__ is Class:
        return f"C{value.key}"
    if value.__class__ is Module:
        return f"M{value.path}"
    if value.__class__ is Call:
        return repr((value.func, value.flags, value.args, value.kwargs))
    return repr(value)
