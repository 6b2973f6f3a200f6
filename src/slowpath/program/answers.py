"""Answers as text, to be held against those of another scan."""

from __future__ import annotations

from typing import Any

from slowpath.program.calls import invoked_params
from slowpath.program.graph import Graph, handed_over
from slowpath.program.model import Call, Class, Function, Module
from slowpath.program.resolve import Program

#: What is answered about a part that is not there.
GONE = "gone"

#: A part of a file as text, and the question about it.
Question = tuple[str, Any]


# Conclusions that are drawn before any call is resolved.
_OF_FILES = frozenset({f"{handed_over.__module__}:{handed_over.__qualname__}"})


def question(part: Function | Class, asked: Any) -> Question:
    """A question as plain tuples."""
    return ("C" if isinstance(part, Class) else "F") + part.qual, asked


def is_conclusion(question: Question) -> bool:
    """Whether it was asked by `Graph.conclude`."""
    place, asked = question
    return place[0] == "F" and asked.__class__ is tuple and ":" in asked[0]


def hangs_on_calls(question: Question) -> bool:
    """Whether the answer may hang on what calls lead to, not on what stands in files alone."""
    return is_conclusion(question) and question[1][0] not in _OF_FILES


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
            return GONE
        return _of_class(program, module.cls(qual), kind, asked)
    if qual and qual not in module.functions:
        return GONE
    function = module.function(qual)
    if kind == "m":
        value: Any = program.module_member(module, asked[1])
    elif kind == "ret":
        value = program.returned(function)
    elif kind == "dec":
        value = program.decorator_names(function)
    elif kind == "n":
        value = program.local(function, asked[1])
    elif kind == "c":
        value = program.callee(function, asked[1])
    elif kind == "r":
        value = program.call_result(function, asked[1])
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


def pack_conclusion(function: Function | Class, asked: Any) -> Any:
    """What was concluded about a function, and how deep, as plain tuples.

    None if it does not hold for whoever asks, or holds more than functions and plain values.
    """
    known = function.memo.get(asked)
    if known.__class__ is not tuple:
        return None
    try:
        return _packed(known[0]), known[1]
    except TypeError:
        return None


def unpack_conclusion(program: Program, packed: Any) -> tuple[Any, int]:
    """What was packed, as a memo has it."""
    return _unpacked(program, packed[0]), packed[1]


def _packed(value: Any) -> Any:
    if value is None or value.__class__ in (bool, int, str):
        return value
    if value.__class__ is tuple:
        return ("t", *map(_packed, value))
    if value.__class__ is Function:
        return ("f", value.key)
    raise TypeError(value)


def _unpacked(program: Program, packed: Any) -> Any:
    if packed.__class__ is not tuple:
        return packed
    if packed[0] == "f":
        return program.function_of(packed[1])
    return tuple([_unpacked(program, each) for each in packed[1:]])


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
