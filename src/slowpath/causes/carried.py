"""What one turn of a loop hands to the next."""

from __future__ import annotations

import re

from slowpath.program.model import Body, Stmt

_ROOT = re.compile(r"[A-Za-z_]\w*")


def carried_over(body: Body, index: int, loop: int) -> bool:
    """Whether each turn needs what the call gave in the one before: `node = await get(node, key)`.

    What it gave may go through other names, and what the call is given as well.
    """
    position = body.stmt_of(index)
    if position >= len(body.stmts):
        return False
    stmt = body.stmts[position]
    inside = [
        each
        for each in body.stmts[body.blocks[loop].stmt + 1 :]
        if each.kind in "ag" and loop in body.ancestors(each.block)
    ]
    given = _plain(stmt.writes)
    for each in inside:
        if not given.isdisjoint(_roots(each)):
            given |= _plain(each.writes)
    # What a turn adds to, the call does not need.
    needed = _roots(stmt) - (_plain(stmt.writes) if stmt.kind == "g" else set())
    fresh: set[str] = set()
    for each in reversed([each for each in inside if each.line < stmt.line]):
        if not needed.isdisjoint(each.writes):
            needed |= _roots(each)
            fresh |= _plain(each.writes)
    return not (given & needed).isdisjoint(set(body.bindings) - fresh)


def of_its_own(body: Body, index: int, loop: int) -> bool:
    """Whether the item itself gives what is asked: `async with shard.session() as session`."""
    items = {each.rpartition("]")[2] for each in body.stmts[body.blocks[loop].stmt].writes}
    for number in body.ancestors(body.calls[index].block):
        block = body.blocks[number]
        if number == loop:
            return False
        value = body.stmts[block.stmt].value if block.kind in ("with", "awith") else None
        if isinstance(value, int) and str(body.calls[value].func).partition(".")[0] in items:
            return True
    return False


def _roots(stmt: Stmt) -> set[str]:
    """Names that a statement reads, or reads something of."""
    return {word for read in stmt.reads for word in _ROOT.findall(read)[:1]}


def _plain(names: tuple[str, ...]) -> set[str]:
    """Names that a statement binds, attributes and elements apart."""
    return {each for each in names if each.isidentifier()}
