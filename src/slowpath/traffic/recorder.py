"""Sees each request that a Locust user sends: adds `traceparent`, and writes a line about it.

It stands around the `request` method of Locust's two session classes, so it works for planned
users and for anybody's locustfile alike.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import inspect
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession

from slowpath.traffic.client_log import COLUMNS, NO_STATUS, UNFINISHED, is_failure, quantile_ms
from slowpath.traffic.routes import RouteNames, path_of

RECENT_NS = 5_000_000_000
"""The live figures are those of the last five seconds."""

INTENDED_START = "slowpath_intended_start_ns"
"""Set on a session before a request that is due by a schedule; its latency counts from there."""

Send = Callable[..., Any]


class LogError(Exception):
    """The client's log cannot be written; says why in a sentence."""


class Recorder:
    """Writes the client's log and keeps the live figures.

    Args:
        base_url: of the app; requests that go elsewhere are neither touched nor recorded.
        headers: sent with every request to the app.
        routes: templates by which requests without a name are called.

    Raises:
        LogError: the log cannot be written.
    """

    def __init__(
        self, path: Path, base_url: str, headers: Mapping[str, str], routes: Sequence[str] = ()
    ) -> None:
        self._path = path
        try:
            self._file = path.open("w", newline="", encoding="utf-8")
        except OSError as exc:
            raise self._unwritable(exc) from exc
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(COLUMNS)
        self.flush()
        self._base_url = base_url
        self._headers = dict(headers)
        self._routes = RouteNames(routes)
        self._recent: deque[tuple[int, int]] = deque()
        self.begin_phase()

    def begin_phase(self) -> None:
        """Count anew, for the live figures alone."""
        self._began_ns = time.perf_counter_ns()
        self._requests = self._failed = 0
        self._recent.clear()

    def figures(self) -> dict[str, Any]:
        """Requests and failures of the phase; requests per second and p95 of the last seconds."""
        now_ns = time.perf_counter_ns()
        since_ns = max(now_ns - RECENT_NS, self._began_ns)
        while self._recent and self._recent[0][0] < since_ns:
            self._recent.popleft()
        return {
            "requests": self._requests,
            "failed": self._failed,
            "rps": len(self._recent) * 1e9 / max(1, now_ns - since_ns),
            "p95_ms": quantile_ms([latency_ns for _, latency_ns in self._recent], 0.95),
        }

    def flush(self) -> None:
        """Hand all lines to the operating system, so that a kill loses none of them.

        Raises:
            LogError: it does not take them.
        """
        try:
            self._file.flush()
        except OSError as exc:
            raise self._unwritable(exc) from exc

    def close(self) -> None:
        """Flush and write no more; requests that are still under way are not recorded."""
        self.flush()
        self._file.close()

    def _unwritable(self, exc: OSError) -> LogError:
        return LogError(f"Cannot write {self._path}: {exc.strerror or exc}.")

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Stand around the sessions' `request` while the context lasts."""
        originals: list[tuple[type, Send]] = [
            (FastHttpSession, FastHttpSession.request),
            (HttpSession, HttpSession.request),
        ]
        for kind, original in originals:
            setattr(kind, "request", self._around(original))  # noqa: B010
        try:
            yield
        finally:
            for kind, original in originals:
                setattr(kind, "request", original)  # noqa: B010

    def _around(self, original: Send) -> Send:
        optional = list(inspect.signature(original).parameters)[3:]

        @functools.wraps(original)
        def request(session: Any, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
            if not self._is_for_app(url):
                return original(session, method, url, *args, **kwargs)
            kwargs.update(zip(optional, args, strict=False))
            name = kwargs.get("name") or getattr(session, "request_name", None)
            span_id, kwargs["headers"] = self._with_traceparent(kwargs.get("headers"))
            intended_ns = vars(session).pop(INTENDED_START, None)
            start_ns = intended_ns or time.perf_counter_ns()
            status, size, error = NO_STATUS, 0, UNFINISHED
            try:
                response = original(session, method, url, **kwargs)
                status, size, error = _outcome(response, streamed=bool(kwargs.get("stream")))
                return response
            except Exception as exc:
                error = type(exc).__name__
                raise
            finally:
                # Also when the user is killed at the end of the traffic.
                self._write(
                    (span_id, start_ns, time.perf_counter_ns(), method.upper(),
                     path_of(name) if name else self._routes.name(url), status, size, error)
                )  # fmt: skip

        return request

    def _is_for_app(self, url: str) -> bool:
        if not url.lower().startswith(("http://", "https://")):
            return True
        # Port 80 is not port 8000.
        return url.startswith(self._base_url) and url[len(self._base_url) :][:1] in ("", *"/?#")

    def _with_traceparent(self, headers: Mapping[str, str] | None) -> tuple[str, dict[str, str]]:
        ours = {name.lower() for name in self._headers} | {"traceparent"}
        kept = {name: value for name, value in (headers or {}).items() if name.lower() not in ours}
        trace_id, span_id = os.urandom(16).hex(), os.urandom(8).hex()
        traceparent = f"00-{trace_id}-{span_id}-01"
        return span_id, {**kept, **self._headers, "traceparent": traceparent}

    def _write(self, row: tuple[str, int, int, str, str, int, int, str]) -> None:
        if self._file.closed:
            return
        self._writer.writerow(row)
        _, start_ns, end_ns, _, _, status, _, error = row
        if error != UNFINISHED:
            self._requests += 1
            self._failed += is_failure(status, error)
            self._recent.append((end_ns, end_ns - start_ns))


def _outcome(response: Any, streamed: bool) -> tuple[int, int, str]:
    """Status, bytes of the body, and why there is no (whole) answer."""
    status = response.status_code or NO_STATUS
    if status == NO_STATUS:
        return NO_STATUS, 0, type(getattr(response, "error", None) or OSError()).__name__
    if streamed:
        # The body is the user's to read.
        return status, 0, ""
    try:
        return status, len(response.content or b""), ""
    except Exception as exc:
        return status, 0, type(exc).__name__
