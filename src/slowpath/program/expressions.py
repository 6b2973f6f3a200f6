"""Expressions of a syntax tree, reduced to refs; `extract` says what a ref looks like."""

from __future__ import annotations

import ast
import marshal
from collections.abc import Callable
from typing import Any

from slowpath.program.conditions import compared, noneness

Ref = Any

AWAITED = 1
DISCARDED = 2
DEFERRED = 4  # inside a lambda: made now, called by somebody later
STARRED = 8  # passes *args or **kwargs, so an argument may be there without being seen
WITH = 16
ARGUMENT = 32
YIELDED = 64
USED = 128  # its result is taken for a value: tested, looped over, or an attribute of it read

ASYNC = 1
GENERATOR = 2
AWAITS = 4
STUB = 8  # the body is only a docstring, `pass`, `...` or `raise NotImplementedError`

_TEXT = 80
# What a coroutine object itself has.
_OF_COROUTINES = {"close", "send", "throw", "cr_frame", "cr_code", "cr_running", "__await__"}


class Scope:
    """What is gathered for one function, or for the module's own body.

    `number` tells definitions of one name apart, in the order in which they are written.
    """

    __slots__ = ("blocks", "calls", "flags", "imports", "number", "parent", "qual", "stmts")

    def __init__(self, qual: str, parent: Scope | None) -> None:
        self.qual = qual
        self.parent = parent
        self.imports: dict[str, tuple[str, str | None]] = {}
        self.calls: list[tuple[Any, ...]] = []
        self.stmts: list[tuple[Any, ...]] = []
        self.blocks: list[tuple[int, str, int, int]] = [(-1, "body", 0, -1)]
        self.flags = 0
        self.number = 0

    def body(self) -> bytes:
        return marshal.dumps(
            (self.imports, tuple(self.calls), tuple(self.stmts), tuple(self.blocks))
        )


