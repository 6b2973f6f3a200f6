"""One function of a file as a concrete syntax tree, and its text after some nodes were changed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import fields
from functools import cache, cached_property
from typing import Any

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

from slowpath.codemod.change import Refused, Splice
from slowpath.codemod.source import Source

#: From a node, with its children as they are after their own changes, to what comes instead.
Edit = Callable[[Any], Any]
# What an indented function is given to stand in, so that it parses alone.
_HEADER = "if 1:\n"


class Region:
    """The outermost function around a line, or the statement at the top of the module.

    Only that is parsed: a file of 9,000 lines takes LibCST seconds.

    Raises:
        Refused: nothing is there that LibCST can read.
    """

    def __init__(self, source: Source, line: int) -> None:
        self.source = source
        self.first, self.last = source.region(line)
        own = "".join(source.lines[self.first - 1 : self.last])
        self._header = _HEADER if own[:1] in (" ", "\t") else ""
        self._shift = self.first - 1 - bool(self._header)
        try:
            parsed = cst.parse_module(self._header + own)
        except Exception as exc:  # LibCST raises errors of several kinds
            raise Refused(f"{source.path} has a statement that LibCST cannot read.") from exc
        self._wrapper = MetadataWrapper(parsed, unsafe_skip_copy=True)
        self.module = self._wrapper.module

    @classmethod
    def of(cls, source: Source, line: int) -> Region:
        """The region of a line; of a file's findings several lie in one.

        Raises:
            Refused: nothing is there that LibCST can read.
        """
        first, _ = source.region(line)
        found = source.regions.get(first)
        if not isinstance(found, Region):
            found = source.regions[first] = cls(source, line)
        return found

    @cached_property
    def _positions(self) -> Mapping[cst.CSTNode, Any]:
        return self._wrapper.resolve(PositionProvider)

    @cached_property
    def _parents(self) -> dict[cst.CSTNode, cst.CSTNode]:
        parents: dict[cst.CSTNode, cst.CSTNode] = {}
        left: list[cst.CSTNode] = [self.module]
        while left:
            node = left.pop()
            inner = _children(node)
            parents.update(dict.fromkeys(inner, node))
            left += inner
        return parents

    def lines(self, node: cst.CSTNode) -> tuple[int, int]:
        """First and last line of a node in the file."""
        where = self._positions[node]
        return where.start.line + self._shift, where.end.line + self._shift

    def start(self, node: cst.CSTNode) -> tuple[int, int]:
        """Line and column, to put nodes in order."""
        where = self._positions[node].start
        return where.line, where.column

    def parent(self, node: cst.CSTNode) -> cst.CSTNode | None:
        return self._parents.get(node)

    def around(self, node: cst.CSTNode) -> Iterator[tuple[cst.CSTNode, cst.CSTNode]]:
        """Yield (node, parent) from a node outwards."""
        while (parent := self._parents.get(node)) is not None:
            yield node, parent
            node = parent

    @cached_property
    def nodes(self) -> list[cst.CSTNode]:
        """Every node, outer ones before those within."""
        return [self.module, *self._parents]

    def code(self, node: cst.CSTNode) -> str:
        return self.module.code_for_node(node)

    def changed(self, edits: Mapping[Any, Edit]) -> str:
        """The region's text with some of its nodes changed."""
        ways = {parent for node in edits for _, parent in self.around(node)}
        after = self.module.visit(_Changing(edits, ways))
        assert isinstance(after, cst.Module)
        return after.code.removeprefix(self._header)

    def splice(self, edits: Mapping[Any, Edit]) -> Splice:
        """The same as a splice of the file, as short as whole lines can be."""
        start, end = self.source.offsets[self.first - 1], self.source.offsets[self.last]
        before, after = self.source.text[start:end], self.changed(edits)
        old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
        head = _same(old, new)
        tail = _same(old[head:][::-1], new[head:][::-1])
        size = sum(map(len, old[:head]))
        kept = sum(map(len, old[len(old) - tail :]))
        text = "".join(new[head : len(new) - tail])
        return Splice(start + size, end - kept, 1, text)

    def with_splice(self, splice: Splice) -> str:
        """The region with a splice of the file that lies in it, as text that parses alone."""
        start, end = self.source.offsets[self.first - 1], self.source.offsets[self.last]
        text = self.source.text
        return self._header + text[start : splice.start] + splice.text + text[splice.end : end]


class _Changing(cst.CSTTransformer):
    """Visits only what leads to a node that is changed."""

    def __init__(self, edits: Mapping[Any, Edit], ways: Collection[cst.CSTNode]) -> None:
        super().__init__()
        self._edits = edits
        self._ways = ways

    def on_visit(self, node: cst.CSTNode) -> bool:
        return node in self._ways

    def on_leave(self, original_node: Any, updated_node: Any) -> Any:
        edit = self._edits.get(original_node)
        return updated_node if edit is None else edit(updated_node)


@cache
def _fields(kind: type[cst.CSTNode]) -> tuple[str, ...]:
    """Names of what a kind of node holds, but for the space between."""
    return tuple(
        each.name
        for each in fields(kind)
        if not each.name.startswith(("whitespace", "lpar", "rpar", "_"))
    )


def _children(node: cst.CSTNode) -> list[cst.CSTNode]:
    """The nodes within; LibCST's own way copies each of them on the way."""
    found: list[cst.CSTNode] = []
    for name in _fields(type(node)):
        value = getattr(node, name)
        if isinstance(value, cst.CSTNode):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += [each for each in value if isinstance(each, cst.CSTNode)]
    return found


def _same(one: list[str], other: list[str]) -> int:
    """How many items two lists have in common at their start."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count
