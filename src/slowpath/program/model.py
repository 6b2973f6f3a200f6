"""Names for what `extract` gathered: modules, classes, functions and the parts of a body."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from slowpath.program import extract
from slowpath.program.body import LOOPS, Block, Body, Call, Stmt
from slowpath.program.classes import Class
from slowpath.program.extract import Ref
from slowpath.program.reader import READER

__all__ = ["LOOPS", "Block", "Body", "Call", "Class", "Function", "Module", "Stmt"]


@cache
def _encoded(names: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(name.encode() for name in names)


class Function:
    """A function, method, or the body of a module (`qual` is "")."""

    __slots__ = (
        "_body",
        "_cls",
        "_data",
        "_decorators",
        "_flags",
        "_params",
        "_parent",
        "_returns",
        "end_line",
        "line",
        "memo",
        "module",
        "qual",
    )

    def __init__(self, module: Module, record: tuple[Any, ...]) -> None:
        self.module = module
        self.qual: str = record[0]
        self.line: int = record[1]
        self.end_line: int = record[2]
        self._flags: int = record[3]
        self._params: tuple[tuple[str, Ref, Ref], ...] = record[4]
        self._decorators: tuple[Ref, ...] = record[5]
        self._returns: Ref = record[6]
        self._parent: str = record[7]
        self._cls: str | None = record[8]
        self._data: bytes = record[9]
        self._body: Body | None = None
        self.memo: dict[Any, Any] = {}

    @property
    def body(self) -> Body:
        if self.module is not READER.here:
            READER.look(self)
        if self._body is None:
            self._body = Body(self._data)
        return self._body

    @property
    def packed(self) -> bytes:
        """The body as it is kept."""
        return self._data

    def mentions(self, *names: str) -> bool:
        """Whether the body holds one of these names; quick, since it is not unpacked."""
        if self.module is not READER.here:
            READER.look(self)
        if not self.module.mentions(names):
            return False
        data = self._data
        for name in _encoded(names):  # noqa: SIM110 - asked of every function, by many
            if name in data:
                return True
        return False

    @property
    def key(self) -> str:
        """Its file and name: what it is known by from one process or scan to the next."""
        return f"{self.module.path}\0{self.qual}"

    @property
    def name(self) -> str:
        return self.qual.rpartition(".")[2]

    @property
    def label(self) -> str:
        """The qualified name that people read."""
        return self.qual or "<module>"

    # What others see of a function; that they do is noted.

    @property
    def params(self) -> tuple[tuple[str, Ref, Ref], ...]:
        if self.module is not READER.here:
            READER.see(self)
        return self._params

    @property
    def decorators(self) -> tuple[Ref, ...]:
        if self.module is not READER.here:
            READER.see(self)
        return self._decorators

    @property
    def returns(self) -> Ref:
        if self.module is not READER.here:
            READER.see(self)
        return self._returns

    @property
    def parent(self) -> str:
        if self.module is not READER.here:
            READER.see(self)
        return self._parent

    @property
    def cls(self) -> str | None:
        if self.module is not READER.here:
            READER.see(self)
        return self._cls

    @property
    def flags(self) -> int:
        if self.module is not READER.here:
            READER.see(self)
        return self._flags

    @property
    def is_async(self) -> bool:
        if self.module is not READER.here:  # as `flags` does, of which it is asked most often
            READER.see(self)
        return bool(self._flags & extract.ASYNC)

    @property
    def runs_async(self) -> bool:
        """`is_async`, for whoever goes along calls: where these lead is compared as a whole."""
        return bool(self._flags & extract.ASYNC)

    @property
    def is_generator(self) -> bool:
        return bool(self.flags & extract.GENERATOR)

    @property
    def is_stub(self) -> bool:
        return bool(self.flags & extract.STUB)

    @property
    def awaits(self) -> bool:
        return bool(self.flags & extract.AWAITS)

    @property
    def path(self) -> str:
        return self.module.path

    @property
    def scope(self) -> Function:
        """Where the function's decorators, defaults and annotations are evaluated."""
        return self.module.function(self.parent)

    @property
    def owner(self) -> Class | None:
        return self.module.owner_of(self)

    def __repr__(self) -> str:
        return f"<{self.module.name}:{self.label}>"


