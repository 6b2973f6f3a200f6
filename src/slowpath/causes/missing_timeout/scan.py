"""Outbound calls of libraries that wait for ever unless told otherwise."""

from __future__ import annotations

from collections.abc import Iterator

from slowpath.causes.base import Finding
from slowpath.causes.missing_timeout import CAUSE
from slowpath.causes.reading import at_call
from slowpath.program.graph import CERTAIN, LIKELY, Graph
from slowpath.program.model import Function, Module

_PACKAGES = frozenset(
    "requests urllib urllib3 smtplib ftplib imaplib socket http requests_oauthlib websocket "
    "httpx aiohttp curl_cffi".split()
)
_OFF_SWITCHES = frozenset({"httpx.AsyncClient", "httpx.Client", "aiohttp.ClientSession"})
# `urlopen(url, data, timeout)` and the like: how many positional arguments reach the timeout.
_POSITION = {"urllib.request.urlopen": 3, "socket.create_connection": 2, "smtplib.SMTP": 4}


def scan(graph: Graph) -> Iterator[Finding]:
    """Yield calls without a timeout, in threads as well: a thread that waits for ever is lost."""
    for module in graph.program.files:
        if not _imports(module):
            continue
        for function in (module.body, *module.functions.values()):
            yield from _in(graph, function)


def _imports(module: Module) -> bool:
    return any(
        source.partition(".")[0] in _PACKAGES for source, _ in module.imports.values()
    ) or any(f.mentions("requests", "urllib", "smtplib") for f in module.functions.values())


def _in(graph: Graph, function: Function) -> Iterator[Finding]:
    knowledge = graph.program.knowledge
    for edge in graph.edges(function):
        call = function.body.calls[edge.site]
        dotted = edge.dotted
        if edge.target is not None or call.starred:
            continue
        if dotted in _OFF_SWITCHES:
            if call.keyword("timeout") == ("c", None):
                yield at_call(
                    graph, CAUSE, function, edge.site,
                    f"{dotted}(timeout=None) lets every call wait for ever",
                    culprit=dotted, confidence=CERTAIN,
                )  # fmt: skip
            continue
        if not knowledge.in_set("no_timeout", dotted) or call.awaited:
            continue
        given = call.keyword("timeout")
        if given is not None and given != ("c", None):
            continue
        if len(call.args) >= _POSITION.get(dotted, 99):
            continue
        yield at_call(
            graph, CAUSE, function, edge.site,
            f"{dotted} has no timeout: it waits for ever for a peer that stays silent",
            culprit=dotted,
            confidence=min(edge.confidence, LIKELY),
        )  # fmt: skip
