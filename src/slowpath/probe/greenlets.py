"""The app's line behind work that SQLAlchemy's asyncio runs in a greenlet.

Each call of its asyncio API runs its whole synchronous side in a greenlet of its own, ten and
more frames deep, while the app's frame stands still outside. So the walk is shortened: from the
greenlet's border outwards, once for each greenlet. That misses the app's code inside of the
greenlet (`run_sync`, event listeners), so a full walk decides, for each place and token, whether
the short one may be trusted.
"""

import sys
from types import FrameType
from typing import Any, Callable, Hashable, Optional, Set, Tuple

from slowpath.probe import core
from slowpath.probe.sites import BORDER, _own

#: Most (site, token) pairs that are remembered.
MAX_TRUSTED = 10_000

_trusted: Set[Tuple[int, Hashable]] = set()
_getcurrent: Optional[Callable[[], Any]] = None


def site_from(frame: Optional[FrameType], token: Hashable) -> int:
    """Return the site of the app's own innermost line, from `frame` outwards; 0 if none.

    Args:
        frame: of the hook's caller.
        token: what tells apart the calls that one line of the app leads to, such as the SQL.
    """
    if _getcurrent is None and not _find():
        return core.own_site(frame)
    current = _getcurrent()  # type: ignore[misc]
    site: Optional[int] = getattr(current, "_slowpath_site", None)
    if site is None:
        parent = current.parent
        if parent is None or type(current).__name__ != "_AsyncIoGreenlet":
            return core.own_site(frame)
        # Nothing outside moves before the greenlet ends, so this holds for all of its life.
        site = current._slowpath_site = _outside(parent.gr_frame)
    key = (site, token)
    if key in _trusted:
        return site
    full = core.own_site(frame)
    if full == site and len(_trusted) < MAX_TRUSTED:
        _trusted.add(key)
    return full


def _outside(outer: Optional[FrameType]) -> int:
    """Return `own_site(outer)`, for the few frames between a greenlet and the app's."""
    frame = outer
    while frame is not None:
        code = frame.f_code
        path = code.co_filename
        known = _own.get(path)
        if known:
            return core.names.instruction(code, frame.f_lasti)
        if known is None:
            break
        if path == BORDER:
            return 0
        frame = frame.f_back
    return core.own_site(outer)


def _find() -> bool:
    """Look whether greenlets are in use by now."""
    global _getcurrent
    _getcurrent = getattr(sys.modules.get("greenlet"), "getcurrent", None)
    return _getcurrent is not None
