"""Programs for the tests to launch."""

from __future__ import annotations

from collections.abc import Callable

Script = Callable[[str], tuple[str, ...]]
"""Writes a program to a file; returns the command that runs it."""

SERVER = """
import http.server, json, os, signal, sys, threading

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        status, body = answer(self.path)
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass

def answer(path):
    return 200, b"{}"

def serve():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.serve_forever()
"""
"""The beginning of a program: a server that answers 200; `answer` may be defined anew."""

APP = (
    SERVER
    + """
PATHS = {"/": {"get": {}}, "/items": {"get": {}}, "/items/{item_id}": {"get": {}}}
SEEN = []

def answer(path):
    if path == "/openapi.json":
        return 200, json.dumps({"openapi": "3.1.0", "paths": PATHS}).encode()
    SEEN.append(path)
    if path == "/items":
        return 200, b'[{"id": 1}, {"id": 2}]'
    return 200, b"{}"
"""
)
"""The beginning of a program: the same server with a description and three endpoints."""
