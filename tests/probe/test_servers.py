"""Every server that people run: each worker writes its own file, and no request is missed."""

from __future__ import annotations

import sys
import textwrap
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from slowpath.recording import Recording, load
from tests.probe.served import serving

pytestmark = pytest.mark.slow

ROUTES = {
    "/v1/items/7": "/v1/items/{item_id}",
    "/v1/items/sync/8": "/v1/items/sync/{item_id}",
    "/stream": "/stream",
    "/fail": "/fail",
    "/nowhere/secret": "/{unmatched}",
}
ROUNDS = 12
GUNICORN = "sample:app -k uvicorn.workers.UvicornWorker -w 2 -b 127.0.0.1:{port}"

#: By name: the command after `python`, and how many workers it starts.
SERVERS = {
    "uvicorn": ("-m uvicorn sample:app --port {port}", 1),
    "uvicorn on uvloop": ("-m uvicorn sample:app --port {port} --loop uvloop", 1),
    "uvicorn, spawned workers": ("-m uvicorn sample:app --port {port} --workers 2", 2),
    "uvicorn without lifespan": ("-m uvicorn sample:app --port {port} --lifespan off", 1),
    "uvicorn within a program": ("main.py {port}", 1),
    "gunicorn": (f"-m gunicorn {GUNICORN}", 2),
    "gunicorn, loaded before the fork": (f"-m gunicorn {GUNICORN} --preload", 2),
    "hypercorn": ("-m hypercorn sample:app -b 127.0.0.1:{port}", 1),
    "hypercorn, workers": ("-m hypercorn sample:app -b 127.0.0.1:{port} -w 2", 2),
    "granian": ("-m granian sample:app --interface asgi --port {port}", 1),
    "granian without lifespan": ("-m granian sample:app --interface asginl --port {port}", 1),
    "granian, workers": ("-m granian sample:app --interface asgi --port {port} --workers 2", 2),
    "fastapi run": ("-m fastapi run main.py --host 127.0.0.1 --port {port}", 1),
}
NEEDS = {
    "gunicorn": "gunicorn",
    "hypercorn": "hypercorn",
    "granian": "granian",
    "fastapi run": "fastapi_cli",
    "uvicorn on uvloop": "uvloop",
}

MAIN = """
    import sys
    import uvicorn
    from sample import app

    if __name__ == "__main__":
        uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]))
"""


def check(recording: Recording) -> None:
    """Check that a recording is whole: nothing torn, dropped or switched off."""
    assert recording.troubles == []
    for process in recording.processes:
        assert process.meta["dropped"] == 0
        assert process.meta["trouble"] == ""
        off = {name: state for name, state in process.meta["hooks"].items() if state != "on"}
        assert off == {}
        assert "asyncio" in process.meta["hooks"]


@pytest.mark.parametrize("name", SERVERS)
def test_all_requests_are_recorded_under(name: str, tmp_path: Path) -> None:
    for start, module in NEEDS.items():
        if name.startswith(start):
            pytest.importorskip(module)
    arguments, workers = SERVERS[name]
    command = [sys.executable, *arguments.split()]
    (tmp_path / "main.py").write_text(textwrap.dedent(MAIN))
    paths = list(ROUTES) * ROUNDS
    with serving(tmp_path, command) as server, ThreadPoolExecutor(4) as pool:
        bodies = list(pool.map(server.get, paths))
    assert bodies[0].startswith(b'{"name":"item 7 for nobody opened"')
    assert server.process.returncode in (0, -15), server.output
    assert "slowpath" not in "".join(
        line for line in server.output.splitlines() if "File" not in line
    )
    recording = load(tmp_path / "run")
    check(recording)
    counted = Counter(request.route for request in recording.requests)
    assert {route: counted[route] for route in ROUTES.values()} == dict.fromkeys(
        ROUTES.values(), ROUNDS
    )
    serving_processes = {request.process for request in recording.requests}
    assert len(serving_processes) <= workers
    assert len(recording.processes) <= workers + 1
    assert all(request.end_ns > request.start_ns for request in recording.requests)
    streams = [request for request in recording.requests if request.route == "/stream"]
    assert all(request.streamed and request.bytes_out > 0 for request in streams)
    handlers = {recording.sites[request.handler].function for request in recording.requests}
    assert {"get_item", "get_sync", "stream", "fail"} <= handlers
    assert len(recording.slices) > len(recording.requests) / 2
