"""httpx: every request sent, and clients made while a request is served."""

from typing import Any, Dict, Tuple

from slowpath.probe import http
from slowpath.probe.hook import Describe, Hook


class HttpxHook(Hook):
    """`send` of both clients, which every way of asking leads to, and their making.

    A streamed response is timed until its headers have come.
    """

    name = "httpx"
    module = "httpx"
    distribution = "httpx"
    known = ((0, 24), (0, 29))

    def install(self, module: Any) -> None:
        self._not_read = module.ResponseNotRead
        self.patch(module.AsyncClient, "send", self.timed_async("http", self.sent))
        self.patch(module.Client, "send", self.timed("http", self.sent))
        for client in (module.AsyncClient, module.Client):
            self.patch(client, "__init__", self.timed("connect", making(client)))

    def sent(
        self, args: Tuple[Any, ...], kwargs: Dict[str, Any], response: Any
    ) -> Tuple[str, int, int]:
        """Describe a call of `send`."""
        request = args[1] if len(args) > 1 else kwargs.get("request")
        url = getattr(request, "url", None)
        if request is None or url is None:  # what httpx refuses, too
            return "", -1, -1
        body = None
        if response is not None:
            try:
                body = response.content
            except self._not_read:  # streamed
                pass
        place = http.origin(url.scheme, url.host, url.port)
        return (
            http.resource(request.method, place, url.path),
            *http.answer(request.method, str(url), body),
        )


def making(client: type) -> Describe:
    """Return what describes the making of such a client."""
    made = f"httpx.{client.__name__}", -1, -1
    return lambda args, kwargs, result: made


HOOKS = (HttpxHook,)
