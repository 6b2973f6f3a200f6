"""What an expression stands for: names, attributes, calls and annotations, across modules."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from slowpath.program import attributes, hints, outside, scopes
from slowpath.program.extract import Ref
from slowpath.program.knowledge import Knowledge
from slowpath.program.model import Call, Class, Function, Module
from slowpath.program.values import Value, argument, element, part, union

__all__ = ["Program", "Value"]

_MAX_DEPTH = 24
_BUSY = object()
# Under this key a memo keeps what holds only for questions from outside.
_OUTERMOST = object()
_NOTHING: dict[Any, Any] = {}
_BUILTINS = frozenset(dir(builtins))
_GENERICS = frozenset({"list", "dict", "set", "tuple", "frozenset", "type", "deque", "defaultdict"})


class Program:
    """The project: its modules, and answers about what its expressions stand for."""

    def __init__(
        self, modules: list[Module], knowledge: Knowledge, libraries: Sequence[Module] = ()
    ) -> None:
        """Take the project's modules, and those of installed packages that were read for it."""
        self.knowledge = knowledge
        self.modules: dict[str, Module] = {}
        self.files: list[Module] = modules
        self.libraries = frozenset(libraries)
        for module in (*modules, *libraries):
            self.modules.setdefault(module.name, module)
        self._packages = self._parents()
        self._depth = 0
        self._methods: dict[str, list[tuple[Class, Function]]] | None = None
        self._subclasses: dict[Class, list[Class]] | None = None
        self._globals: dict[tuple[Module, str], Any] = {}
        self._height = 0
        self._passing: dict[tuple[int, Any], tuple[Value | None]] = {}
        self._properties: frozenset[str] | None = None
        self._cut = False

    def _once(self, memo: dict[Any, Any], key: Any, compute: Callable[[], Value | None]) -> Any:
        """Compute a value once; in a circle, or too deep, it is unknown.

        What an answer says never hangs on what was asked before. An answer is kept for all who
        ask only if no circle was met and it did not become too deep on the way: it is then what
        it would be if worked out anew. Any other holds for the question that came from outside
        (depth 0) and is kept for that question alone.
        """
        known = memo.get(key)
        if known is _BUSY:
            self._cut = True
            return None
        if known is not None and self._depth + known[1] <= _MAX_DEPTH:
            self._height = max(self._height, self._depth + known[1])
            return known[0]
        outermost = not self._depth
        place = (id(memo), key)
        passing = memo.get(_OUTERMOST, _NOTHING).get(key) if outermost else self._passing.get(place)
        if passing is not None:
            self._cut = not outermost
            return passing[0]
        if self._depth >= _MAX_DEPTH:
            self._cut = True
            return None
        outer = self._cut, self._height
        self._cut = False
        self._depth += 1
        self._height = self._depth
        memo[key] = _BUSY
        try:
            value = compute()
        finally:
            self._depth -= 1
            cut, height = self._cut, self._height
            self._cut, self._height = outer
            if known is None:
                del memo[key]
            else:
                memo[key] = known
        self._height = max(self._height, height)
        if not cut:
            memo[key] = (value, height - self._depth)
        elif outermost:
            memo.setdefault(_OUTERMOST, {})[key] = (value,)
        else:
            self._passing[place] = (value,)
            self._cut = True
        if outermost and self._passing:
            self._passing.clear()
        return value

    def _parents(self) -> frozenset[str]:
        """Namespace packages: names that only exist as prefixes."""
        names = set()
        for name in self.modules:
            while "." in name:
                name = name.rpartition(".")[0]
                if name in names:
                    break
                names.add(name)
        return frozenset(names)

    def functions(self) -> Iterator[Function]:
        """Every function, module bodies included."""
        for module in self.files:
            yield module.body
            yield from module.functions.values()

    # -- names -------------------------------------------------------------------------------

    def module_member(self, module: Module, name: str) -> Value | None:
        """What `module.name` is: defined, imported, re-exported or a submodule."""
        return self._once(  # type: ignore[no-any-return]
            self._globals, (module, name), lambda: self._module_member(module, name)
        )

    def _module_member(self, module: Module, name: str) -> Value | None:
        function = module.functions.get(name)
        if function is not None:
            return ("fn", function)
        cls = module.classes.get(name)
        if cls is not None:
            return ("cls", cls)
        if name in module.imports:
            return self.imported(*module.imports[name])
        if name in module.assigns:
            return self._assigned(module, name)
        submodule = self.modules.get(f"{module.name}.{name}") if module.is_package else None
        if submodule is not None:
            return ("mod", submodule)
        for star in module.stars:
            source = self.modules.get(star)
            if source is None:
                continue
            value = self.module_member(source, name)
            if value is not None:
                return value
        return None

    def _assigned(self, module: Module, name: str) -> Value | None:
        found: list[Value] = []
        for value, annotation in reversed(module.assigns[name]):
            got = self.annotation(module.body, annotation) if annotation is not None else None
            if got is None and value is not None:
                got = self.value(module.body, value)
                if value.__class__ is tuple and value[0] == "[]" and _names_type(value[1]):
                    # An alias such as `SessionDep = Annotated[Session, Depends(get_session)]`.
                    alias = self.annotation(module.body, value)
                    got = ("type", alias) if alias is not None else got
            if got is not None:
                found.append(got)
        return union(found)

    def imported(self, module_name: str, name: str | None) -> Value | None:
        """What an import binds; names outside the project become ("ext", dotted)."""
        module = self.modules.get(module_name)
        if name is None:
            if module is not None:
                return ("mod", module)
            kind = "pkg" if module_name in self._packages else "ext"
            return (kind, module_name)
        if module is not None:
            value = self.module_member(module, name)
            if value is not None:
                return value
            submodule = self.modules.get(f"{module_name}.{name}")
            return ("mod", submodule) if submodule is not None else None
        if module_name in self._packages:
            submodule = self.modules.get(f"{module_name}.{name}")
            return ("mod", submodule) if submodule is not None else None
        return ("ext", self.knowledge.alias(f"{module_name}.{name}")) if module_name else None

    def name(self, function: Function, name: str) -> Value | None:
        """What a bare name stands for inside `function`."""
        current: Function | None = function
        while current is not None and current.qual:
            value = self._local(current, name)
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

    def _local(self, function: Function, name: str) -> Value | None:
        return self._once(  # type: ignore[no-any-return]
            function.memo, ("n", name), lambda: scopes.local_value(self, function, name)
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
        if dotted in self.modules:
            return ("mod", self.modules[dotted])
        return self.attrs(value, rest)

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
            if dotted in self.modules:
                return ("mod", self.modules[dotted])
            return ("pkg", dotted) if dotted in self._packages else None
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
        return self._once(cls.memo, "mro", lambda: self._mro(cls)) or [cls]

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
        return self._once(  # type: ignore[no-any-return]
            cls.memo, ("a", name, bound), lambda: attributes.class_attr(self, cls, name, bound)
        )

    def subclasses(self, cls: Class) -> list[Class]:
        """Every class of the project that inherits from `cls`, directly or not."""
        if self._subclasses is None:
            self._subclasses = {}
            for module in self.files:
                for each in module.classes.values():
                    for base in self.mro(each)[1:]:
                        if isinstance(base, Class):
                            self._subclasses.setdefault(base, []).append(each)
        return self._subclasses.get(cls, [])

    def working_properties(self) -> frozenset[str]:
        """Names of properties, anywhere in the project, whose getters call something."""
        if self._properties is None:
            self._properties = frozenset(
                function.name
                for module in self.modules.values()
                for function in module.functions.values()
                if function.decorators
                and function.cls is not None
                and not function.is_async
                and self.is_property(function)
                and function.body.calls
            )
        return self._properties

    def getter(self, cls: Class, name: str) -> Function | None:
        """The getter of a property, inherited ones included; None for any other attribute."""
        for each in self.mro(cls):
            if isinstance(each, Class):
                method = each.method(name)
                if method is not None:
                    plain = not method.is_async and self.is_property(method)
                    return method if plain else None
                if name in each.attrs or name in each.self_attrs:
                    return None
        return None

    def named(self, name: str) -> list[tuple[Class, Function]]:
        """Methods of this name anywhere in the project, for receivers of unknown type."""
        if self._methods is None:
            self._methods = {}
            for module in self.files:
                for cls in module.classes.values():
                    for each in cls.methods:
                        function = cls.method(each)
                        if function is not None:
                            self._methods.setdefault(each, []).append((cls, function))
        return self._methods.get(name, [])

    # -- calls -------------------------------------------------------------------------------

    def callee(self, function: Function, index: int) -> Value | None:
        """What call number `index` of `function` calls."""
        key = ("c", index)
        known = function.memo.get(key)
        if known.__class__ is tuple and not self._depth:  # the usual case, in a hurry
            return known[0]  # type: ignore[no-any-return]
        return self._once(  # type: ignore[no-any-return]
            function.memo, key, lambda: self._callee(function, index)
        )

    def _callee(self, function: Function, index: int) -> Value | None:
        if index >= len(function.body.calls):
            return None  # of another definition under this name
        func = function.body.calls[index].func
        if func.__class__ is tuple and func[0] == "." and func[1].__class__ is int:
            inner = function.body.calls[func[1]]
            if inner.func == "super":
                return self._super(function, func[2])
        return self.value(function, func)

    def _super(self, function: Function, chain: str) -> Value | None:
        owner = function.owner
        if owner is None:
            return None
        name, _, rest = chain.partition(".")
        value: Value | None = None
        for each in self.mro(owner)[1:]:
            if isinstance(each, str):
                value = ("ext", f"{each}.{name}")
                break
            method = each.method(name)
            if method is not None:
                value = ("meth", method, owner)
                break
        return self.attrs(value, rest) if rest and value is not None else value

    def call_result(self, function: Function, index: int) -> Value | None:
        return self._once(  # type: ignore[no-any-return]
            function.memo,
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
        if target is None:
            return None
        kind = target[0]
        if kind == "cls":
            return ("inst", target[1])
        if kind in ("fn", "meth"):
            value = self.returned(target[1])
            if target[1].is_generator and not self._is_context_manager(target[1]):
                return value if value is None or value[0] == "coll" else ("coll", value)
            if value is not None and value[0] == "param":
                return self._argument_value(target[1], value[2], function, call)
            if value == ("self",):
                return ("inst", target[2]) if kind == "meth" else None
            return value
        if kind == "ext":
            return outside.external_result(self, target[1], function, call)
        if kind == "alt":
            return union([self.result(each, function, call) for each in target[1]])
        if kind == "part":
            return self.result(target[1], function, call)
        if kind == "inst":
            method = self.class_attr(target[1], "__call__")
            return self.result(method, function, call) if method is not None else None
        if kind == "type":
            return target[1]  # type: ignore[no-any-return]
        if kind == "collm":
            inner = target[1][1]
            if target[2] == "items":
                return ("coll", ("tup", (None, inner)))
            return ("coll", inner) if target[2] in ("values", "copy", "all") else inner
        return None

    def _argument_value(
        self, callee: Function, name: str, function: Function, call: Call
    ) -> Value | None:
        ref = argument(callee, name, call)
        return self.value(function, ref) if ref is not None else None

    def returned(self, function: Function) -> Value | None:
        """What a function gives back: its annotation, else what its return statements show."""
        return self._once(  # type: ignore[no-any-return]
            function.memo, "ret", lambda: self._returned(function)
        )

    def _returned(self, function: Function) -> Value | None:
        if function.returns is not None:
            if function.returns in ("Self", "typing.Self"):
                return ("self",)
            value = self.annotation(function.scope, function.returns)
            if value is not None and value[0] != "param":
                return value
        found: list[Value] = []
        wanted = "y" if function.is_generator else "r"
        if len(function.body.stmts) > 400:
            return None
        for stmt in function.body.stmts:
            if stmt.kind == wanted and stmt.value is not None:
                value = self.value(function, stmt.value)
                if value is not None and value not in found:
                    found.append(value)
        return union(found)

    def entered(self, value: Value | None) -> Value | None:
        """What `with value as x` binds."""
        if value is None:
            return None
        if value[0] == "inst":
            for name in ("__aenter__", "__enter__"):
                method = self.class_attr(value[1], name)
                if method is not None and method[0] == "meth":
                    got = self.returned(method[1])
                    if got is not None and got != ("self",):
                        return got
            return value
        if value[0] == "coll":
            return value[1]  # type: ignore[no-any-return]
        if value[0] == "ext":
            returns = self.knowledge.returns(value[1] + ".__enter__")
            return ("ext", returns) if returns is not None else value
        if value[0] == "alt":
            return union([self.entered(each) for each in value[1]])
        return value

    def annotation(self, scope: Function, ref: Ref) -> Value | None:
        """An instance of what the annotation names."""
        return hints.hinted(self, scope, ref)

    # -- decorators --------------------------------------------------------------------------

    def decorator_names(self, function: Function) -> tuple[str, ...]:
        """Dotted names of the decorators that come from outside the project, or as written."""
        return self._once(function.memo, "dec", lambda: self._decorator_names(function)) or ()

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

    def _is_context_manager(self, function: Function) -> bool:
        return any(
            name.rpartition(".")[2] in ("contextmanager", "asynccontextmanager")
            for name in self.decorator_names(function)
        )


def _names_type(ref: Ref) -> bool:
    """Whether what is indexed is a type by the look of it: `list[int]`, not `clients[0]`."""
    last = ref.rpartition(".")[2] if ref.__class__ is str else ""
    return (last[:1].isupper() and not last.isupper()) or last in _GENERICS
