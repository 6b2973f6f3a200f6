"""The code at one line, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import libcst as cst
from libcst import matchers as m

from slowpath.codemod.change import Change, Refused, Splice, check
from slowpath.codemod.imports import reference
from slowpath.codemod.region import Edit, Region
from slowpath.codemod.source import Scope, Source

#: From how wide calls are to be written (see `calls.widened`) to the edits.
Edits = Callable[[int], Mapping[Any, Edit]]
_WIDTHS = (0, 1, 2)


class Spot:
    """A line of a function.

    Args:
        source: the file.
        scope: the function that the line lies in, or the module.
        line: of the file.
    """

    def __init__(self, source: Source, scope: Scope, line: int) -> None:
        self.source = source
        self.scope = scope
        self.line = line
        self._imports: list[Splice] = []

    @property
    def path(self) -> str:
        return self.source.path

    @cached_property
    def region(self) -> Region:
        return Region.of(self.source, self.line)

    # --- Finding -----------------------------------------------------------------------------

    def calls(self, name: str, end_line: int = 0) -> list[cst.Call]:
        """The calls of a name at the line, as written or as imported under another one.

        Without a name, the only call that is made there and not awaited.

        Args:
            end_line: where the finding's statement ends, to tell calls over several lines apart.

        Raises:
            Refused: there is none.
        """
        every = [node for node in self.region.nodes if isinstance(node, cst.Call)]
        named = [
            node
            for node in every
            if (self.is_called(node, name) if name else not self._is_awaited(node))
        ]
        lines = {node: self.region.lines(node) for node in named}
        found = [node for node in named if lines[node][0] == self.line]
        if end_line > self.line:
            found = [node for node in found if lines[node][1] == end_line] or found
        if not found:
            # A run names the line that was executing, which may be one in the middle.
            within = [node for node in named if lines[node][0] < self.line <= lines[node][1]]
            found = within[-1:]
        if not name and len(found) > 1:
            raise Refused(f"Which of the calls at {self.path}:{self.line} it is, is not known.")
        if not found and self._is_read(name):
            raise Refused(
                f"At {self.path}:{self.line} {name} is only read: what a property does cannot be "
                "awaited."
            )
        if not found:
            what = f"call of {name}" if name else "such call"
            raise Refused(f"There is no {what} at {self.path}:{self.line}.")
        return found

    def _is_awaited(self, node: cst.CSTNode) -> bool:
        return isinstance(self.region.parent(node), cst.Await)

    def _is_read(self, name: str) -> bool:
        return any(
            isinstance(node, cst.Attribute)
            and node.attr.value == name
            and self.region.lines(node)[0] <= self.line <= self.region.lines(node)[1]
            for node in self.region.nodes
        )

    def call(self, name: str, end_line: int = 0) -> cst.Call:
        """The only call of a name at the line.

        Raises:
            Refused: there is none, or more than one.
        """
        found = self.calls(name, end_line)
        if len(found) > 1:
            raise Refused(f"Several calls of {name} stand at {self.path}:{self.line}.")
        return found[0]

    def like(self, calls: Sequence[cst.Call]) -> list[cst.Call]:
        """These calls, and all others of the same function that call the same thing."""
        function = self.function()
        funcs = {self.region.code(call.func).strip() for call in calls}
        return [
            node
            for node in self.region.nodes
            if isinstance(node, cst.Call)
            and self.region.code(node.func).strip() in funcs
            and (node in calls or self._is_own(node, function))
        ]

    def _is_own(self, node: cst.CSTNode, function: cst.FunctionDef) -> bool:
        """Whether a call may be awaited by the function itself."""
        if not any(parent is function for _, parent in self.region.around(node)):
            return False
        try:
            self.require_awaitable(node)
        except Refused:
            return False
        return True

    def is_called(self, call: cst.Call, name: str) -> bool:
        func = call.func
        if isinstance(func, cst.Attribute):
            return func.attr.value == name
        if isinstance(func, cst.Name):
            stands_for = self.source.imports.get(func.value, func.value)
            return func.value == name or stands_for.rpartition(".")[2] == name
        return False

    def dotted(self, node: cst.CSTNode) -> str:
        """What names and dots stand for, by the file's imports; empty for other expressions."""
        if not m.matches(node, m.Name() | m.Attribute()):
            return ""
        text = self.region.code(node)
        return self.source.dotted(text) if text.replace(".", "").isidentifier() else ""

    def function(self) -> cst.FunctionDef:
        """The function that the line lies in.

        Raises:
            Refused: the line is at the top of the module.
        """
        last = self.scope.node.lineno if self.scope.node is not None else 0
        for node in self.region.nodes:
            # LibCST counts a function from `async` or `def`, decorators apart.
            if isinstance(node, cst.FunctionDef) and self.region.lines(node.name)[0] == last:
                return node
        raise Refused(f"{self.path}:{self.line} lies in no function.")

    def function_text(self) -> str:
        """The text of the function that the line lies in."""
        return "".join(self.source.lines[self.scope.first - 1 : self.scope.last])

    def statement(self, node: cst.CSTNode) -> cst.SimpleStatementLine:
        """The line of code that an expression is part of, alone on its line.

        Raises:
            Refused: it is the head of a block, or shares its line with others.
        """
        for _, parent in self.region.around(node):
            if isinstance(parent, cst.SimpleStatementLine):
                if len(parent.body) > 1:
                    break
                return parent
            if isinstance(parent, cst.BaseSuite | cst.BaseCompoundStatement):
                break
        raise Refused(f"The statement at {self.path}:{self.line} does not stand by itself.")

    def block(self, statement: cst.CSTNode) -> cst.IndentedBlock | cst.Module:
        """The block that holds a statement.

        Raises:
            Refused: it stands behind a colon, in one line with it.
        """
        parent = self.region.parent(statement)
        if isinstance(parent, cst.IndentedBlock | cst.Module):
            return parent
        raise Refused(f"The statement at {self.path}:{self.line} is in no block of its own.")

    def require_awaitable(self, node: cst.CSTNode) -> None:
        """See that `await` may stand in front of an expression, and does not already.

        Raises:
            Refused: it may not.
        """
        if not self.scope.is_async:
            raise Refused(f"{self.scope.qual or 'The module'} is no coroutine function.")
        function = self.function()
        if self._is_awaited(node):
            raise Refused("The call is awaited already.")
        for inner, parent in self.region.around(node):
            if parent is function:
                if inner is not function.body:
                    break
                return
            if isinstance(parent, cst.GeneratorExp) and not self._is_first_source(parent, node):
                raise Refused("An await in a generator expression would change what it is.")
            if isinstance(parent, cst.Lambda | cst.FunctionDef | cst.ClassDef):
                break
        raise Refused(f"The call at {self.path}:{self.line} is in a function of its own.")

    def _is_first_source(self, generator: cst.GeneratorExp, node: cst.CSTNode) -> bool:
        """Whether a node is what a generator goes over, which is evaluated outside of it."""
        return any(inner is generator.for_in.iter for inner, _ in self.region.around(node))

    # --- Changing ----------------------------------------------------------------------------

    def name(self, dotted: str) -> str:
        """How this function writes an outside name; its import is added to the change.

        Raises:
            Refused: the name means something else here.
        """
        text, splices = reference(self.source, self.scope, dotted, self.line)
        self._imports.extend(splices)
        return text

    def imports(self, *modules: str) -> bool:
        """Whether the file imports one of these modules, or something of them."""
        return any(
            known == module or known.startswith(f"{module}.")
            for known in self.source.imports.values()
            for module in modules
        )

    def change(
        self,
        edits: Edits | Mapping[Any, Edit],
        *,
        title: str,
        look: str = "",
        more: Iterable[Splice] = (),
    ) -> Change:
        """Make the change; it is safe if there is nothing to look at.

        Args:
            edits: by node; or what gives them, for calls as wide as they must be.
            title: what the change does, one sentence.
            look: what a reader must look at, one sentence.
            more: further splices of the file.

        Raises:
            Refused: nothing changes, or the result is no Python.
        """
        for width in _WIDTHS:
            splice = self.region.splice(edits(width) if callable(edits) else edits)
            if not callable(edits) or not self._too_wide(splice.text):
                break
        if splice.start == splice.end and not splice.text:
            raise Refused("The code is already as the cure would have it.")
        check(self.region.with_splice(splice))
        splices = tuple(sorted({splice, *self._imports, *more}))
        return Change(self.path, splices, title, safe=not look, look=look)

    def _too_wide(self, text: str) -> bool:
        return any(len(line.rstrip()) > self.source.width for line in text.splitlines())


def without_parens(node: Any) -> Any:
    """An expression without the parentheses around it."""
    return node.with_changes(lpar=(), rpar=()) if node.lpar else node
