"""Async routes without an await that hold the loop."""

from __future__ import annotations

from collections.abc import Iterator

from slowpath.causes.async_on_nothing import CAUSE
from slowpath.causes.base import Finding
from slowpath.causes.reading import at
from slowpath.program.graph import LIKELY, POSSIBLE, Graph
from slowpath.program.model import LOOPS, Function


def scan(graph: Graph) -> Iterator[Finding]:
    """Yield routes that a framework would run in a thread if they were plain functions.

    A route that awaits nothing and does next to nothing is fine: a thread would cost more. Where
    a call is known to block or compute, that call is the finding, and this one only possible.
    """
    for function, kind in graph.entry_functions():
        if kind not in ("route", "dependency") or not function.is_async:
            continue
        if function.awaits or function.owner is not None or function.is_generator:
            continue
        known = [
            each.primitive.name
            for each in graph.blocking(function)
            if each.primitive.weight == "heavy" and each.confidence > POSSIBLE
        ]
        if known:
            what, confidence = f"calls {known[0]}", POSSIBLE
        elif _depth(function) >= 2:
            what, confidence = "computes in nested loops", LIKELY
        else:
            continue
        yield at(
            graph, CAUSE, function, function.line,
            f"{function.label} awaits nothing and {what}; as a plain def it would run in a thread",
            culprit=function.label,
            confidence=confidence,
        )  # fmt: skip


def _depth(function: Function) -> int:
    """How deep loops nest in the function's own body."""
    body = function.body
    return max(
        sum(body.blocks[each].kind in LOOPS for each in body.ancestors(number))
        for number in range(len(body.blocks))
    )
