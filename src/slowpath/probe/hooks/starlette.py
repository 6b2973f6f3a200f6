"""Starlette: middleware layers, and the making of responses."""

import functools
from typing import Any, Awaitable, Callable, Dict, Tuple

from slowpath.probe import core, wire
from slowpath.probe.core import Line, local, now
from slowpath.probe.hook import Hook

_MIDDLEWARE = wire.SPAN_KINDS["middleware"]
#: A layer's span holds all that lies within; where even that is short, no layer is to blame.
FLOOR_NS = 250_000
#: Most classes of middleware that are timed.
MAX_LAYERS = 200
_TIMED = "_slowpath_timed"


class StarletteMiddlewareHook(Hook):
    """Each layer of the app's middleware: a span around its `__call__`, patched on its class.

    The layers that Starlette and FastAPI add by themselves are left alone.
    """

    name = "starlette.middleware"
    module = "starlette.applications"
    distribution = "starlette"
    known = ((0, 36), (2,))

    def install(self, module: Any) -> None:
        self.watch_layers_of(module.Starlette)

    def watch_layers_of(self, application: type) -> None:
        """Time the layers of the apps of a class, from when their stack is built."""

        def make(original: Callable[..., Any]) -> Callable[..., Any]:
            @functools.wraps(original)
            def build_middleware_stack(app: Any) -> Any:
                if self.enabled:
                    try:
                        for middleware in app.user_middleware:
                            self.watch(middleware.cls)
                    except Exception as exc:
                        self.failed(exc)
                return original(app)

            return build_middleware_stack

        self.patch(application, "build_middleware_stack", make)

    def watch(self, layer: Any) -> None:
        """Time one class of middleware, once: also where it inherits its `__call__`."""
        if (
            isinstance(layer, type)
            and not hasattr(layer.__call__, _TIMED)
            and len(self._patches) < MAX_LAYERS
        ):
            self.patch(layer, "__call__", self.layer)

    def layer(self, original: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        """Wrap a middleware's `__call__`."""
        places: Dict[Any, Tuple[int, str]] = {}

        @functools.wraps(original)
        async def call(layer: Any, *args: Any, **kwargs: Any) -> None:
            line = local.here.line
            started = now()
            try:
                return await original(layer, *args, **kwargs)
            finally:
                ended = now()
                if ended - started >= FLOOR_NS and line is not None and self.enabled:
                    told(layer, line, started, ended)

        def told(layer: Any, line: Line, started: int, ended: int) -> None:
            try:
                function = getattr(layer, "dispatch_func", None) or original
                place = places.get(function)
                if place is None:
                    name = getattr(function, "__qualname__", type(layer).__name__)
                    if len(places) >= 200:
                        places.clear()
                    place = places[function] = (core.site_of(function), name)
                core.emit(_MIDDLEWARE, line, started, ended, *place)
            except Exception as exc:
                self.failed(exc)

        setattr(call, _TIMED, True)
        return call


def _rendered(args: Tuple[Any, ...], kwargs: Any, result: Any) -> Tuple[str, int, int]:
    response = args[0]
    return type(response).__name__, len(getattr(response, "body", b"")), -1


class StarletteResponseHook(Hook):
    """The making of a JSON response: encoding its content, in whatever class made from it.

    Other responses only take bytes, and FastAPI makes two of them for each request.
    """

    name = "starlette.responses"
    module = "starlette.responses"
    distribution = "starlette"
    known = ((0, 36), (2,))

    def install(self, module: Any) -> None:
        self.patch(module.JSONResponse, "__init__", self.timed_cpu("render", _rendered))


HOOKS = (StarletteMiddlewareHook, StarletteResponseHook)
