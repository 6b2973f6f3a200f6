"""FastAPI: dependencies, validation and serialisation.

FastAPI's own OpenTelemetry spans (0.165) open around the same calls and are not touched.
"""

import functools
from typing import Any, Callable

from slowpath.probe import core, wire
from slowpath.probe.core import FLOOR_NS, local, now
from slowpath.probe.hook import Hook
from slowpath.probe.hooks.starlette import StarletteMiddlewareHook

_DEPENDENCY = wire.SPAN_KINDS["dependency"]


class FastapiRoutingHook(Hook):
    """The solving of an endpoint's dependencies.

    `fastapi.routing` looks the function up in its own namespace at each request, so it is
    replaced there; the recursion into dependencies of dependencies is not.
    """

    name = "fastapi.routing"
    module = "fastapi.routing"
    distribution = "fastapi"
    known = ((0, 110), (1,))

    def install(self, module: Any) -> None:
        self.patch(module, "solve_dependencies", self.dependencies)
        # What is not encoded by a field is encoded by this.
        self.patch(module, "jsonable_encoder", self.timed_cpu("serialize"))

    def dependencies(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap the solving of an endpoint's dependencies, if it has any."""

        async def timed(kwargs: Any, call: Any) -> Any:
            line = local.here.line
            started = now()
            try:
                return await original(**kwargs)
            finally:
                ended = now()
                if ended - started >= FLOOR_NS and line is not None:
                    try:
                        core.emit(_DEPENDENCY, line, started, ended, core.site_of(call))
                    except Exception as exc:
                        self.failed(exc)

        @functools.wraps(original)
        def solve_dependencies(**kwargs: Any) -> Any:
            dependant = kwargs.get("dependant")
            if self.enabled and getattr(dependant, "dependencies", None):
                return timed(kwargs, getattr(dependant, "call", None))
            return original(**kwargs)

        return solve_dependencies


class FastapiMiddlewareHook(StarletteMiddlewareHook):
    """The layers of FastAPI's apps, which build their stack themselves."""

    name = "fastapi.middleware"
    module = "fastapi.applications"
    distribution = "fastapi"
    known = ((0, 110), (1,))

    def install(self, module: Any) -> None:
        if "build_middleware_stack" in vars(module.FastAPI):
            self.watch_layers_of(module.FastAPI)


class FastapiFieldHook(Hook):
    """Pydantic's work at the border: each body, parameter and response field above the floor."""

    name = "fastapi.fields"
    module = "fastapi._compat"
    distribution = "fastapi"
    known = ((0, 110), (1,))

    def install(self, module: Any) -> None:
        field = module.ModelField
        self.patch(field, "validate", self.timed_cpu("validate"))
        for name in ("serialize", "serialize_json"):
            if hasattr(field, name):
                self.patch(field, name, self.timed_cpu("serialize"))


HOOKS = (FastapiRoutingHook, FastapiMiddlewareHook, FastapiFieldHook)
