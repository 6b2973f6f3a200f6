"""Statements of a syntax tree, reduced to rows; `extract` says what refs are in them."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from slowpath.program.expressions import AWAITED, AWAITS, DISCARDED, WITH, Expressions, Ref


class Statements(Expressions):
    """Reads statements into the scope at hand; definitions are added by who inherits."""

    def __init__(self, package: str) -> None:
        super().__init__()
        self.package = package
        self.stars: list[str] = []
        self.assigns: list[tuple[str, Ref, Ref]] = []
        self.cls: dict[str, Any] | None = None
        self.self_name: str | None = None
        self.owner: dict[str, Any] | None = None
        self.statements: dict[type, Callable[[Any], None]] = {
            ast.Expr: self._expression_statement,
            ast.Assign: self._assign,
            ast.AnnAssign: self._annotated,
            ast.AugAssign: self._augmented,
            ast.Return: self._return,
            ast.If: self._if,
            ast.For: self._for,
            ast.AsyncFor: self._for,
            ast.While: self._while,
            ast.With: self._with,
            ast.AsyncWith: self._with,
            ast.Try: self._try,
            ast.TryStar: self._try,
            ast.Import: self._import,
            ast.ImportFrom: self._import_from,
            ast.Delete: self._delete,
            ast.Raise: self._raise,
            ast.Assert: self._assert,
            ast.Break: self._break,
            ast.Match: self._match,
            ast.Global: self._shared,
            ast.Nonlocal: self._shared,
        }

    def run(self, nodes: list[ast.stmt]) -> None:
        table = self.statements
        for node in nodes:
            handler = table.get(node.__class__)
            if handler is not None:
                handler(node)

    def _nested(self, kind: str, nodes: list[ast.stmt], line: int) -> None:
        if nodes:
            outer = self._open(kind, line)
            self.run(nodes)
            self.block = outer

    def _expression_statement(self, node: ast.Expr) -> None:
        value = node.value
        if value.__class__ is ast.Constant:
            return
        ref = self.expr(value)
        if value.__class__ is not ast.Await:
            self._flag(ref, DISCARDED)
        self._record("e", node.lineno, node.end_lineno, (), ref)

    def _assign(self, node: ast.Assign) -> None:
        value = self.expr(node.value)
        names: list[str] = []
        for target in node.targets:
            self._targets(target, names)
        self._store(names, value, None)
        self._record("a", node.lineno, node.end_lineno, names, value)

    def _annotated(self, node: ast.AnnAssign) -> None:
        annotation = self.annotation(node.annotation)
        value = self.expr(node.value) if node.value is not None else None
        names: list[str] = []
        self._targets(node.target, names)
        self._store(names, value, annotation)
        self._record(
            "a" if node.value is not None else "n",
            node.lineno,
            node.end_lineno,
            names,
            value,
            annotation,
        )

    def _store(self, names: list[str], value: Ref, annotation: Ref) -> None:
        """Note module globals, class attributes and attributes of self where others look."""
        if self.cls is not None:
            self.cls["attrs"].extend((name, annotation, value) for name in names)
        elif self.scope.parent is None:
            self.assigns.extend((name, value, annotation) for name in names)
        elif self.self_name is not None and self.owner is not None:
            prefix = self.self_name + "."
            for name in names:
                attr = name[len(prefix) :]
                if name.startswith(prefix) and "." not in attr:
                    self.owner["self"].append(
                        (attr, self.scope.qual, annotation, value, self.scope.number)
                    )

    def _augmented(self, node: ast.AugAssign) -> None:
        value = self.expr(node.value)
        names: list[str] = []
        self._targets(node.target, names)
        self.reads.extend(names)
        self._record("g", node.lineno, node.end_lineno, names, value)

    def _return(self, node: ast.Return) -> None:
        value = self.expr(node.value) if node.value is not None else ("c", None)
        self._record("r", node.lineno, node.end_lineno, (), value)

    def _raise(self, node: ast.Raise) -> None:
        if node.exc is not None:
            self.expr(node.exc)
        self._record("x", node.lineno, node.end_lineno, (), None)

    def _assert(self, node: ast.Assert) -> None:
        self.expr(node.test)
        self._record("o", node.lineno, node.end_lineno, (), None)

    def _break(self, node: ast.Break) -> None:
        self._record("b", node.lineno, node.end_lineno, (), None)

    def _shared(self, node: ast.Global | ast.Nonlocal) -> None:
        self._record("s", node.lineno, node.lineno, list(node.names), None)

    def _delete(self, node: ast.Delete) -> None:
        names: list[str] = []
        for target in node.targets:
            self._targets(target, names)
        self._record("d", node.lineno, node.end_lineno, names, None)

    def _if(self, node: ast.If) -> None:
        outer = self.block
        current: ast.If = node
        while True:  # an `elif` is an `if` inside `else`; long ladders stay off the stack
            test = self.test(current.test)
            self._record("i", current.lineno, current.test.end_lineno, (), test)
            here = self.block
            self._nested("if", current.body, current.lineno)
            rest = current.orelse
            if not rest:
                break
            self.block = here
            self._open("else", current.lineno)
            if len(rest) == 1 and rest[0].__class__ is ast.If:
                current = rest[0]
                continue
            self.run(rest)
            break
        self.block = outer

    def _for(self, node: ast.For | ast.AsyncFor) -> None:
        source = self.expr(node.iter)
        names: list[str] = []
        self._targets(node.target, names)
        is_async = node.__class__ is ast.AsyncFor
        if is_async:
            self.scope.flags |= AWAITS
            self._flag(source, AWAITED)
        else:
            self._used(node.iter, source)
        outer = self._open("afor" if is_async else "for", node.lineno)
        self._record("f", node.lineno, node.iter.end_lineno, names, source)
        self.run(node.body)
        self.block = outer
        self.run(node.orelse)

    def _while(self, node: ast.While) -> None:
        outer = self._open("while", node.lineno)
        self._used(node.test, self.expr(node.test))
        self._record("i", node.lineno, node.test.end_lineno, (), None)
        self.run(node.body)
        self.block = outer
        self.run(node.orelse)

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        outer = self.block
        is_async = node.__class__ is ast.AsyncWith
        for item in node.items:
            value = self.expr(item.context_expr)
            self._flag(value, WITH | (AWAITED if is_async else 0))
            names: list[str] = []
            if item.optional_vars is not None:
                self._targets(item.optional_vars, names)
            self._open("awith" if is_async else "with", node.lineno)
            self._record("w", node.lineno, item.context_expr.end_lineno, names, value)
        if is_async:
            self.scope.flags |= AWAITS
        self.run(node.body)
        self.block = outer

    def _try(self, node: ast.Try) -> None:
        self._nested("try", node.body, node.lineno)
        for handler in node.handlers:
            outer = self._open("except", node.lineno)
            if handler.type is not None:
                self.expr(handler.type)
                self._record("o", handler.lineno, handler.lineno, (), None)
            self.run(handler.body)
            self.block = outer
        self._nested("tryelse", node.orelse, node.lineno)
        self._nested("finally", node.finalbody, node.lineno)

    def _match(self, node: ast.Match) -> None:
        self.expr(node.subject)
        self._record("i", node.lineno, node.lineno, (), None)
        for case in node.cases:
            self._nested("if", case.body, node.lineno)

    def _import(self, node: ast.Import) -> None:
        imports = self.scope.imports
        for alias in node.names:
            if alias.asname is not None:
                imports.setdefault(alias.asname, (alias.name, None))
            else:
                top = alias.name.partition(".")[0]
                imports.setdefault(top, (top, None))
                if "." in alias.name:
                    imports.setdefault("." + alias.name, (alias.name, None))

    def _import_from(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if node.level:
            base = self.package
            for _ in range(node.level - 1):
                base = base.rpartition(".")[0]
            module = f"{base}.{module}" if base and module else base or module
        for alias in node.names:
            if alias.name == "*":
                self.stars.append(module)
            else:
                self.scope.imports.setdefault(alias.asname or alias.name, (module, alias.name))
