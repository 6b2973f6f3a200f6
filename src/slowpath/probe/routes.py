"""What a request is called: the template of its route, in which no user's data is.

A framework tells the route in the scope; where none does, the template is made from the path.
"""

from typing import Any, Dict, Mapping, MutableMapping, Tuple

from slowpath.probe import core
from slowpath.probe.sites import adopt

Scope = MutableMapping[str, Any]

#: The route of all that met none.
UNMATCHED = "/{unmatched}"
#: By identity of route and endpoint, which are kept here so that no other takes their identity.
_places: Dict[Tuple[int, int, Any], Tuple[int, int, Any]] = {}


def place(scope: Scope, status: int) -> Tuple[int, int]:
    """Return the endpoint's site and the text of its route template; 0 where unknown."""
    endpoint = scope.get("endpoint")
    known = scope.get("route")
    context = scope.get("fastapi")
    if context is not None:
        # FastAPI tells the full template of an included router in a context of its own.
        known = context.get("effective_route_context", known)
    key = (id(known), id(endpoint), scope.get("root_path"))
    found = _places.get(key)
    if found is None:
        if not hasattr(known, "endpoint"):
            # Starlette before 1.0 tells no route; of a mounted app the mount tells half.
            if endpoint is None and is_unmatched(scope, status):
                return 0, core.text(UNMATCHED)
            return endpoint_site(endpoint), core.text(unrouted(scope))
        found = endpoint_site(endpoint), core.text(routed(scope, known)), (known, endpoint)
        if len(_places) < 10_000:
            _places[key] = found
    return found[0], found[1]


def endpoint_site(endpoint: Any) -> int:
    """Return where an endpoint is defined; its package counts as the app's own from now on."""
    if endpoint is None:
        return 0
    code = getattr(endpoint, "__code__", None)
    if code is not None:
        adopt(code.co_filename)
    return core.site_of(endpoint)


def routed(scope: Scope, known: Any) -> str:
    """Return the route template that a route object tells, with what it is mounted under."""
    # Without the types of its parameters, as the app's description has it.
    path = getattr(known, "path_format", None) or getattr(known, "path", None)
    if not isinstance(path, str):
        return unrouted(scope)
    # Parameters that the route itself names stand behind what it is mounted under.
    values = scope.get("path_params") or {}
    outer = {name: value for name, value in values.items() if f"{{{name}}}" not in path}
    return named(mounted_at(scope), outer) + path


def is_unmatched(scope: Scope, status: int) -> bool:
    """Tell whether a request met no route: then its path may be anything that a client sends."""
    if "path_template" in scope:
        return False
    return status == 404 or "router" in scope or scope.get("method") == "OPTIONS"


def mounted_at(scope: Scope) -> str:
    """Return the part of the path that mounts took off, within the app."""
    outer = scope.get("app_root_path", "")
    mounted = str(scope.get("root_path", ""))
    return mounted[len(outer) :] if mounted.startswith(outer) else ""


def unrouted(scope: Scope) -> str:
    """Return a template from the path: parameters that the router found become their names."""
    known = scope.get("path_template")  # Litestar's
    if isinstance(known, str):
        return known
    endpoint = scope.get("endpoint")
    parameters = scope.get("path_params") or {}
    mounted = mounted_at(scope)
    if mounted and not isinstance(endpoint, type) and not hasattr(endpoint, "__code__"):
        return (
            named(mounted, parameters) + "/{path}"
        )  # static files, or an app that matched nothing
    return named(str(scope.get("path", "")), parameters)


def named(path: str, parameters: Mapping[str, Any]) -> str:
    """Return a path with the names of its parameters in place of their values."""
    for name, value in parameters.items():
        text, mark = str(value), "{" + str(name) + "}"
        parts = path.split("/")
        if not text:
            continue
        if text in parts:
            parts[parts.index(text)] = mark
            path = "/".join(parts)
        else:  # within a part, or of several parts
            path = path.replace(text, mark, 1)
    return template(path)


def template(path: str) -> str:
    """Replace what looks like an id in a path, so that no user's data is kept.

    >>> template("/v1/users/42/files/3f2b8c1e-9d7a-4b6f-8a1d-2c3e4f5a6b7c")
    '/v1/users/{id}/files/{id}'
    """
    parts = path.split("/")[:12]
    for i, part in enumerate(parts):
        if part[:1] == "{" and part[-1:] == "}":
            continue
        version = part[:1] == "v" and part[1:].isdigit()
        odd = not part.isascii() or any(c.isdigit() or c in "@%=:" for c in part)
        if len(part) > 40 or (odd and not version):
            parts[i] = "{id}"
    return "/".join(parts)
