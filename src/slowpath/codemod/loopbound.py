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


def what_is_shared(
    source: Source, scope: Scope, culprit: str = "", *, gives_way: bool = False
) -> str:
    """What others could see a function work on, as a phrase; "" if it keeps to itself.

    It keeps to itself if it only writes to names of its own, and calls only builtins, methods of
    its own names, the standard library and plain constructors.

    Args:
        culprit: a function that is known to keep to itself as well.
        gives_way: others run in the middle of it, where they did not before: then what it reads
            of its arguments and of the module counts as well.
    """
    node = scope.node
    if node is None:
        return "the module"
    own, made = _own_names(node), _made_names(node)
    apart = set(_decorating(node))
    known = own if gives_way else own | _given_alone(node)
    for each in ast.walk(node):
        if each in apart:
            continue
        if isinstance(each, ast.Global | ast.Nonlocal):
            return f"`{each.names[0]}`"
        if isinstance(each, ast.Attribute | ast.Subscript):
            root = _root(each)
            if isinstance(each.ctx, ast.Load):
                shared = bool(root) and root not in known and root not in source.imports
            else:
                shared = root not in made
            if shared and not _is_logger(source, root):
                return f"`{root}`" if root else "an object"
        if isinstance(each, ast.Call) and not _keeps_to_itself(source, each, made, culprit):
            return f"`{ast.unparse(each.func)}(...)`"
        if isinstance(each, ast.Name) and _is_variable(source, each.id) and each.id not in known:
            return f"`{each.id}`"
    return ""


def _is_variable(source: Source, name: str) -> bool:
    """Whether the module assigns to a name that is not written as a constant, nor a logger."""
    return name in source.variables and not name.isupper() and not _is_logger(source, name)


def _is_logger(source: Source, name: str) -> bool:
    _, value = source.assigned.get(name, (0, None))
    return (
        isinstance(value, ast.Call)
        and source.dotted(dotted_name(value.func)) == "logging.getLogger"
    )


def _given_alone(node: AnyFunction) -> set[str]:
    """Parameters that each request has for itself: none that is injected, and no request."""
    given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    defaults = [*node.args.defaults, *(each for each in node.args.kw_defaults if each)]
    injected = any(_is_injected(ast.unparse(each)) for each in defaults)
    return {
        each.arg
        for each in given
        if not injected
        and (each.annotation is None or not _is_injected(ast.unparse(each.annotation)))
    }


def _is_injected(text: str) -> bool:
    return any(word in text for word in ("Depends", "Security", "Request", "WebSocket"))


def _own_names(node: AnyFunction) -> set[str]:
    """Names that the function binds; what they stand for may be somebody else's."""
    return {
        each.id
        for each in ast.walk(node)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
    }


_MADE = (
    ast.List, ast.Dict, ast.Set, ast.Tuple, ast.ListComp, ast.DictComp, ast.SetComp, ast.Call,
    ast.Constant, ast.JoinedStr, ast.BinOp, ast.Compare, ast.BoolOp, ast.UnaryOp,
)  # fmt: skip


def _made_names(node: AnyFunction) -> set[str]:
    """Names that only ever stand for something that the function made itself."""
    made: list[ast.Name] = []
    for each in ast.walk(node):
        targets = each.targets if isinstance(each, ast.Assign) else []
        if isinstance(each, ast.AnnAssign | ast.AugAssign):
            targets = [each.target]
        value = getattr(each, "value", None)
        if targets and isinstance(value, _MADE):
            made += [target for target in targets if isinstance(target, ast.Name)]
    others = {
        each.id
        for each in ast.walk(node)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store) and each not in made
    }
    return {each.id for each in made} - others


def _decorating(node: AnyFunction) -> list[ast.AST]:
    """What is evaluated when the function is defined: decorators, annotations and defaults."""
    outer: list[ast.AST] = [
        *node.decorator_list,
        node.args,
        *([node.returns] if node.returns else []),
    ]
    return [inner for each in outer for inner in ast.walk(each)]


def _keeps_to_itself(source: Source, call: ast.Call, own: set[str], culprit: str) -> bool:
    name = dotted_name(call.func)
    if not name:
        # A method of what another call gave, or of a literal: judged by the call that gave it.
        inner = call.func.value if isinstance(call.func, ast.Attribute) else None
        return isinstance(inner, ast.Call | ast.Constant | ast.JoinedStr)
    head = name.partition(".")[0]
    if head in own:
        return "." in name
    if _is_logger(source, head):
        return True
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
