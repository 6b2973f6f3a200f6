"""What may not go into a thread, and what may without a doubt."""

from __future__ import annotations

import ast
import builtins
import sys

from slowpath.codemod.change import Refused
from slowpath.codemod.site import Place, Project
from slowpath.codemod.source import AnyFunction, Scope, Source, dotted_name

# Who says one of these is at home on the loop.
_OF_LOOP = frozenset(
    "asyncio anyio trio create_task ensure_future get_event_loop get_running_loop call_soon "
    "call_later call_at add_done_callback".split()
)
# Beside the standard library: what these make belongs to whoever made it.
_PLAIN = ("anyio.", "fastapi.", "starlette.responses.", "starlette.exceptions.", "pydantic.")
_RISKY = frozenset("random.seed os.environ os.chdir os.putenv locale.setlocale".split())


def require_portable(project: Project, below: tuple[Place, ...]) -> None:
    """See that the functions beneath a call can run in a thread.

    Raises:
        Refused: one of them is a generator, which would do its work later and elsewhere, or has
            to do with the event loop.
    """
    for number, place in enumerate(below):
        source = project.source(place.path)
        scope = source.scope(place.line, place.function)
        if scope.node is None:
            raise Refused(f"{place.path}:{place.line} is in no function.")
        if number == 0 and is_generator(scope.node):
            raise Refused(
                f"{place.function} is a generator: it would still do its work where it is "
                "gone through."
            )
        word = word_of_loop(scope.node)
        if word:
            raise Refused(
                f"{place.function} has to do with the event loop itself ({word}), so it cannot "
                "run in a thread."
            )


def word_of_loop(node: ast.AST) -> str:
    """What a function says that belongs to the event loop, or ""."""
    for each in ast.walk(node):
        word = ""
        if isinstance(each, ast.Name):
            word = each.id
        elif isinstance(each, ast.Attribute):
            word = each.attr
        if word in _OF_LOOP:
            return word
    return ""


def is_generator(node: AnyFunction) -> bool:
    return any(isinstance(each, ast.Yield | ast.YieldFrom) for each in own_nodes(node))


def awaits(node: AnyFunction) -> bool:
    """Whether a coroutine function ever gives way."""
    return any(
        isinstance(each, ast.Await | ast.AsyncFor | ast.AsyncWith)
        or (isinstance(each, ast.comprehension) and each.is_async)
        for each in own_nodes(node)
    )


def own_nodes(node: AnyFunction) -> list[ast.AST]:
    """The nodes of a function's own body, without those of functions inside it."""
    found: list[ast.AST] = []
    left: list[ast.AST] = list(node.body)
    while left:
        each = left.pop()
        found.append(each)
        if not isinstance(each, AnyFunction | ast.Lambda | ast.ClassDef):
            left.extend(ast.iter_child_nodes(each))
    return found


def what_is_shared(source: Source, scope: Scope, culprit: str = "") -> str:
    """What others could see a function work on, as a phrase; "" if it keeps to itself.

    It keeps to itself if it only writes to names of its own, and calls only builtins, methods of
    its own names, the standard library and plain constructors.

    Args:
        culprit: a function that is known to keep to itself as well.
    """
    node = scope.node
    if node is None:
        return "the module"
    own = _own_names(node)
    for each in ast.walk(node):
        if isinstance(each, ast.Global | ast.Nonlocal):
            return f"`{each.names[0]}`"
        if isinstance(each, ast.Attribute | ast.Subscript) and not isinstance(each.ctx, ast.Load):
            root = _root(each)
            if root not in own:
                return f"`{root}`" if root else "an object"
        if isinstance(each, ast.Call) and not _keeps_to_itself(source, each, own, culprit):
            if each in _decorating(node):
                continue
            return f"`{ast.unparse(each.func)}(...)`"
    return ""


def _own_names(node: AnyFunction) -> set[str]:
    """Names that the function itself makes; what it was given may be somebody else's."""
    return {
        each.id
        for each in ast.walk(node)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
    }


def _decorating(node: AnyFunction) -> list[ast.AST]:
    defaults = [*node.args.defaults, *(each for each in node.args.kw_defaults if each)]
    return [inner for each in (*node.decorator_list, *defaults) for inner in ast.walk(each)]


def _keeps_to_itself(source: Source, call: ast.Call, own: set[str], culprit: str) -> bool:
    name = dotted_name(call.func)
    if not name:
        # A method of what another call gave, or of a literal: judged by the call that gave it.
        inner = call.func.value if isinstance(call.func, ast.Attribute) else None
        return isinstance(inner, ast.Call | ast.Constant | ast.JoinedStr)
    head = name.partition(".")[0]
    if head in own:
        return "." in name
    if head in source.imports:
        dotted = source.dotted(name)
        if dotted in _RISKY:
            return False
        if dotted == culprit and dotted.count(".") == 1:
            return True
        return dotted.partition(".")[0] in sys.stdlib_module_names or dotted.startswith(_PLAIN)
    return hasattr(builtins, head) and head not in source.top_names


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