#: What `extract` makes of a file, and every word of its source once.
Unpacked = tuple[tuple[Any, ...], bytes]


class Module:
    """One file; what was read of it is unpacked when somebody first looks into it."""

    __slots__ = (
        "_assigns",
        "_classes",
        "_functions",
        "_imports",
        "_mentioned",
        "_stars",
        "_unpack",
        "body",
        "ignores",
        "is_package",
        "lines",
        "name",
        "path",
        "words",
    )

    def __init__(
        self,
        name: str,
        path: str,
        is_package: bool,
        lines: int,
        unpack: Callable[[], Unpacked],
        ignores: dict[int, tuple[str, ...]] | None = None,
    ) -> None:
        self.name = name
        self.path = path
        self.is_package = is_package
        self.lines = lines
        self.ignores = ignores or {}
        self._unpack = unpack
        self._mentioned: dict[tuple[str, ...], bool] = {}

    def __getattr__(self, name: str) -> Any:
        """What `unfold` fills in, asked for the first time; there is nothing else that lacks."""
        if name not in self.__slots__:
            raise AttributeError(name)
        self.unfold()
        return getattr(self, name)

    def unfold(self) -> None:
        """Make functions and classes of what was read."""
        (functions, classes, imports, stars, assigns, body), words = self._unpack()
        self.words = words
        self._functions: dict[str, Function] = {}
        seen: dict[str, int] = {}
        kept: dict[str, int] = {}
        for each in functions:
            number = seen[each[0]] = seen.get(each[0], -1) + 1
            # Of two definitions of one name (overloads, `if` branches) the fuller one is kept.
            known = self._functions.get(each[0])
            if known is None or len(each[9]) >= len(known._data):
                self._functions[each[0]] = Function(self, each)
                kept[each[0]] = number
        self._classes: dict[str, Class] = {each[0]: Class(self, each, kept) for each in classes}
        self._imports: dict[str, tuple[str, str | None]] = imports
        self._stars: tuple[str, ...] = stars
        self._assigns: dict[str, list[tuple[Ref, Ref]]] = {}
        for target, value, annotation in assigns:
            self._assigns.setdefault(target, []).append((value, annotation))
        self.body = Function(self, ("", 1, self.lines, 0, (), (), None, "", None, body))

    @property
    def functions(self) -> dict[str, Function]:
        if self is not READER.here:
            READER.look(self.body)
        return self._functions

    @property
    def classes(self) -> dict[str, Class]:
        if self is not READER.here:
            READER.look(self.body)
        return self._classes

    @property
    def imports(self) -> dict[str, tuple[str, str | None]]:
        if self is not READER.here:
            READER.look(self.body)
        return self._imports

    @property
    def assigns(self) -> dict[str, list[tuple[Ref, Ref]]]:
        if self is not READER.here:
            READER.look(self.body)
        return self._assigns

    @property
    def stars(self) -> tuple[str, ...]:
        if self is not READER.here:
            READER.look(self.body)
        return self._stars

    # Of what one holds in hands already these tell nothing new, whoever asks.

    def function(self, qual: str) -> Function:
        """The function of a name that is there; the module's body for ""."""
        return self._functions[qual] if qual else self.body

    def find(self, qual: str) -> Function | None:
        """The function of a name, for who knows already whether it is there."""
        return self._functions.get(qual)

    def cls(self, qual: str) -> Class:
        """The class of a name that is there."""
        return self._classes[qual]

    def owner_of(self, function: Function) -> Class | None:
        """The class that a function stands in."""
        cls = function.cls
        return self._classes.get(cls) if cls is not None else None

    def mentions(self, names: tuple[str, ...]) -> bool:
        """Whether one of these names may be anywhere in the file."""
        known = self._mentioned.get(names)
        if known is None:
            known = self._mentioned[names] = self._may_hold(names)
        return known

    def _may_hold(self, names: tuple[str, ...]) -> bool:
        words = self.words
        for name in _encoded(names):
            if name.rpartition(b".")[2] in words:
                return True
        return not words

    def inner_imports(self) -> Iterator[tuple[str, str | None]]:
        """What functions import for themselves."""
        for function in self._functions.values():
            yield from function.body.imports.values()

    def __repr__(self) -> str:
        return f"<module {self.name}>"
