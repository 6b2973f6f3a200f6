"""What an expression stands for: names, attributes, calls and annotations, across modules."""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from slowpath.program import attributes, hints, names, results, scopes
from slowpath.program.aliases import aliases
from slowpath.program.extract import Ref
from slowpath.program.index import Gather, Index, Pair
from slowpath.program.knowledge import Knowledge
from slowpath.program.memo import Memo
from slowpath.program.model import Call, Class, Function, Module
from slowpath.program.reader import READER, asking
from slowpath.program.values import Value, element, part, union

__all__ = ["Gone", "Program", "Value"]

#: The method of a name, whether something is stored there, and the class inside.
Member = tuple[Function | None, bool, Class | None]

_BUILTINS = frozenset(dir(builtins))


class Gone(LookupError):
    """What an earlier scan knew is no longer there."""


class Program(Memo):
    """The project: its modules, and answers about what its expressions stand for.

    Attributes:
        indexes: by their words, those that were asked for.
        told: what files are known to add to indexes, by word and path.
    """

    def __init__(
        self, modules: list[Module], knowledge: Knowledge, libraries: Sequence[Module] = ()
    ) -> None:
        """Take the project's modules, and those of installed packages that were read for it."""
        super().__init__()
        self.knowledge = knowledge
        self.modules: dict[str, Module] = {}
        self.files: list[Module] = modules
        self.libraries = frozenset(libraries)
        for module in (*modules, *libraries):
            self.modules.setdefault(module.name, module)
        for name, module in aliases(modules):
            self.modules.setdefault(name, module)
        self.packages = self._parents()
        self.indexes: dict[str, Index] = {}
        self.told: dict[str, dict[str, tuple[Pair, ...]]] = {}
        self.by_path = {module.path: module for module in (*modules, *libraries)}

    def _parents(self) -> frozenset[str]:
        """Namespace packages: names that only exist as prefixes."""
        found = set()
        for name in self.modules:
            while "." in name:
                name = name.rpartition(".")[0]
                if name in found:
                    break
                found.add(name)
        return frozenset(found)

    def module_called(self, name: str) -> Module | None:
        """The module that is imported by a name."""
        READER.seek(name)
        return self.modules.get(name)

    def is_folder(self, name: str) -> bool:
        """Whether modules can be imported from below a name."""
        READER.seek(name)
        return name in self.packages

    def names(self) -> dict[str, str]:
        """Names that can be imported, with the paths of their files; "" for a folder's."""
        files = {name: module.path for name, module in self.modules.items()}
        return {**dict.fromkeys(self.packages, ""), **files}

    def index(self, word: str, gather: Gather, libraries: bool = False) -> Index:
        """What `gather` finds in each file, to be looked up over all of them.

        Args:
            word: the index is known by it.
            libraries: what is found in installed packages counts as well.
        """
        found = self.indexes.get(word)
        if found is None:
            others = sorted(self.libraries, key=lambda each: each.path) if libraries else ()
            modules = [*self.files, *others]
            found = self.indexes[word] = Index(self, gather, modules)
            found.kept.update(self.told.get(word, {}))
        return found

    def function_of(self, key: str) -> Function:
        """The function that is known by a key; raises `Gone` if there is none any more."""
        path, _, qual = key.partition("\0")
        try:
            return self.by_path[path].function(qual)
        except KeyError:
            raise Gone(key) from None

    def class_of(self, key: str) -> Class:
        """The class that is known by a key; raises `Gone` if there is none any more."""
        path, _, qual = key.partition("\0")
        try:
            return self.by_path[path].cls(qual)
        except KeyError:
            raise Gone(key) from None

    def functions(self) -> Iterator[Function]:
        """Every function, module bodies included."""
        for module in self.files:
            yield module.body
            yield from module.functions.values()

    # -- names -------------------------------------------------------------------------------

    def module_member(self, module: Module, name: str) -> Value | None:
        """What `module.name` is: defined, imported, re-exported or a submodule."""
        return self.once(  # type: ignore[no-any-return]
            module.body, ("m", name), lambda: names.module_member(self, module, name)
        )

    def imported(self, module_name: str, name: str | None) -> Value | None:
        """What an import binds; names outside the project become ("ext", dotted)."""
        return names.imported(self, module_name, name)

    def name(self, function: Function, name: str) -> Value | None:
        """What a bare name stands for inside `function`."""
        current: Function | None = function
        while current is not None and current.qual:
            value = self.local(current, name)
            if value is not None:
                return value
            if name in current.body.bindings or any(name == each[0] for each in current.params):
                return None
            parent = current.parent
            current = current.module.functions.get(parent) if parent else None
        module = function.module
        value = self.module_member(module, name)
        if value is None and name in _BUILTINS and name not in module.assigns:
            return ("ext", "builtins." + name)
        return value

    def local(self, function: Function, name: str) -> Value | None:
        """What a name stands for that a function itself binds."""
        if function.module is not READER.here:
            READER.look(function)
        return self.once(  # type: ignore[no-any-return]
            function, ("n", name), lambda: scopes.local_value(self, function, name)
        )

    # -- expressions -------------------------------------------------------------------------

    def value(self, function: Function, ref: Ref) -> Value | None:
        """What an expression of `function` stands for, or None."""
        kind = ref.__class__
        if kind is str:
            head, dot, rest = ref.partition(".")
            value = self.name(function, head)
            if not dot or value is None:
                return value
            if value == ("ext", head) or value[0] == "ext":
                # `import a.b` binds a; the project may hold a.b all the same.
                return self._external_attrs(value, rest)
            return self.attrs(value, rest)
        if kind is int:
            return self.call_result(function, ref)
        if kind is tuple:
            tag = ref[0]
            if tag == ".":
                value = self.value(function, ref[1])
                return self.attrs(value, ref[2]) if value is not None else None
            if tag == "[]":
                value = self.value(function, ref[1])
                index = ref[2]
                if (
                    value is not None
                    and value[0] == "tup"
                    and index.__class__ is tuple
                    and index[0] == "c"
                    and index[1].__class__ is int
                ):
                    return part(value, index[1])
                return self._item(value)
            if tag == "|":
                return union([self.value(function, each) for each in ref[1]])
            if tag == "t":
                return ("tup", tuple([self.value(function, each) for each in ref[1]]))
            if tag == "d":
                inner = union([self.value(function, each) for each in ref[1][:8]])
                return ("coll", inner) if inner is not None else ("ext", "builtins.dict")
            if tag == "L":
                inner = ref[1]
                got = self.value(function, inner)
                # The head of a loop holds what is looped over; a comprehension holds its element.
                return ("coll", got) if got is not None else None
            if tag == "s":
                return ("ext", "builtins.str")
            if tag == "c":
                value = ref[1]
                if value is None or value is ...:
                    return None
                return ("ext", f"builtins.{type(value).__name__}")
        return None

    def _item(self, value: Value | None) -> Value | None:
        """`value[key]`; what the items of an outside class are, the tables may know."""
        got = element(value)
        if got is not None and got[0] == "ext":
            return ("ext", self.knowledge.alias(got[1]))
        return got

    def _external_attrs(self, value: Value, rest: str) -> Value | None:
        dotted = f"{value[1]}.{rest}"
        module = self.module_called(dotted)
        return ("mod", module) if module is not None else self.attrs(value, rest)

    def attrs(self, value: Value | None, chain: str) -> Value | None:
        for name in chain.split("."):
            if value is None:
                return None
            value = self.attr(value, name)
        return value

    def attr(self, value: Value, name: str) -> Value | None:
        """`value.name`."""
        kind = value[0]
        if kind == "inst" or kind == "cls":
            return self.class_attr(value[1], name, bound=kind == "inst")
        if kind == "ext":
            return ("ext", self.knowledge.attribute(value[1], name))
        if kind == "mod":
            return self.module_member(value[1], name) or self.imported(value[1].name, name)
        if kind == "pkg":
            dotted = f"{value[1]}.{name}"
            module = self.module_called(dotted)
            if module is not None:
                return ("mod", module)
            return ("pkg", dotted) if self.is_folder(dotted) else None
        if kind == "alt":
            return union([self.attr(each, name) for each in value[1] if each is not None])
        if kind == "type":
            return self.attr(value[1], name)
        if kind == "coll":
            if name in ("values", "items", "get", "pop", "popleft", "copy", "all", "first", "one"):
                return ("collm", value, name)
            return None
        return None

    def mro(self, cls: Class) -> list[Class | str]:
        """The class and its ancestors, nearest first; those outside the project by name."""
        return self.once(cls, "mro", lambda: self._mro(cls)) or [cls]

    def _mro(self, cls: Class) -> Any:
        linear: list[Class | str] = [cls]
        for base in cls.bases:
            value = self.base(cls, base)
            if value is None:
                continue
            if value[0] == "cls":
                linear.extend(each for each in self.mro(value[1]) if each not in linear)
            elif value[0] == "ext" and value[1] not in linear:
                linear.append(value[1])
        return linear

    def base(self, cls: Class, ref: Ref) -> Value | None:
        """What a base class expression names; `Generic[T]` and the like lose their argument."""
        while ref.__class__ is tuple and ref[0] == "[]":
            ref = ref[1]
        value = self.value(cls.scope, ref)
        if value is not None and value[0] == "alt":
            value = value[1][0]
        return value

    def class_attr(self, cls: Class, name: str, bound: bool = True) -> Value | None:
        """An attribute of an instance (or of the class itself), inherited ones included."""
        return self.once(  # type: ignore[no-any-return]
            cls, ("a", name, bound), lambda: attributes.class_attr(self, cls, name, bound)
        )

    def subclasses(self, cls: Class) -> list[Class]:
        """Every class of the project that inherits from `cls`, directly or not."""
        return [self.class_of(each) for each in self._subclass_index().get(cls.key)]

    def _bases(self, module: Module) -> Iterator[Pair]:
        for each in module.classes.values():
            for base in self.mro(each)[1:]:
                if isinstance(base, Class):
                    yield base.key, each.key

    def working_properties(self) -> Mapping[str, object]:
        """Names of properties, anywhere in the project, whose getters call something."""
        return self._property_index().names(behind=".")

    def shared_indexes(self) -> tuple[Index, ...]:
        """What calls are resolved by."""
        return self._subclass_index(), self._property_index(), self._named_index()

    def _subclass_index(self) -> Index:
        return self.index("subclass", self._bases)

    def _property_index(self) -> Index:
        return self.index("property", self._getters, libraries=True)

    def _getters(self, module: Module) -> Iterator[Pair]:
        for function in module.functions.values():
            if (
                function.decorators
                and function.cls is not None
                and not function.is_async
                and self.is_property(function)
                and function.body.calls
            ):
                yield function.name, ""

    def getter(self, cls: Class, name: str) -> Function | None:
        """The getter of a property, inherited ones included; None for any other attribute."""
        for each in self.mro(cls):
            if isinstance(each, Class):
                method, stored, _ = self.member(each, name)
                if method is not None:
                    plain = not method.is_async and self.is_property(method)
                    return method if plain else None
                if stored:
                    return None
        return None

    def member(self, cls: Class, name: str) -> Member:
        """What a class itself has under a name.

        Of another file's class this is a question that is asked.
        """
        with asking(cls, ("o", name)):
            stored = name in cls.attrs or name in cls.self_attrs
            return cls.method(name), stored, cls.module.classes.get(f"{cls.qual}.{name}")

    def stored(self, cls: Class, name: str) -> Value | None:
        """What is stored under a name by the class itself and its own methods."""
        with asking(cls, ("s", name)):
            value = attributes.stored(self, cls, name)
        if self._cut:
            READER.circle(cls.module)
        return value

    def named(self, name: str) -> list[tuple[Class, Function]]:
        """Methods of this name anywhere in the project, for receivers of unknown type."""
        found = self._named_index().get(name)
        return [(cls, method) for cls, method in map(self._method_of, found) if method is not None]

    def _named_index(self) -> Index:
        return self.index("named", _methods_of)

    def _method_of(self, key: str) -> tuple[Class, Function | None]:
        owner, _, name = key.rpartition("\0")
        cls = self.class_of(owner)
        return cls, cls.module.function(f"{cls.qual}.{name}")

    # -- calls -------------------------------------------------------------------------------

    def callee(self, function: Function, index: int) -> Value | None:
        """What call number `index` of `function` calls."""
        key = ("c", index)
        if function.module is not READER.here:
            READER.look(function)
        known = function.memo.get(key)
        if known.__class__ is tuple and not self._depth:  # the usual case, in a hurry
            return known[0]  # type: ignore[no-any-return]
        return self.once(  # type: ignore[no-any-return]
            function, key, lambda: results.callee(self, function, index)
        )

    def call_result(self, function: Function, index: int) -> Value | None:
        if function.module is not READER.here:
            READER.look(function)
        return self.once(  # type: ignore[no-any-return]
            function,
            ("r", index),
            lambda: self._call_result(function, index),
        )

    def _call_result(self, function: Function, index: int) -> Value | None:
        target = self.callee(function, index)
        if target is None:
            return None
        return self.result(target, function, function.body.calls[index])

    def result(self, target: Value | None, function: Function, call: Call) -> Value | None:
        """What calling `target` gives; awaiting it is taken for granted."""
        return results.result(self, target, function, call)

    def returned(self, function: Function) -> Value | None:
        """What a function gives back: its annotation, else what its return statements show."""
        return self.once(  # type: ignore[no-any-return]
            function, "ret", lambda: results.returned(self, function)
        )

    def entered(self, value: Value | None) -> Value | None:
        """What `with value as x` binds."""
        return results.entered(self, value)

    def annotation(self, scope: Function, ref: Ref) -> Value | None:
        """An instance of what the annotation names."""
        return hints.hinted(self, scope, ref)

    # -- decorators --------------------------------------------------------------------------

    def decorator_names(self, function: Function) -> tuple[str, ...]:
        """Dotted names of the decorators that come from outside the project, or as written."""
        return self.once(function, "dec", lambda: self._decorator_names(function)) or ()

    def _decorator_names(self, function: Function) -> tuple[str, ...]:
        return tuple([self.decorator_name(function, ref) for ref in function.decorators])

    def decorator_name(self, function: Function, ref: Ref) -> str:
        scope = function.scope
        if ref.__class__ is int:
            ref = scope.body.calls[ref].func
        if ref.__class__ is str and "." not in ref and ref in _BUILTINS:
            return "builtins." + ref
        value = self.value(scope, ref)
        if value is not None:
            if value[0] == "ext":
                return value[1]  # type: ignore[no-any-return]
            if value[0] in ("fn", "meth", "cls"):
                return f"{value[1].module.name}.{value[1].qual}"
        return ref if ref.__class__ is str else ""

    def is_property(self, function: Function) -> bool:
        if not function.decorators:
            return False
        for name in self.decorator_names(function):
            last = name.rpartition(".")[2]
            if last in ("property", "cached_property", "hybrid_property", "async_property"):
                return True
        return False

    def is_context_manager(self, function: Function) -> bool:
        return any(
            name.rpartition(".")[2] in ("contextmanager", "asynccontextmanager")
            for name in self.decorator_names(function)
        )


def _methods_of(module: Module) -> Iterator[Pair]:
    for cls in module.classes.values():
        for name in sorted(cls.methods):
            method = cls.method(name)
            if method is not None:
                yield name, f"{cls.key}\0{name}"