class Expressions:
    """Reads expressions into the scope at hand, and notes the statement that they are part of."""

    def __init__(self) -> None:
        self.scope = Scope("", None)
        self.block = 0
        self.reads: list[str] = []
        self.deferred = 0
        self.expressions: dict[type, Callable[[Any], Ref]] = {
            ast.Name: self._name,
            ast.Attribute: self._attribute,
            ast.Call: self._call,
            ast.Constant: self._constant,
            ast.Await: self._await,
            ast.Subscript: self._subscript,
            ast.Tuple: self._display,
            ast.List: self._display,
            ast.Set: self._display,
            ast.Dict: self._dict,
            ast.IfExp: self._if_expression,
            ast.BoolOp: self._bool_operation,
            ast.BinOp: self._binary,
            ast.Lambda: self._lambda,
            ast.ListComp: self._comprehension,
            ast.SetComp: self._comprehension,
            ast.GeneratorExp: self._comprehension,
            ast.DictComp: self._comprehension,
            ast.Compare: self._compare,
            ast.JoinedStr: self._joined,
            ast.FormattedValue: self._formatted,
            ast.Starred: self._starred,
            ast.UnaryOp: self._unary,
            ast.NamedExpr: self._walrus,
            ast.Yield: self._yield,
            ast.YieldFrom: self._yield,
            ast.Slice: self._other,
        }

    def expr(self, node: ast.expr) -> Ref:
        handler = self.expressions.get(node.__class__)
        return handler(node) if handler is not None else None

    def _name(self, node: ast.Name) -> Ref:
        self.reads.append(node.id)
        return node.id

    def _attribute(self, node: ast.Attribute) -> Ref:
        attrs = node.attr
        base = node.value
        while base.__class__ is ast.Attribute:
            attrs = base.attr + "." + attrs
            base = base.value
        if base.__class__ is ast.Name:
            dotted: str = base.id + "." + attrs
            self.reads.append(dotted)
            return dotted
        ref = self.expr(base)
        if attrs.partition(".")[0] not in _OF_COROUTINES:
            self._used(base, ref)
        return (".", ref, attrs)

    def _call(self, node: ast.Call) -> int:
        func = self.expr(node.func)
        flags = DEFERRED if self.deferred else 0
        calls = self.scope.calls
        args = []
        for arg in node.args:
            if arg.__class__ is ast.Starred:
                flags |= STARRED
            ref = self.expr(arg)
            if ref.__class__ is int:
                self._flag(ref, ARGUMENT)
            args.append(ref)
        kwargs = []
        for keyword in node.keywords:
            ref = self.expr(keyword.value)
            if ref.__class__ is int:
                self._flag(ref, ARGUMENT)
            if keyword.arg is None:
                flags |= STARRED
            else:
                kwargs.append((keyword.arg, ref))
        index = len(calls)
        calls.append(
            (
                func,
                node.lineno,
                node.end_lineno,
                flags,
                self.block,
                tuple(args),
                tuple(kwargs),
            )
        )
        return index

    def _flag(self, ref: Ref, flag: int) -> None:
        """Mark the calls that `ref` stands for."""
        if ref.__class__ is int:
            call = self.scope.calls[ref]
            self.scope.calls[ref] = (*call[:3], call[3] | flag, *call[4:])
        elif ref.__class__ is tuple and ref[0] == "|":
            for each in ref[1]:
                self._flag(each, flag)

    def _used(self, node: ast.expr, ref: Ref) -> None:
        """Mark a call whose result is taken for a value where it stands."""
        if node.__class__ is ast.Call:
            self._flag(ref, USED)

    def _constant(self, node: ast.Constant) -> Ref:
        value = node.value
        if value.__class__ is str:
            return ("s", value[:_TEXT])
        if value is None or value.__class__ in (bool, int, float):
            return ("c", value)
        return ("c", ...) if value is ... else ("c", b"")

    def _await(self, node: ast.Await) -> Ref:
        self.scope.flags |= AWAITS
        ref = self.expr(node.value)
        self._flag(ref, AWAITED)
        if ref.__class__ is str:
            self.reads.append(f"{ref}.__await__")  # what is done with a name by awaiting it
        return ref

    def _subscript(self, node: ast.Subscript) -> Ref:
        base = self.expr(node.value)
        if base.__class__ is str:
            self.reads.append(base + "[]")
        else:
            self._used(node.value, base)
        return ("[]", base, self.expr(node.slice))

    def _display(self, node: ast.Tuple | ast.List | ast.Set) -> Ref:
        if len(node.elts) > 64:  # a table of data, not code
            for each in node.elts:
                self.expr(each)
            return ("t", ())
        return ("t", tuple([self.expr(each) for each in node.elts]))

    def _dict(self, node: ast.Dict) -> Ref:
        for key in node.keys:
            if key is not None and key.__class__ is not ast.Constant:
                self.expr(key)
        values = tuple([self.expr(each) for each in node.values])
        return ("d", values if len(values) <= 64 else ())

    def _if_expression(self, node: ast.IfExp) -> Ref:
        outer = self.block
        test = self.test(node.test)
        self._record("c", node.lineno, node.test.end_lineno, (), test, keep=True)
        refs = []
        for kind, each in (("if", node.body), ("else", node.orelse)):
            self._open(kind, node.lineno)
            refs.append(self.expr(each))
            self.block = outer
        return ("|", tuple(refs))

    def test(self, node: ast.expr) -> Ref:
        """A ref for a condition; `x is None` and `x is not None` are told by x."""
        ref = self.expr(node)
        self._used(node, ref)
        return noneness(node) or ref

    def _bool_operation(self, node: ast.BoolOp) -> Ref:
        return ("|", tuple([self.expr(each) for each in node.values]))

    def _binary(self, node: ast.BinOp) -> Ref:
        # Long sums nest to the left; a loop keeps them off the stack.
        rights = []
        left: ast.expr = node
        while left.__class__ is ast.BinOp:
            rights.append(left.right)
            union = left.op.__class__ is ast.BitOr
            divide = left.op.__class__ is ast.Div
            left = left.left
        first = self.expr(left)
        refs = [first]
        refs += [self.expr(each) for each in reversed(rights)]
        if not union and not divide:
            for each, ref in zip((left, *reversed(rights)), refs, strict=True):
                self._used(each, ref)
        if union:
            return ("|", tuple(refs))
        # `path / "name"` is a path again.
        return first if divide else None

    def _lambda(self, node: ast.Lambda) -> Ref:
        block = self._open("lambda", node.lineno)
        self.deferred += 1
        value = self.expr(node.body)
        self.deferred -= 1
        self.block = block
        return ("f", value)

    def _comprehension(self, node: Any) -> Ref:
        block = self.block
        value = None
        for generator in node.generators:
            source = self.expr(generator.iter)
            self._open("acomp" if generator.is_async else "comp", generator.iter.lineno)
            if generator.is_async:
                self.scope.flags |= AWAITS
                self._flag(source, AWAITED)
            else:
                self._used(generator.iter, source)
            names: list[str] = []
            self._targets(generator.target, names)
            self._record("f", generator.iter.lineno, node.end_lineno, names, source)
            for test in generator.ifs:
                self._used(test, self.expr(test))
        if node.__class__ is ast.DictComp:
            self.expr(node.key)
            value = self.expr(node.value)
        else:
            value = self.expr(node.elt)
        self.block = block
        return ("L", value)

    def _compare(self, node: ast.Compare) -> Ref:
        identity = node.ops[0].__class__ in (ast.Is, ast.IsNot)
        left = self.expr(node.left)
        if not identity:
            self._used(node.left, left)
        for operator, each in zip(node.ops, node.comparators, strict=True):
            ref = self.expr(each)
            if not identity:
                self._used(each, ref)
            if ref.__class__ is str and operator.__class__ in (ast.In, ast.NotIn):
                self.reads.append(ref + "?")
        return compared(left, node.ops[0], ref) if len(node.ops) == 1 else None

    def _joined(self, node: ast.JoinedStr) -> Ref:
        for each in node.values:
            if each.__class__ is ast.FormattedValue:
                self._used(each.value, self.expr(each.value))
        first = node.values[0] if node.values else None
        if first.__class__ is ast.Constant:
            return ("s", first.value[:_TEXT])  # type: ignore[index]
        return ("s", "")

    def _formatted(self, node: ast.FormattedValue) -> Ref:
        return self.expr(node.value)

    def _starred(self, node: ast.Starred) -> Ref:
        return self.expr(node.value)

    def _unary(self, node: ast.UnaryOp) -> Ref:
        self._used(node.operand, self.expr(node.operand))
        return None

    def _walrus(self, node: ast.NamedExpr) -> Ref:
        value = self.expr(node.value)
        self._record("a", node.lineno, node.end_lineno, [node.target.id], value, keep=True)
        return value

    def _yield(self, node: ast.Yield | ast.YieldFrom) -> Ref:
        self.scope.flags |= GENERATOR
        if node.value is not None:
            value = self.expr(node.value)
            self._flag(value, YIELDED)
            self._record("y", node.lineno, node.end_lineno, (), value, keep=True)
        else:
            self._record("y", node.lineno, node.end_lineno, (), None, keep=True)

    def _other(self, node: ast.AST) -> Ref:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.expr(child)

    def annotation(self, node: ast.expr | None) -> Ref:
        """A ref for an annotation; quoted ones are read too."""
        if node is None:
            return None
        if node.__class__ is ast.Constant:
            text = node.value
            if text.__class__ is str:
                if text.isidentifier():
                    return text
                try:
                    return self.expr(ast.parse(text, mode="eval").body)
                except (SyntaxError, ValueError):
                    return None
        return self.expr(node)

    # -- what statements share ---------------------------------------------------------------

    def _open(self, kind: str, line: int) -> int:
        """Enter a new block; returns the one to go back to."""
        outer = self.block
        blocks = self.scope.blocks
        blocks.append((outer, kind, line, len(self.scope.stmts)))
        self.block = len(blocks) - 1
        return outer

    def _record(
        self,
        kind: str,
        line: int,
        end_line: int | None,
        writes: list[str] | tuple[()],
        value: Ref,
        annotation: Ref = None,
        keep: bool = False,
    ) -> None:
        self.scope.stmts.append(
            (
                kind,
                self.block,
                line,
                end_line,
                tuple(writes),
                tuple(self.reads),
                value,
                annotation,
                len(self.scope.calls),
            )
        )
        if not keep:
            self.reads = []

    def _targets(self, node: ast.expr, names: list[str]) -> None:
        """Collect what an assignment to `node` writes; tuple parts as "[i]name"."""
        kind = node.__class__
        if kind is ast.Name:
            names.append(node.id)  # type: ignore[attr-defined]
        elif kind is ast.Attribute:
            ref = self.expr(node)
            if ref.__class__ is str:
                self.reads.pop()
                names.append(ref)
        elif kind is ast.Subscript:
            ref = self.expr(node.value)  # type: ignore[attr-defined]
            self.expr(node.slice)  # type: ignore[attr-defined]
            if ref.__class__ is str:
                names.append(ref + "[]")
        elif kind is ast.Starred:
            self._targets(node.value, names)  # type: ignore[attr-defined]
        elif kind is ast.Tuple or kind is ast.List:
            for position, each in enumerate(node.elts):  # type: ignore[attr-defined]
                if each.__class__ is ast.Name:
                    names.append(f"[{position}]{each.id}")
                else:
                    self._targets(each, names)
