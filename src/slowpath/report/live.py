"""Serves a page on this machine alone, to whoever has its address with the token.

It answers GET on two paths and nothing else, and changes nothing anywhere. A page of another site
that the same browser has open can neither read it (no token, no CORS) nor reach it by a name of its
own (`Host` must be ours, which defeats DNS rebinding).
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from slowpath.errors import UserError
from slowpath.report.html import Page, render, serialise

ADDRESS = "127.0.0.1"
#: A client that sends nothing for so long is left.
PATIENCE_S = 10
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}

#: Returns the newest page and a name for its content.
Draw = Callable[[], tuple[Page, str]]


class LiveServer(ThreadingHTTPServer):
    """Serves what `draw` returns, at `url`.

    Attributes:
        url: where, with the token; for the user alone.
    """

    daemon_threads = True
    # Only one server has the port: another user's could not take it over.
    allow_reuse_address = False

    def __init__(self, draw: Draw) -> None:
        super().__init__((ADDRESS, 0), _Handler)
        self.draw = draw
        self.token = secrets.token_urlsafe(16)
        port = self.server_address[1]
        self.hosts = {f"{ADDRESS}:{port}", f"localhost:{port}"}
        self.url = f"http://{ADDRESS}:{port}/?token={self.token}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that hung up."""


class _Handler(BaseHTTPRequestHandler):
    server: LiveServer
    timeout = PATIENCE_S
    server_version = "slowpath"
    sys_version = ""

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = parse_qs(address.query)
        if not self._is_ours():
            self._answer(HTTPStatus.FORBIDDEN, "This page is served to its own address only.\n")
        elif not self._has_token(query):
            self._answer(
                HTTPStatus.FORBIDDEN, "The address lacks its token; use the printed one.\n"
            )
        elif address.path in ("/", "/data"):
            try:
                self._draw(address.path, query.get("known", [""])[0])
            except UserError as exc:
                self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, f"{exc.message}\n")
        else:
            self._answer(HTTPStatus.NOT_FOUND, "There is nothing here.\n")

    def _draw(self, path: str, known: str) -> None:
        drawn, revision = self.server.draw()
        page: Page = {**drawn, "live": True, "revision": revision}
        if path == "/":
            self._answer(HTTPStatus.OK, render(page), "text/html")
        elif known == revision:
            self._answer(HTTPStatus.NO_CONTENT, "")
        else:
            self._answer(HTTPStatus.OK, serialise(page), "application/json")

    def _refuse(self) -> None:
        self.close_connection = True
        self._answer(HTTPStatus.METHOD_NOT_ALLOWED, "Only GET is answered.\n")

    do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_HEAD = _refuse

    def _is_ours(self) -> bool:
        """Whether the request was sent to us by name, and by no other site's page."""
        if self.headers.get_all("Host", []) not in [[host] for host in self.server.hosts]:
            return False
        origins = self.headers.get_all("Origin", [])
        if any(
            origin not in {f"http://{host}" for host in self.server.hosts} for origin in origins
        ):
            return False
        # A link from elsewhere is no harm without the token; a script or a frame could be.
        return self.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin")

    def _has_token(self, query: dict[str, list[str]]) -> bool:
        given = query.get("token", [""])[0]
        return hmac.compare_digest(given.encode(), self.server.token.encode())

    def _answer(self, status: HTTPStatus, text: str, kind: str = "text/plain") -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Keep quiet: the address holds the token."""
