"""Wait until the app answers HTTP, and find out where."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from slowpath.errors import UserError
from slowpath.run import ports
from slowpath.run.launch import App

POLL_S = 0.05
FIRST_TIMEOUT_S, LAST_TIMEOUT_S = 0.5, 10.0
"""How long a port may take to answer: longer each time, so that a silent one holds up no other."""

PROBED_PATH = "/openapi.json"
"""Asked of each port: cheap, often needed next, and 404 is as good an answer as any."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the app answers.

    Attributes:
        base_url: without a path, such as `http://127.0.0.1:8000`.
        others: further addresses that answer HTTP.
    """

    base_url: str
    port: int
    others: tuple[str, ...] = ()


def wait_until_ready(app: App, timeout_s: float, port: int | None = None) -> Address:
    """Wait until the app answers HTTP, with any status.

    Args:
        port: the port to wait for; None finds it among those the app's processes listen on.

    Raises:
        UserError: the app ended, opened no port, or answered no HTTP within `timeout_s`.
    """
    deadline = time.monotonic() + timeout_s
    listening: Sequence[ports.Listener] = ()
    patience_s = FIRST_TIMEOUT_S
    while True:
        if not app.is_alive():
            raise UserError(
                f"The app ended before it answered ({app.exit('died')}). Its last words:",
                f"{app.last_words() or '(none)'}\n\nAll of them: {app.log}",
            )
        listening = (
            [ports.Listener(port, "127.0.0.1")] if port else ports.listeners(app.processes())
        )
        answering = [found for listener in listening if (found := _ask(listener, patience_s))]
        if answering:
            return _best(answering)
        if time.monotonic() >= deadline:
            raise UserError(_too_late(listening, timeout_s, port), _tail(app))
        if listening:
            left_s = max(POLL_S, deadline - time.monotonic())
            patience_s = min(2 * patience_s, LAST_TIMEOUT_S, left_s)
        time.sleep(POLL_S)


@dataclass(frozen=True, slots=True)
class _Answer:
    base_url: str
    port: int
    status: int


def _ask(listener: ports.Listener, timeout_s: float) -> _Answer | None:
    for scheme in ("http", "https"):
        base_url = f"{scheme}://{listener.address}"
        try:
            # Our own app on our own machine: no proxy, and its certificate is nobody's business.
            answer = httpx.get(
                base_url + PROBED_PATH, timeout=timeout_s, trust_env=False, verify=False
            )
        except (httpx.ConnectError, httpx.TimeoutException):
            return None
        except httpx.HTTPError:
            continue
        return _Answer(base_url, listener.port, answer.status_code)
    return None


def _best(answering: Sequence[_Answer]) -> Address:
    """The one that describes itself, else the first: side doors for metrics rarely do."""
    best = next((answer for answer in answering if answer.status == 200), answering[0])
    others = tuple(answer.base_url for answer in answering if answer is not best)
    return Address(best.base_url, best.port, others)


def _too_late(listening: Sequence[ports.Listener], timeout_s: float, port: int | None) -> str:
    if port:
        problem = f"Nothing answered HTTP on port {port} within {timeout_s:g} s."
    elif listening:
        numbers = ", ".join(str(listener.port) for listener in listening)
        problem = f"The app listens on port {numbers} but did not answer HTTP in {timeout_s:g} s."
    else:
        problem = f"The app opened no TCP port within {timeout_s:g} s (a Unix socket will not do)."
    return f"{problem} If it starts slowly, give it longer with --start-timeout."


def _tail(app: App) -> str:
    words = app.last_words()
    return f"Its last words:\n{words}\n\nAll of them: {app.log}" if words else ""
