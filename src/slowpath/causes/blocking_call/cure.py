"""The async twin where it is called the same way, a plain route, or a thread."""

from __future__ import annotations

import ast
import re

import libcst as cst

from slowpath.codemod import Change, Place, Refused, Site, Spot
from slowpath.codemod.calls import in_thread, renamed
from slowpath.codemod.loopbound import require_portable, what_is_shared
from slowpath.codemod.plain import plain_route
from slowpath.codemod.whole import block_in_thread, opened_by

# They take what their twins take.
_TWINS = {"time.sleep": "asyncio.sleep"}
_ANYIO_TWINS = {"time.sleep": "anyio.sleep"}
# What these give does its work later, where it is gone through or read.
_LATER = re.compile(
    r"(^|\.)(open|urlopen|walk|scandir|iterdir|glob|rglob|iglob|fwalk|iter_content|iter_lines|"
    r"stream|popen|NamedTemporaryFile|TemporaryFile|SpooledTemporaryFile)$"
)
_BOUND = {
    "sqlite3": "A SQLite connection belongs to the thread that made it",
    "threading": "A lock belongs to the thread that took it",
    "_thread": "A lock belongs to the thread that took it",
}
# `scan` says so in its message.
_TWIN_AT_HAND = re.compile(r"; its async twin is (\w+)$")


def cure(site: Site) -> Change:
    """Let the loop go on while the call waits."""
    spot, name, below = site.on_loop()
    if not below:
        calls = spot.calls(name, site.end_line)
        for twins, module in ((_TWINS, "asyncio"), (_ANYIO_TWINS, "anyio")):
            # A run names what was called by what it saw of it, such as `sleep`.
            twin = twins.get(spot.dotted(calls[0].func))
            if twin and (spot.imports(module) or (module == "asyncio" and not _is_anyio(spot))):
                return _by_twin(site, spot, calls, twin)
        block = opened_by(spot, calls[0])
        if block is not None and not _is_anyio(spot):
            return block_in_thread(spot, block, _short(spot.region.code(calls[0].func).strip()))
        _require_whole(site, spot, calls[0])
        if match := _TWIN_AT_HAND.search(site.message):
            return _by_own_twin(spot, calls, match[1])
        try:
            return plain_route(site, spot)
        except Refused:
            return _by_thread(spot, calls, "")
    # The next call of it in the same function would block just the same.
    calls = spot.like(spot.calls(name))
    require_portable(site.project, below)
    _require_own_resource(site, below)
    return _by_thread(spot, calls, below[0].function)


def _is_anyio(spot: Spot) -> bool:
    return spot.imports("anyio", "trio") and not spot.imports("asyncio")


def _by_twin(site: Site, spot: Spot, calls: list[cst.Call], twin: str) -> Change:
    edits = {call: renamed(spot, call, spot.name(twin)) for call in calls}
    shared = what_is_shared(spot.source, spot.scope, site.culprit, gives_way=True)
    held = _inside_with(spot, calls[0])
    look = ""
    if held:
        look = "A `with` block is open meanwhile: see that it may be while others run."
    elif shared:
        look = f"Others run meanwhile: see that {shared} bears that."
    return spot.change(edits, title=f"Await {twin}, so that others run meanwhile.", look=look)


def _by_own_twin(spot: Spot, calls: list[cst.Call], twin: str) -> Change:
    edits = {}
    for call in calls:
        if not isinstance(call.func, cst.Attribute):
            raise Refused(f"The call is no method, so {twin} is not at hand there.")
        owner = spot.region.code(call.func.value)
        edits[call] = renamed(spot, call, f"{owner}.{twin}")
    return spot.change(
        edits,
        title=f"Await {twin}, the async twin of the method.",
        look=f"See that {twin} takes the same arguments and gives the same.",
    )


def _by_thread(spot: Spot, calls: list[cst.Call], what: str) -> Change:
    name = what or spot.region.code(calls[0].func).strip()
    return spot.change(
        in_thread(spot, calls),
        title=f"Hand {_short(name)} to a thread.",
        look=f"{_short(name)} runs beside other code now: what it works on must bear that.",
    )


def _short(name: str) -> str:
    words = " ".join(name.split())
    return words if len(words) <= 60 else f"…{words[-59:]}"


def _require_whole(site: Site, spot: Spot, call: cst.Call) -> None:
    """See that the call does its work at once, on what any thread may touch."""
    bound = _BOUND.get(site.culprit.partition(".")[0])
    if bound:
        raise Refused(f"{bound}: the call alone cannot go into another one.")
    written = spot.dotted(call.func)
    if _LATER.search(site.culprit) or _LATER.search(written):
        raise Refused(
            f"{written or site.culprit} only begins the work; move all that is done with what it "
            "gives into a function for a thread."
        )


def _require_own_resource(site: Site, below: tuple[Place, ...]) -> None:
    """See that what belongs to one thread is made by the functions that go into it."""
    bound = _BOUND.get(site.culprit.partition(".")[0])
    if bound is None:
        return
    for place in below:
        node = site.project.source(place.path).scope(place.line, place.function).node
        for each in ast.walk(node) if node is not None else ():
            if isinstance(each, ast.Call) and ast.unparse(each.func).endswith((".connect", "Lock")):
                return
    raise Refused(f"{bound}, and it is made outside of {below[0].function}.")


def _inside_with(spot: Spot, call: cst.Call) -> bool:
    return any(isinstance(parent, cst.With) for _, parent in spot.region.around(call))
