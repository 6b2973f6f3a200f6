"""Places in code: interning them, and finding the app's own line on a stack.

The app's own code is what lies neither in the standard library nor among installed packages;
a package that holds the app's endpoints (`adopt`) counts as the app's own too, so that an
application installed from an index is seen as its authors see it.
"""

import functools
import os
import re
import sys
import sysconfig
from itertools import count
from types import CodeType, FrameType
from typing import Any, Dict, List, Optional, Set, Tuple

from slowpath.probe import wire

#: Most names of each table that are kept; past it a name becomes 0 ("none") and is counted.
MAX_NAMES = 50_000
#: Most frames of a sampled stack.
MAX_STACK = 60
#: Most frames that are walked outwards in search of the app's own line.
MAX_WALK = 120
#: Installed packages that carry an app's endpoints but are never the app itself.
PLUMBING = frozenset(
    """
    aiohttp aiosqlite anyio asgiref asyncpg coverage daphne databases ddtrace fastapi fastapi_cli
    granian greenlet gunicorn h11 httpcore httptools httpx hypercorn litestar newrelic
    opentelemetry orjson prometheus_client psycopg psycopg2 psycopg_pool pydantic pydantic_core
    pytest quart redis requests sanic sentry_sdk sqlalchemy sqlmodel starlette strawberry tortoise
    trio typing_extensions urllib3 uvicorn uvloop websockets
    """.split()
)

_PROBE = os.path.dirname(os.path.abspath(__file__))
_INSTALLED = ("site-packages" + os.sep, "dist-packages" + os.sep)
#: The standard library, and the launchers of installed commands.
_NOT_OWN, _SCRIPTS = (
    tuple(
        spelling + os.sep
        for path in map(sysconfig.get_path, names)
        if path
        for spelling in {path, os.path.realpath(path)}
    )
    for names in (("stdlib", "platstdlib", "scripts"), ("scripts",))
)
#: What the launcher of an installed command imports is the package that the command is of.
_LAUNCHES = re.compile(r"^\s*from ([\w.]+) import ", re.MULTILINE)


class Names:
    """Interned sites, texts and stacks, and those not yet written.

    Sites are keyed by code object and instruction, which a frame gives without computing its
    line; the line is computed once for each. The key has the object's identity, since its hash
    reads all of its bytecode; the value keeps it alive, so the identity stays its own.
    """

    def __init__(self) -> None:
        self.pending: List[Tuple[str, int, Any]] = []
        self.refused = 0
        self._sites: Dict[Tuple[int, int], Tuple[int, CodeType]] = {}
        self._places: Dict[Tuple[str, int, str], int] = {}
        self._texts: Dict[str, int] = {}
        self._stacks: Dict[Tuple[int, ...], int] = {}
        self._next = count(1).__next__

    def everything(self) -> List[Tuple[str, int, Any]]:
        """Return all names, for a new file (after a fork)."""
        rows: List[Tuple[str, int, Any]] = [(wire.SITE, i, p) for p, i in self._places.items()]
        rows += [(wire.TEXT, i, t) for t, i in self._texts.items()]
        rows += [(wire.STACK, i, s) for s, i in self._stacks.items()]
        return rows

    def text(self, text: str) -> int:
        """Return the id of `text`; 0 for an empty one or when the table is full."""
        found = self._texts.get(text)
        if found is not None:
            return found
        if not text:
            return 0
        return self._add(wire.TEXT, self._texts, text[:2000] if len(text) > 2000 else text)

    def stack(self, sites: Tuple[int, ...]) -> int:
        """Return the id of a stack, given its site ids, innermost first."""
        return self._stacks.get(sites) or self._add(wire.STACK, self._stacks, sites)

    def instruction(self, code: CodeType, lasti: int, line: Optional[int] = None) -> int:
        """Return the id of the site at one instruction of `code`."""
        key = (id(code), lasti)
        found = self._sites.get(key)
        if found is not None:
            return found[0]
        if line is None:
            line = line_of(code, lasti)
        site = self.place(code.co_filename, line, getattr(code, "co_qualname", code.co_name))
        if len(self._sites) < MAX_NAMES:
            self._sites[key] = (site, code)
        return site

    def place(self, path: str, line: int, function: str) -> int:
        """Return the id of the site at `path:line` in `function`."""
        key = (path, line, function)
        return self._places.get(key) or self._add(wire.SITE, self._places, key)

    def _add(self, table: str, known: Dict[Any, int], key: Any) -> int:
        if len(known) >= MAX_NAMES:
            self.refused += 1
            return 0
        # setdefault: two threads may meet the same new name at once, and different ones too.
        number = known.setdefault(key, self._next())
        self.pending.append((table, number, key))
        return number


def line_of(code: CodeType, lasti: int) -> int:
    """Return the line of one instruction; the function's first line where it has none."""
    for start, end, line in code.co_lines():
        if start <= lasti < end and line is not None:
            return line
    return code.co_firstlineno


#: Where a walk ends: below the stepping of a task nothing belongs to what it runs.
BORDER = os.path.join(_PROBE, "loop.py")
_own: Dict[str, bool] = {}
_adopted: Set[str] = set()


