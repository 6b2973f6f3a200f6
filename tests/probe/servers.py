"""A small HTTP server for the tests of client hooks, in a thread of the test's own process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server:
    """What a test needs to know of the server, and to steer it by.

    Attributes:
        place: host and port.
        busy: set when a request for `/held` has arrived.
        release: set it to have requests for `/held` answered.
    """

    def __init__(self, port: int) -> None:
        self.place = f"127.0.0.1:{port}"
        self.url = f"http://{self.place}"
        self.busy = threading.Event()
        self.release = threading.Event()


@contextmanager
def http_server() -> Iterator[Server]:
    """Serve `/held` when released, `/redirect` elsewhere, and every other path with its name."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body leave in two writes; the second must not wait for an acknowledgement.
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            if length:
                self.rfile.read(length)
            path = self.path.partition("?")[0]
            if path == "/held":
                server.busy.set()
                server.release.wait(10)
            body = f"answer to {path}".encode()
            self.send_response(302 if path == "/redirect" else 200)
            if path == "/redirect":
                self.send_header("location", "/elsewhere")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    server = Server(listener.server_address[1])
    thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.release.set()
        listener.shutdown()
        listener.server_close()
        thread.join()
