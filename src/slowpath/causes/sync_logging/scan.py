"""Log handlers that send, or write in bulk, in the thread that logs."""

from __future__ import annotations

from collections.abc import Iterator

from slowpath.causes.base import Finding
from slowpath.causes.reading import at, at_call
from slowpath.causes.sync_logging import CAUSE
from slowpath.program.graph import LIKELY, POSSIBLE, Graph
from slowpath.program.model import Function

_SENDERS = frozenset(
    {"logging.handlers.SMTPHandler", "logging.handlers.HTTPHandler",
     "logging.handlers.SocketHandler", "logging.handlers.SysLogHandler",
     "logging.handlers.DatagramHandler"}
)  # fmt: skip
_WRITERS = frozenset(
    {"logging.FileHandler", "logging.handlers.RotatingFileHandler",
     "logging.handlers.TimedRotatingFileHandler", "logging.handlers.WatchedFileHandler"}
)  # fmt: skip


def scan(graph: Graph) -> Iterator[Finding]:
    """Yield handlers of a project that has coroutines, unless a queue stands before them."""
    if not graph.has_loop() or graph.mentioned("QueueHandler"):
        return
    for function in graph.functions():
        if not function.mentions("Handler"):
            continue
        for index, call in enumerate(function.body.calls):
            if not call.name.endswith("Handler"):
                continue
            value = graph.program.callee(function, index)
            if value is None or value[0] != "ext":
                continue
            if value[1] in _SENDERS or value[1] in _WRITERS:
                yield at_call(
                    graph, CAUSE, function, index,
                    f"{value[1]} works in the thread that logs, which is the event loop's",
                    culprit=value[1],
                    confidence=LIKELY if value[1] in _SENDERS else POSSIBLE,
                )  # fmt: skip
    yield from _own_handlers(graph)


def _own_handlers(graph: Graph) -> Iterator[Finding]:
    """`emit` of the project's own handlers, where it waits for something."""
    for module in graph.files():
        for cls in module.classes.values():
            emit = cls.method("emit")
            if emit is None or not any(
                isinstance(each, str) and each.startswith("logging.") and each.endswith("Handler")
                for each in graph.program.mro(cls)
            ):
                continue
            for reached in graph.blocking(emit)[:1]:
                site: Function = reached.hops[-1][0]
                yield at(
                    graph, CAUSE, site, site.body.calls[reached.hops[-1][1]].line,
                    f"{emit.label} runs {reached.primitive.name} in the thread that logs",
                    culprit=reached.primitive.name,
                    confidence=LIKELY if reached.primitive.weight == "heavy" else POSSIBLE,
                    hops=reached.hops,
                    top=emit,
                )  # fmt: skip
