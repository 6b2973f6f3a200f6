"""What the hooks of HTTP clients share: how a call is named and compared without being kept."""

import functools
import os
import zlib
from typing import Any, Callable, Optional, Set, Tuple

from slowpath.probe.core import local
from slowpath.probe.routes import template

#: So much of a body goes into its hash.
HASHED_BYTES = 65_536
#: Equal in all workers of one run, different in the next: hashes cannot be compared across runs.
_SALT = zlib.crc32(os.environ.get("SLOWPATH_DIR", "").encode())
_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def origin(scheme: str, host: str, port: Optional[int]) -> str:
    """Return host and port; the port only where it is not the scheme's own."""
    if ":" in host:
        host = f"[{host}]"
    if port is None or _DEFAULT_PORTS.get(scheme) == port:
        return host
    return f"{host}:{port}"


@functools.lru_cache(maxsize=1024)
def resource(method: str, place: str, path: str) -> str:
    """Return the text of an `http` span: `METHOD host/path template`; no query, no user."""
    return f"{method} {place}{template(path)}"


def answer(method: str, url: str, body: Optional[bytes]) -> Tuple[int, int]:
    """Return `a` and `b` of an `http` span: hash of call and body, and bytes of the body.

    Equal calls with equal answers have equal hashes, so repeated ones can be told without
    keeping either. Both are -1 if the body was not read.
    """
    if body is None:
        return -1, -1
    asked = zlib.crc32(f"{method} {url}".encode("utf-8", "replace"), _SALT)
    got = zlib.crc32(memoryview(body)[:HASHED_BYTES])
    number = asked << 32 | got
    return number - (1 << 64) if number >> 63 else number, len(body)


_calling: Set[int] = set()


def outermost(timed: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Let `timed` wrap a synchronous call only where no other such call is under way.

    One client sends through another, and redirects and retries are calls within a call.
    """

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        first = timed(original)

        @functools.wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            line = local.here.line
            if line is None or line.id in _calling:
                return original(*args, **kwargs)
            _calling.add(line.id)
            try:
                return first(*args, **kwargs)
            finally:
                _calling.discard(line.id)

        return call

    return make
