"""requests: every call with its redirects, and sessions made while a request is served."""

from typing import Any, Dict, Tuple
from urllib.parse import urlsplit

from slowpath.probe import http
from slowpath.probe.hook import Hook


class RequestsHook(Hook):
    """`Session.send`, which every way of asking leads to, and the making of sessions.

    `requests.get` and its like make one each time. Connections are urllib3's.
    """

    name = "requests"
    module = "requests"
    distribution = "requests"
    known = ((2, 28), (3,))

    def install(self, module: Any) -> None:
        self.patch(module.Session, "send", http.outermost(self.timed("http", sent)))
        self.patch(module.Session, "__init__", self.timed("connect", made))


def made(args: Tuple[Any, ...], kwargs: Dict[str, Any], result: Any) -> Tuple[str, int, int]:
    """Describe the making of a session."""
    return "requests.Session", -1, -1


def sent(args: Tuple[Any, ...], kwargs: Dict[str, Any], response: Any) -> Tuple[str, int, int]:
    """Describe a call of `send`."""
    request = args[1] if len(args) > 1 else kwargs.get("request")
    url = getattr(request, "url", None)
    if not isinstance(url, str):  # not prepared, which requests refuses, too
        return "", -1, -1
    parts = urlsplit(url)
    method = str(getattr(request, "method", ""))
    body = getattr(response, "_content", None)  # False until it is read
    place = http.origin(parts.scheme, parts.hostname or "", parts.port)
    return (
        http.resource(method, place, parts.path or "/"),
        *http.answer(method, url, body if isinstance(body, bytes) else None),
    )


HOOKS = (RequestsHook,)
