"""One file's syntax tree, reduced to what the rest of the program engine reads.

The reduction is made of tuples, strings and numbers alone, so that `marshal` can carry it between
processes and keep it in the cache. `model` gives the tuples names; nothing else knows their order.

An expression becomes a *ref*:

    "a.b.c"               a name, or attributes of a name
    7                     the result of the function's call number 7
    (".", ref, "x.y")     attributes of another ref
    ("[]", ref, ref)      an element
    ("s", "text")         a string, cut at 80 characters
    ("c", value)          another constant
    ("t", (ref, ...))     a tuple, list or set display
    ("d", (ref, ...))     the values of a dict display
    ("|", (ref, ...))     one of several
    ("L", ref)            a comprehension over ref
    ("f", "qualname")     a lambda
    ("none", "x")         only as a condition: `x is None`; "some" for `x is not None`
    ("lifespan",)         only as a condition: `x == "lifespan.startup"`, or the shutdown
    None                  anything else
"""

from __future__ import annotations

import ast
import io
import tokenize
from typing import Any

from slowpath.program.expressions import (
    ARGUMENT,
    ASYNC,
    AWAITED,
    AWAITS,
    DEFERRED,
    DISCARDED,
    GENERATOR,
    STARRED,
    STUB,
    USED,
    WITH,
    YIELDED,
    Ref,
    Scope,
)
from slowpath.program.newer import rewritten
from slowpath.program.statements import Statements

__all__ = [
    "ARGUMENT",
    "ASYNC",
    "AWAITED",
    "AWAITS",
    "DEFERRED",
    "DISCARDED",
    "FORMAT",
    "GENERATOR",
    "STARRED",
    "STUB",
    "USED",
    "WITH",
    "YIELDED",
    "Ref",
    "extract",
]

# Part of the cache key: raise it with every change of what is kept of a file.
FORMAT = 15


class Extractor(Statements):
    """Walks one module. Written for speed: it sees every node of every file scanned."""

    def __init__(self, module: str, is_package: bool) -> None:
        super().__init__(module if is_package else module.rpartition(".")[0])
        self.functions: list[tuple[Any, ...]] = []
        self.definitions: dict[str, int] = {}
        self.classes: list[tuple[Any, ...]] = []
        self.statements.update(
            {
                ast.FunctionDef: self._function,
                ast.AsyncFunctionDef: self._function,
                ast.ClassDef: self._class,
            }
        )

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        outer = self.scope
        decorators = tuple([self.expr(each) for each in node.decorator_list])
        arguments = node.args
        params: list[tuple[str, Ref, Ref]] = []
        plain = arguments.posonlyargs + arguments.args
        missing = len(plain) - len(arguments.defaults)
        for position, arg in enumerate(plain):
            default = arguments.defaults[position - missing] if position >= missing else None
            params.append(
                (
                    arg.arg,
                    self.annotation(arg.annotation),
                    self.expr(default) if default is not None else None,
                )
            )
        for arg, keyword_default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            params.append(
                (
                    arg.arg,
                    self.annotation(arg.annotation),
                    self.expr(keyword_default) if keyword_default is not None else None,
                )
            )
        returns = self.annotation(node.returns)
        if decorators or params:
            self._record("o", node.lineno, node.lineno, (), None)
        cls, owner = self.cls, self.owner
        prefix = cls["qual"] if cls is not None else outer.qual
        qual = f"{prefix}.{node.name}" if prefix else node.name
        part = _part_of_property(decorators)
        qual += part  # beside the getter, which has the plain name
        scope = Scope(qual, outer)
        scope.number = self.definitions[qual] = self.definitions.get(qual, -1) + 1
        if node.__class__ is ast.AsyncFunctionDef:
            scope.flags |= ASYNC
        if cls is not None and not part:
            cls["methods"].append(node.name)
        saved = (self.block, self.reads, self.deferred, self.self_name)
        self.scope, self.block, self.cls, self.reads, self.deferred = scope, 0, None, [], 0
        if cls is not None:
            self.owner = cls
            self.self_name = plain[0].arg if plain else None
        self.run(node.body)
        if _is_stub(node.body):
            scope.flags |= STUB
        self.scope, self.cls, self.owner = outer, cls, owner
        self.block, self.reads, self.deferred, self.self_name = saved
        self.functions.append(
            (
                qual,
                node.lineno,
                node.end_lineno,
                scope.flags,
                tuple(params),
                decorators,
                returns,
                outer.qual,
                cls["qual"] if cls is not None else None,
                scope.body(),
            )
        )

    def _class(self, node: ast.ClassDef) -> None:
        bases = tuple([self.expr(each) for each in node.bases])
        keywords = tuple([(each.arg or "", self.expr(each.value)) for each in node.keywords])
        decorators = tuple([self.expr(each) for each in node.decorator_list])
        self._record("o", node.lineno, node.lineno, (), None)
        outer_cls = self.cls
        prefix = outer_cls["qual"] if outer_cls is not None else self.scope.qual
        qual = f"{prefix}.{node.name}" if prefix else node.name
        cls: dict[str, Any] = {"qual": qual, "attrs": [], "methods": [], "self": []}
        self.cls = cls
        outer = self._open("class", node.lineno)
        self.run(node.body)
        self.block = outer
        self.cls = outer_cls
        self.classes.append(
            (
                qual,
                node.lineno,
                node.end_lineno,
                bases,
                keywords,
                decorators,
                tuple(cls["attrs"]),
                tuple(cls["methods"]),
                tuple(cls["self"]),
                self.scope.qual,
            )
        )


def _part_of_property(decorators: tuple[Ref, ...]) -> str:
    """ ".setter" for `@name.setter`, and so on; "" for any other function."""
    for each in decorators:
        if each.__class__ is str and each.endswith((".setter", ".deleter")):
            return "." + str(each).rpartition(".")[2]
    return ""


def _is_stub(body: list[ast.stmt]) -> bool:
    for node in body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        if isinstance(node, ast.Pass):
            continue
        if isinstance(node, ast.Raise) and node.exc is not None:
            exc = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if isinstance(exc, ast.Name) and exc.id == "NotImplementedError":
                continue
        return False
    return True


def _parse(source: bytes) -> ast.Module:
    try:
        return ast.parse(source)
    except SyntaxError:
        try:
            encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
            return ast.parse(rewritten(source.decode(encoding)))
        except (SyntaxError, ValueError):
            pass  # it is no newer Python either: what is told is wrong with it as it stands
        raise


def extract(source: bytes, module: str, is_package: bool) -> tuple[Any, ...]:
    """Reduce one file. Raises what `ast.parse` raises for a file that is not Python 3.

    Args:
        source: the file's bytes; a coding line or byte-order mark is honoured.
        module: dotted name that the file would be imported by.
        is_package: the file is an `__init__.py`.

    Returns:
        (functions, classes, imports, stars, assigns, module body), all of it marshallable.
    """
    tree = _parse(source)
    reader = Extractor(module, is_package)
    reader.run(tree.body)
    scope = reader.scope
    return (
        tuple(reader.functions),
        tuple(reader.classes),
        scope.imports,
        tuple(reader.stars),
        tuple(reader.assigns),
        scope.body(),
    )
