"""What an attribute of a class or its instances is: a method, or what is stored there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slowpath.program.extract import Ref
from slowpath.program.model import Class
from slowpath.program.values import Value, union

if TYPE_CHECKING:
    from slowpath.program.resolve import Program


def class_attr(program: Program, cls: Class, name: str, bound: bool) -> Value | None:
    outside = None
    for each in program.mro(cls):
        if isinstance(each, str):
            outside = outside or each
            continue
        method, is_stored, nested = program.member(each, name)
        if method is not None:
            if program.is_property(method):
                return program.returned(method)
            return ("meth", method, cls)
        if is_stored:
            return program.stored(each, name)
        if nested is not None:
            return ("cls", nested)
    if outside is not None and outside not in ("builtins.object", "abc.ABC", "typing.Protocol"):
        return ("ext", program.knowledge.alias(f"{outside}.{name}"))
    return None


def stored(program: Program, cls: Class, name: str) -> Value | None:
    found: list[Value] = []
    if name in cls.attrs:
        annotation, value = cls.attrs[name]
        if _is_callable(annotation):
            return None  # whatever somebody puts there
        got = program.annotation(cls.scope, annotation) if annotation is not None else None
        if got is None and value is not None:
            got = program.value(cls.scope, value)
        if got is not None:
            found.append(got)
    for method, annotation, value in cls.self_attrs.get(name, ()):
        function = cls.module.functions.get(method)
        if function is None:
            continue
        got = program.annotation(function, annotation) if annotation is not None else None
        if (got is None or got[0] == "ext") and value is not None:
            exact = program.value(function, value)
            if exact is not None and exact[0] != "param":
                got = exact
        if got is not None and got not in found:
            found.append(got)
    return union(found)


def _is_callable(annotation: Ref) -> bool:
    if annotation.__class__ is tuple:
        if annotation[0] == "[]":
            return _is_callable(annotation[1])
        return annotation[0] == "|" and any(_is_callable(each) for each in annotation[1])
    return annotation.__class__ is str and annotation.rpartition(".")[2] == "Callable"
