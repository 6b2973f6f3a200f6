"""What names stand for in modules: definitions, imports, re-exports, submodules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slowpath.program.extract import Ref
from slowpath.program.model import Module
from slowpath.program.values import Value, union

if TYPE_CHECKING:
    from slowpath.program.resolve import Program

_GENERICS = frozenset({"list", "dict", "set", "tuple", "frozenset", "type", "deque", "defaultdict"})


def module_member(program: Program, module: Module, name: str) -> Value | None:
    function = module.functions.get(name)
    if function is not None:
        return ("fn", function)
    cls = module.classes.get(name)
    if cls is not None:
        return ("cls", cls)
    if name in module.imports:
        return program.imported(*module.imports[name])
    if name in module.assigns:
        return assigned(program, module, name)
    submodule = program.module_called(f"{module.name}.{name}") if module.is_package else None
    if submodule is not None:
        return ("mod", submodule)
    for star in module.stars:
        source = program.module_called(star)
        if source is None:
            continue
        value = program.module_member(source, name)
        if value is not None:
            return value
    return None


def assigned(program: Program, module: Module, name: str) -> Value | None:
    found: list[Value] = []
    for value, annotation in reversed(module.assigns[name]):
        got = program.annotation(module.body, annotation) if annotation is not None else None
        if got is None and value is not None:
            got = program.value(module.body, value)
            if value.__class__ is tuple and value[0] == "[]" and _names_type(value[1]):
                # An alias such as `SessionDep = Annotated[Session, Depends(get_session)]`.
                alias = program.annotation(module.body, value)
                got = ("type", alias) if alias is not None else got
        if got is not None:
            found.append(got)
    return union(found)


def imported(program: Program, module_name: str, name: str | None) -> Value | None:
    """What an import binds; names outside the project become ("ext", dotted)."""
    module = program.module_called(module_name)
    if name is None:
        if module is not None:
            return ("mod", module)
        kind = "pkg" if program.is_folder(module_name) else "ext"
        return (kind, module_name)
    if module is not None:
        value = program.module_member(module, name)
        if value is not None:
            return value
        submodule = program.module_called(f"{module_name}.{name}")
        return ("mod", submodule) if submodule is not None else None
    if program.is_folder(module_name):
        submodule = program.module_called(f"{module_name}.{name}")
        return ("mod", submodule) if submodule is not None else None
    return ("ext", program.knowledge.alias(f"{module_name}.{name}")) if module_name else None


def _names_type(ref: Ref) -> bool:
    """Whether what is indexed is a type by the look of it: `list[int]`, not `clients[0]`."""
    last = ref.rpartition(".")[2] if ref.__class__ is str else ""
    return (last[:1].isupper() and not last.isupper()) or last in _GENERICS