def is_own(path: str) -> bool:
    """Tell whether a source file is the app's own."""
    known = _own.get(path)
    if known is None:
        known = _judge(path)
        if len(_own) < MAX_NAMES:
            _own[path] = known
    return known


def _judge(path: str) -> bool:
    if path.startswith(("<", _PROBE)):
        return False
    package = installed_package(path)
    if package:
        return package in _adopted
    return not path.startswith(_NOT_OWN)


def installed_package(path: str) -> str:
    """Return the top-level package of a file among the installed ones; empty for others."""
    for mark in _INSTALLED:
        _, found, rest = path.rpartition(mark)
        if found:
            return rest.split(os.sep, 1)[0]
    return ""


def adopt(path: str) -> None:
    """Count the installed package that `path` belongs to as the app's own."""
    package = installed_package(path)
    if package and package not in _adopted and package not in PLUMBING and len(_adopted) < 20:
        _adopted.add(package)
        _own.clear()


def adopt_main() -> None:
    """Adopt the package that `python -m package`, or an installed command, runs."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.origin:
        adopt(spec.origin)
    path = os.path.abspath(getattr(main, "__file__", None) or "")
    if path.startswith(_SCRIPTS):
        with open(path, encoding="utf-8", errors="replace") as launcher:
            for name in _LAUNCHES.findall(launcher.read(4096)):
                adopt(getattr(sys.modules.get(name), "__file__", None) or "")


def own_frame(frame: Optional[FrameType]) -> Optional[FrameType]:
    """Return the innermost frame of the app's own code, walking outwards from `frame`.

    Where the stack ends at the border of a greenlet (SQLAlchemy's asyncio), the walk goes on
    in the greenlet that switched to it.
    """
    own = _own
    parent: Any = None
    for _ in range(MAX_WALK):
        while frame is None:
            parent = _outer_greenlet(parent)
            if parent is None:
                return None
            frame = parent.gr_frame
        path = frame.f_code.co_filename
        known = own.get(path)
        if known or (known is None and is_own(path)):
            return frame
        if path == BORDER:
            return None
        frame = frame.f_back
    return None


def frames(frame: Optional[FrameType]) -> List[FrameType]:
    """Return the stack of a running line, innermost first, across greenlet borders."""
    found: List[FrameType] = []
    parent: Any = None
    while len(found) < MAX_STACK:
        if frame is None:
            parent = _outer_greenlet(parent)
            if parent is None:
                break
            frame = parent.gr_frame
            continue
        path = frame.f_code.co_filename
        if path == BORDER:
            break
        if not path.startswith(_PROBE):
            found.append(frame)
        frame = frame.f_back
    return found


def _outer_greenlet(inner: Any) -> Any:
    """Return the greenlet around `inner` (None: around the running one), if there is one."""
    module = sys.modules.get("greenlet")
    if module is None:
        return None
    current = inner if inner is not None else getattr(module, "getcurrent", lambda: None)()
    return getattr(current, "parent", None)


def awaited(coroutine: Any) -> Tuple[Optional[FrameType], Optional[FrameType]]:
    """Return the innermost frame that a suspended coroutine awaits, and the app's own innermost.

    Each is None if there is none.
    """
    own = _own
    inner = mine = None
    for _ in range(MAX_STACK):
        try:
            frame = coroutine.cr_frame
            coroutine = coroutine.cr_await
        except AttributeError:
            frame, coroutine = _generator(coroutine)
        if frame is None:
            break
        inner = frame
        path = frame.f_code.co_filename
        known = own.get(path)
        if known or (known is None and is_own(path)):
            mine = frame
        if coroutine is None:
            break
    return inner, mine


def _generator(awaitable: Any) -> Tuple[Optional[FrameType], Any]:
    """Return the frame of a generator or an asynchronous one, and what it awaits."""
    frame = getattr(awaitable, "gi_frame", None)
    if frame is not None:
        return frame, awaitable.gi_yieldfrom
    frame = getattr(awaitable, "ag_frame", None)
    return frame, awaitable.ag_await if frame is not None else None


def code_of(function: Any) -> Optional[CodeType]:
    """Return the code of a Python function, coroutine or generator; None for anything else."""
    for name in ("__code__", "cr_code", "gi_code"):
        code = getattr(function, name, None)
        if isinstance(code, CodeType):
            return code
    return None


def definition(function: Any) -> Optional[Tuple[str, int, str]]:
    """Return (path, line, qualified name) of where a callable is defined, if it has source."""
    for _ in range(20):
        if isinstance(function, functools.partial):
            function = function.func
        elif hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        elif hasattr(function, "__func__"):
            function = function.__func__
        else:
            break
    code = code_of(function)
    if code is None and not isinstance(function, type):
        function = type(function).__call__ if callable(function) else None
        code = getattr(function, "__code__", None)
    if code is None and isinstance(function, type):
        code = getattr(getattr(function, "__init__", None), "__code__", None)
    if code is None:
        return None
    return code.co_filename, code.co_firstlineno, getattr(function, "__qualname__", code.co_name)
