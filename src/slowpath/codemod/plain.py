"""`async def` as `def`, where the framework then runs it in a thread."""

from __future__ import annotations

import ast
from typing import Any

import libcst as cst

from slowpath.codemod.change import Change, Refused
from slowpath.codemod.loopbound import awaits, is_generator, what_is_shared, word_of_loop
from slowpath.codemod.site import Site
from slowpath.codemod.source import AnyFunction, Source, dotted_name
from slowpath.codemod.spot import Spot

_METHODS = frozenset("get post put patch delete head options trace api_route".split())
_ROUTERS = frozenset({"fastapi.FastAPI", "fastapi.APIRouter", "fastapi.routing.APIRouter"})


def plain_route(site: Site, spot: Spot) -> Change:
    """Make an async route of FastAPI a plain one, which FastAPI runs in a thread.

    Raises:
        Refused: the function awaits, is no route of FastAPI, or is called by others.
    """
    node = spot.scope.node
    if not isinstance(node, ast.AsyncFunctionDef):
        raise Refused(f"{site.function} is no coroutine function.")
    if awaits(node) or is_generator(node):
        raise Refused(f"{site.function} awaits something, so it must stay a coroutine function.")
    if not is_route(spot.source, node):
        raise Refused(
            f"{site.function} is not seen to be a route of FastAPI, which alone would run a plain "
            "function in a thread."
        )
    word = word_of_loop(ast.Module(node.body, []))
    if word:
        raise Refused(f"{site.function} has to do with the event loop itself ({word}).")
    if _used(spot.source, node):
        raise Refused(f"{site.function} is used elsewhere in {site.path}, perhaps awaited.")
    look = ""
    shared = what_is_shared(spot.source, spot.scope, site.culprit)
    if site.project.mentions(node.name, _module_name(spot.path), but=spot.path):
        look = f"Another file names {node.name}: nobody may await it any more."
    elif shared:
        look = f"The route may now run several times at once: see that {shared} bears that."
    function = spot.function()
    return spot.change(
        {function: _made_plain},
        title=f"Make {node.name} a plain function, which FastAPI runs in a thread.",
        look=look,
    )


def _made_plain(node: Any) -> cst.FunctionDef:
    made: cst.FunctionDef = node.with_changes(asynchronous=None)
    return made


def is_route(source: Source, node: AnyFunction) -> bool:
    """Whether every decorator is one of a router that this very file makes."""
    return bool(node.decorator_list) and all(
        isinstance(each, ast.Call) and _router(source, each.func) for each in node.decorator_list
    )


def _router(source: Source, func: ast.expr) -> bool:
    if not isinstance(func, ast.Attribute) or func.attr not in _METHODS:
        return False
    _, made = source.assigned.get(dotted_name(func.value), (0, None))
    return isinstance(made, ast.Call) and source.dotted(dotted_name(made.func)) in _ROUTERS


def _used(source: Source, node: AnyFunction) -> bool:
    return any(
        isinstance(each, ast.Name) and each.id == node.name for each in ast.walk(source.tree)
    )


def _module_name(path: str) -> str:
    """What others import a file by: its name, or its folder's."""
    *folders, name = path.removesuffix(".py").split("/")
    return folders[-1] if name == "__init__" and folders else name
