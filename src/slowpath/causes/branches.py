"""Branches that a call stands in and that are not taken, by what is passed on, or by the system."""

from __future__ import annotations

import re
from itertools import pairwise

from slowpath.program.extract import Ref
from slowpath.program.model import Body, Call, Function

Hops = tuple[tuple[Function, int], ...]

_NO = (("c", False), ("c", None))
_YES, _NONE, _THERE, _FILE = ("c", True), ("c", None), ("there",), ("there", "file")
_OTHER_SYSTEM = re.compile(r"(^|[/_])(win32|windows|win)(_\w+)?\.py$")
_FILES = frozenset({"io.BytesIO", "io.StringIO", "BytesIO", "StringIO"})


def switched_off(hops: Hops) -> bool:
    """A call under `if flag:` where a caller says no, or leaves the flag at a default of no.

    Or under its `else` where a caller says yes. A flag that is passed on is followed.
    """
    said: dict[str, Ref] = {}
    for (caller, at), (callee, index) in pairwise(hops):
        said = passed(caller, at, callee, said)
        if left_out(callee, index, said):
            return True
    return False


def left_out(function: Function, index: int, said: dict[str, Ref]) -> bool:
    """Whether a call stands in a branch that is not taken, by what parameters are known to be."""
    body = function.body
    for each in body.ancestors(body.calls[index].block):
        branch = body.blocks[each].kind
        test = test_of(body, each) if branch in ("if", "else") else None
        if isinstance(test, int) and not isinstance(test, bool):
            asked = _of_a_file(body.calls[test], said)
            if asked is not None and asked is not (branch == "if"):
                return True
            continue
        kind, name = test if test.__class__ is tuple and len(test) == 2 else ("", test)
        if name.__class__ is not str or name not in said or _bound_before(body, name, index):
            continue
        value = said[name]
        if kind in ("none", "some"):
            given = value != _NONE
            wanted = (kind == "some") is (branch == "if")
            if given is not wanted:
                return True
        elif not kind and (
            (branch == "if" and value in _NO) or (branch == "else" and value == _YES)
        ):
            return True
    return False


def _of_a_file(test: Call, said: dict[str, Ref]) -> bool | None:
    """What `isinstance(x, IOBase)` or `hasattr(x, "read")` gives of a file that is passed as x.

    None if it is something else, or of something else.
    """
    if len(test.args) != 2 or said.get(str(test.args[0])) != _FILE:
        return None
    wanted = test.args[1]
    if test.func == "hasattr":
        return wanted in (("s", "read"), ("s", "seek"), ("s", "write"))
    if test.func != "isinstance" or wanted is None:
        return None
    return "IO" in repr(wanted)


def _bound_before(body: Body, name: str, index: int) -> bool:
    """Whether a parameter is given another value before a call is made."""
    return any(stmt.line < body.calls[index].line for stmt, _ in body.bindings.get(name, ()))


def passed(caller: Function, index: int, callee: Function, said: dict[str, Ref]) -> dict[str, Ref]:
    """The constants that a call gives to parameters, its own caller's among them.

    Of some of the rest it is known to be there, if not what it is.
    """
    body = caller.body
    call = body.calls[index]
    if call.starred:
        return {}
    found: dict[str, Ref] = {}
    # A method's first argument is not written in the call.
    bound = callee.owner is not None
    for position, (name, _, default) in enumerate(callee.params):
        given = position - bound
        if call.has_keyword(name):
            ref = call.keyword(name)
        elif 0 <= given < len(call.args):
            ref = call.args[given]
        else:
            # Its names and calls are those of where the function is defined.
            ref = default if default.__class__ is tuple and default[0] == "c" else None
        if ref.__class__ is str and ref in said:
            ref = said[str(ref)]
        elif isinstance(ref, int) and body.calls[ref].func in _FILES:
            ref = _FILE
        elif _is_there(body, ref):
            ref = _THERE
        if ref.__class__ is tuple and ref[0] in ("c", "there"):
            found[name] = ref
    return found


def _is_there(body: Body, ref: Ref) -> bool:
    """Whether something is surely not None: a display, an item of a loop, `rows.get(key, [])`."""
    if ref.__class__ is tuple:
        return ref[0] in ("t", "d", "s", "L")
    if isinstance(ref, int) and not isinstance(ref, bool):
        call = body.calls[ref]
        return call.name == "get" and len(call.args) == 2 and call.args[1] != _NONE
    bound = body.bindings.get(str(ref), []) if ref.__class__ is str else []
    return bool(bound) and all(stmt.kind == "f" for stmt, _ in bound)


def test_of(body: Body, block: int) -> Ref:
    """What the `if` tests that a block is one branch of; None for another kind of block."""
    here = body.blocks[block]
    if here.kind == "if" and here.stmt:
        return body.stmts[here.stmt - 1].value
    if here.kind == "else":
        for number in reversed(range(block)):
            each = body.blocks[number]
            if each.kind == "if" and each.line == here.line and each.parent == here.parent:
                return test_of(body, number)
    return None


def not_yet(function: Function, index: int) -> bool:
    """Whether a call is made when ASGI says that the app starts or ends: nobody is served."""
    body = function.body
    return any(
        body.blocks[each].kind == "if" and test_of(body, each) == ("lifespan",)
        for each in body.ancestors(body.calls[index].block)
    )


def elsewhere(function: Function, index: int) -> bool:
    """Whether a call is only made on another kind of system: `if sys.platform == "win32"`.

    Tests of that kind are read as if on Linux, where servers run.
    """
    body = function.body
    if _OTHER_SYSTEM.search(function.path):
        return True
    if not function.mentions("sys.platform", "os.name"):
        return False
    around = body.ancestors(body.calls[index].block)
    for each in around:
        wrong = {"if": ("c", False), "else": _YES}.get(body.blocks[each].kind)
        if wrong is not None and test_of(body, each) == wrong:
            return True
    # `if sys.platform != "win32": return` above it.
    position = body.stmt_of(index)
    return any(
        block.kind == "if"
        and block.parent in around
        and number not in around
        and test_of(body, number) == _YES
        and any(s.kind in "rx" and s.block == number for s in body.stmts[block.stmt : position])
        for number, block in enumerate(body.blocks)
    )
