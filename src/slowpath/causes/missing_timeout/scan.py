"""Outbound calls of libraries that wait for ever unless told otherwise."""

from __future__ import annotations

from collections.abc import Iterator

from slowpath.causes.base import Finding
from slowpath.causes.excuses import inline
from slowpath.causes.missing_timeout import CAUSE
from slowpath.causes.reading import at_call
from slowpath.program.extract import Ref
from slowpath.program.graph import CERTAIN, LIKELY, POSSIBLE, Graph
from slowpath.program.model import Call, Function, Module
from slowpath.program.values import argument

_PACKAGES = frozenset(
    "requests urllib urllib3 smtplib ftplib imaplib socket http requests_oauthlib websocket "
    "httpx aiohttp curl_cffi requests_cache cloudscraper authlib paramiko poplib telnetlib".split()
)
_OFF_SWITCHES = frozenset({"httpx.AsyncClient", "httpx.Client", "aiohttp.ClientSession"})
_VERBS = frozenset("get post put patch delete head options request stream send ws_connect".split())
# Timeouts made of nothing; what else they are given, sets a limit of another kind.
_ENDLESS = {"httpx.Timeout": (), "aiohttp.ClientTimeout": ("total",)}
# `urlopen(url, data, timeout)` and the like: how many positional arguments reach the timeout.
_POSITION = {"urllib.request.urlopen": 3, "socket.create_connection": 2, "smtplib.SMTP": 4,
             "poplib.POP3": 3, "telnetlib.Telnet": 3, "imaplib.IMAP4": 3}  # fmt: skip


def scan(graph: Graph) -> Iterator[Finding]:
    """Yield calls without a timeout, in threads as well: a thread that waits for ever is lost."""
    for module in graph.files():
        if not _imports(module):
            continue
        for function in (module.body, *module.functions.values()):
            if function.qual or not function.mentions("__main__"):
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
        owner, _, verb = dotted.rpartition(".")
        if dotted in _OFF_SWITCHES or (owner in _OFF_SWITCHES and verb in _VERBS):
            given = call.keyword("timeout")
            if _endless(graph, function, given) or _left_open(graph, function, given):
                each = "every call" if dotted in _OFF_SWITCHES else "the call"
                sure = CERTAIN if dotted in _OFF_SWITCHES else LIKELY
                yield at_call(
                    graph, CAUSE, function, edge.site,
                    f"{dotted}(timeout=None) lets {each} wait for ever",
                    culprit=dotted, confidence=POSSIBLE if _listens(function, call) else sure,
                )  # fmt: skip
            continue
        if not knowledge.in_set("no_timeout", dotted) or call.awaited:
            continue
        given = call.keyword("timeout")
        if given not in (None, ("c", None)) and not _left_open(graph, function, given):
            continue
        if len(call.args) >= _POSITION.get(dotted, 99) or inline(function, call):
            continue
        yield at_call(
            graph, CAUSE, function, edge.site,
            f"{dotted} has no timeout: it waits for ever for a peer that stays silent",
            culprit=dotted,
            confidence=min(edge.confidence, LIKELY),
        )  # fmt: skip


def _listens(function: Function, call: Call) -> bool:
    """Whether a generator hands on what comes, again and again: it is meant to wait."""
    return function.is_generator and function.body.inside(call.block, frozenset({"while"}))


def _left_open(graph: Graph, function: Function, given: Ref) -> bool:
    """Whether it is a parameter that is nothing unless the caller says so, and a caller does not.

    Where all callers that are seen say so, so may those that are not.
    """
    if given.__class__ is not str or given in function.body.bindings or function.parent:
        return False  # of a function in a function, somebody else makes the calls
    if not any(name == given and default == ("c", None) for name, _, default in function.params):
        return False
    calls = [
        each.body.calls[edge.site]
        for each in function.module.functions.values()
        if each.mentions(function.name)
        for edge in graph.edges(each)
        if edge.target is function
    ]
    return not calls or any(
        argument(function, str(given), call) in (None, ("c", None)) for call in calls
    )


def _endless(graph: Graph, function: Function, given: Ref) -> bool:
    """`None`, or a timeout object made of nothing else."""
    if given == ("c", None):
        return True
    if not isinstance(given, int) or isinstance(given, bool):
        return False
    call = function.body.calls[given]
    value = graph.program.callee(function, given)
    if value is None or value[0] != "ext" or value[1] not in _ENDLESS or call.starred:
        return False
    names = (*_ENDLESS[value[1]], "timeout")
    nothing = all(ref == ("c", None) for ref in call.args) and all(
        name in names and ref == ("c", None) for name, ref in call.kwargs
    )
    return nothing and bool(call.args or call.kwargs)
