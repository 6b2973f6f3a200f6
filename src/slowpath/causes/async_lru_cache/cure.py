"""A cache that is made for coroutines, where the project has one."""

from __future__ import annotations

from typing import Any

import libcst as cst

from slowpath.codemod import Change, Refused, Site

_CACHE = "async_lru.alru_cache"
_PLAIN = {"functools.lru_cache": "", "functools.cache": "maxsize=None"}


def cure(site: Site) -> Change:
    """Decorate with `alru_cache` instead."""
    spot = site.spot()
    if site.culprit not in _PLAIN or not spot.scope.is_async:
        raise Refused(f"{site.culprit} is used in another way than as a decorator.")
    package = _CACHE.partition(".")[0]
    if not spot.imports(package) and not site.project.mentions(package):
        raise Refused("The project has no cache for coroutines; async_lru's `alru_cache` is one.")
    function = spot.function()
    for decorator in function.decorators:
        value = decorator.decorator
        func = value.func if isinstance(value, cst.Call) else value
        if spot.dotted(func) == site.culprit:
            break
    else:
        raise Refused(f"{site.culprit} does not decorate {site.function} any more.")
    if isinstance(value, cst.Call) and any(
        arg.keyword is None or arg.keyword.value not in ("maxsize", "typed") for arg in value.args
    ):
        raise Refused("The cache is given more than alru_cache takes in the same way.")
    name, given = spot.name(_CACHE), _PLAIN[site.culprit]

    def edit(node: Any) -> cst.Decorator:
        new = cst.parse_expression(name)
        if isinstance(node.decorator, cst.Call):
            new = node.decorator.with_changes(func=new)
        elif given:
            new = cst.parse_expression(f"{name}({given})")
        made: cst.Decorator = node.with_changes(decorator=new)
        return made

    return spot.change(
        {decorator: edit},
        title="Keep results instead of coroutines, with alru_cache.",
        look="Nothing was kept so far: see that what is kept may be old.",
    )
