"""Calls that nobody wrote as one: reading a property, entering a context manager.

They are added to a body's calls, behind those that are written, so that a way can lead through
them like through any other. They bear `DEFERRED`: whoever goes through the written calls passes
them by.
"""

from __future__ import annotations

from collections.abc import Iterator

from slowpath.program import extract
from slowpath.program.extract import Ref
from slowpath.program.model import Call, Function
from slowpath.program.resolve import Program
from slowpath.program.values import Value

_IMPLIED = extract.DEFERRED


def implied(program: Program, function: Function) -> Iterator[tuple[int, Value]]:
    """Yield (number of the added call, what it calls) for a function's body."""
    known = function.memo.get("implied")
    if known is None:
        known = function.memo["implied"] = [
            (_add(function, ref, line, block), value)
            for ref, line, block, value in (*_read(program, function), *_entered(program, function))
        ]
    yield from known


Found = tuple[Ref, int, int, Value]


def _add(function: Function, ref: Ref, line: int, block: int) -> int:
    calls = function.body.calls
    calls.append(Call(ref, line, line, _IMPLIED, block, (), ()))
    return len(calls) - 1


def _read(program: Program, function: Function) -> Iterator[Found]:
    """Properties of the project's own classes that the body reads."""
    names = program.working_properties()
    if not names:
        return
    body = function.body
    lambdas = {each.stmt for each in body.blocks if each.kind == "lambda"}
    told: set[tuple[str, int]] = set()
    for position, stmt in enumerate(body.stmts):
        if position in lambdas:
            continue  # perhaps the lambda reads it, somewhere else
        for read in stmt.reads:
            if "." not in read:
                continue
            parts = read.split(".")
            for number in range(1, len(parts)):
                if parts[number] not in names:
                    continue
                chain = ".".join(parts[: number + 1])
                if (chain, stmt.line) in told:
                    continue
                told.add((chain, stmt.line))
                owner = program.value(function, ".".join(parts[:number]))
                for getter in _getters(program, owner, parts[number]):
                    yield chain, stmt.line, stmt.block, getter


def _getters(program: Program, owner: Value | None, name: str) -> Iterator[Value]:
    if owner is None:
        return
    for each in owner[1] if owner[0] == "alt" else (owner,):
        if each is not None and each[0] == "inst":
            getter = program.getter(each[1], name)
            if getter is not None:
                yield ("meth", getter, each[1])


def _entered(program: Program, function: Function) -> Iterator[Found]:
    """`with x:` runs `x.__enter__`, and `x.__exit__` in the end."""
    body = function.body
    for block in body.blocks:
        if block.kind != "with" or block.stmt >= len(body.stmts):
            continue
        stmt = body.stmts[block.stmt]
        value = program.value(function, stmt.value) if stmt.kind == "w" else None
        if value is None:
            continue
        for each in value[1] if value[0] == "alt" else (value,):
            if each is None:
                continue
            if each[0] == "inst":
                for name in ("__enter__", "__exit__"):
                    method = program.class_attr(each[1], name)
                    if method is not None and method[0] == "meth":
                        yield stmt.value, stmt.line, block.parent, method
            elif each[0] == "ext":
                entering = f"{each[1]}.__enter__"
                if program.knowledge.primitive(entering, exact=True) is not None:
                    yield stmt.value, stmt.line, block.parent, ("ext", entering)
