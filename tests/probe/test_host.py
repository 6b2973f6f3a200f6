"""The host is sacred: whatever breaks inside the probe, the app's answers stay what they were."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

import slowpath.probe
from slowpath.probe import Probe, asgi, core, hook, library_hooks, loop, routes, sites, watch, wire
from slowpath.probe.hooks import fastapi as fastapi_hooks
from slowpath.probe.hooks import starlette as starlette_hooks
from tests.probe.apps import sample
from tests.probe.probed import probed

CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/v1/items/7", {"headers": {"x-user": "ann"}}),
    ("GET", "/v1/items/404", {}),
    ("GET", "/v1/items/no-number", {}),
    ("GET", "/v1/items/sync/8", {}),
    ("POST", "/v1/items", {"json": {"name": "n", "price": 2, "tags": ["x"] * 100}}),
    ("POST", "/v1/items", {"json": {"name": 1}}),
    ("HEAD", "/v1/items/7", {}),
    ("GET", "/stream", {}),
    ("GET", "/background", {}),
    ("GET", "/gather", {}),
    ("GET", "/fail", {}),
    ("GET", "/inner/acme/deep/bob", {}),
    ("GET", "/nowhere", {}),
    ("GET", "/work", {}),
    ("GET", "/plain/sync", {}),
]


def app() -> FastAPI:
    """The sample app, with endpoints that wait in all the ways that the core's hooks know."""
    full = FastAPI()
    lock = asyncio.Lock()

    @full.get("/work")
    async def work() -> list[Any]:
        async def locked(i: int) -> int:
            async with lock:
                await asyncio.sleep(0.0015)
            return i

        loop = asyncio.get_running_loop()
        gathered = await asyncio.gather(*(locked(i) for i in range(3)))
        in_thread = await loop.run_in_executor(None, time.sleep, 0.0001)
        with_anyio = await anyio.to_thread.run_sync(sum, range(10))
        async with anyio.Lock(), anyio.CapacityLimiter(1):
            time.sleep(0.002)  # noqa: ASYNC251
        gc.collect()
        return [gathered, in_thread, with_anyio]

    @full.get("/plain/sync")
    def work_sync() -> dict[str, int]:
        time.sleep(0.0001)
        return {"done": gc.collect() * 0}

    sample.app.middleware_stack = None  # built anew, while the probe looks on or not
    full.mount("/", sample.app)
    return full


Answers = list[tuple[int, list[tuple[str, str]], bytes]]


def answers() -> Answers:
    """All that a client sees of the app: status, headers and bytes, also of a websocket."""
    found: Answers = []
    with TestClient(app(), raise_server_exceptions=False) as client:
        for method, path, more in CALLS:
            answer = client.request(method, path, **more)
            found.append((answer.status_code, answer.headers.multi_items(), answer.content))
        with client.websocket_connect("/echo/room") as socket:
            for text in ("a", "b"):
                socket.send_text(text)
                found.append((101, [], socket.receive_text().encode()))
    return found


@pytest.fixture(scope="module")
def bare() -> Answers:
    return answers()


@pytest.fixture
def all_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is too short to be told."""
    monkeypatch.setattr(core, "FLOOR_NS", 0)
    monkeypatch.setattr(fastapi_hooks, "FLOOR_NS", 0)
    monkeypatch.setattr(starlette_hooks, "FLOOR_NS", 0)
    monkeypatch.setattr(watch, "OVERDUE_NS", 0)


def refuse(*args: Any, **kwargs: Any) -> Any:
    raise ArithmeticError("broken on purpose")


#: Where the probe is broken, and the hooks that must have switched themselves off then.
POINTS: dict[str, tuple[list[tuple[Any, str]], set[str]]] = {
    "emit": ([(core, "emit")], {"fastapi.middleware", "fastapi.routing", "time.sleep"}),
    "record": ([(core, "record"), (loop, "record"), (watch, "record")], {"asyncio"}),
    "text": ([(core, "text")], {"starlette boundary"}),
    "own_site": ([(core, "own_site"), (hook, "own_site")], {"time.sleep", "gc"}),
    "own_frame": ([(core, "own_frame"), (sites, "own_frame")], {"time.sleep"}),
    "site_of": ([(core, "site_of")], {"asyncio"}),
    "endpoint_site": ([(routes, "endpoint_site")], {"starlette boundary"}),
    "instruction": ([(core.names, "instruction")], {"asyncio"}),
    "place": ([(asgi, "place")], {"starlette boundary"}),
    "finish": ([(asgi, "finish")], {"starlette boundary"}),
    "client_span": ([(asgi, "client_span")], {"starlette boundary"}),
    "content_length": ([(asgi, "content_length")], {"starlette boundary"}),
    "pack": ([(loop, "pack")], {"asyncio"}),
    "slices": ([(loop, "extend")], {"asyncio"}),
    "record_long": ([(loop, "record_long")], {"asyncio"}),
    "explain_gap": ([(loop, "awaited")], {"asyncio"}),
    "stepping": ([(loop, "stepping")], {"asyncio"}),
    "watcher": ([(watch, "sample"), (watch, "mark_clock"), (watch, "gauges")], set()),
}


@pytest.mark.usefixtures("all_is_recorded")
@pytest.mark.parametrize("point", POINTS)
def test_answers_stay_what_they_were(
    tmp_path: Path, bare: Answers, point: str, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    broken, hooks = POINTS[point]
    with probed(tmp_path, strict=False) as run, monkeypatch.context() as breaking:
        for owner, name in broken:
            breaking.setattr(owner, name, refuse)
        probed_answers = answers()
    assert probed_answers == bare
    assert capfd.readouterr() == ("", "")
    off = {name for name, state in run.states.items() if "failed with ArithmeticError" in state}
    assert off >= hooks, run.states


@pytest.mark.usefixtures("all_is_recorded")
def test_answers_are_equal_and_all_hooks_live_when_nothing_is_broken(
    tmp_path: Path, bare: Answers, capfd: Any
) -> None:
    with probed(tmp_path) as run:
        assert answers() == bare
    assert capfd.readouterr() == ("", "")
    assert not [state for state in run.states.values() if "failed" in state]
    assert run.recording.troubles == []
    assert len(run.recording.requests) == len(CALLS) + 1
    kinds = {
        wire.SPAN_KINDS[kind] for kind in ("middleware", "dependency", "thread", "sleep", "gc")
    }
    assert kinds <= set(run.recording.spans["kind"].tolist())


def test_a_thread_that_cannot_start_costs_only_the_watcher(
    tmp_path: Path, bare: Answers, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    class Refusing(watch.threading.Thread):
        def start(self) -> None:
            if self.name == "slowpath":
                raise RuntimeError("can't start new thread")
            super().start()

    monkeypatch.setattr(watch.threading, "Thread", Refusing)
    with probed(tmp_path, strict=False) as run:
        assert answers() == bare
    assert len(run.recording.requests) == len(CALLS) + 1  # written at the end
    assert capfd.readouterr() == ("", "")


def hooks_of_the_probe() -> Iterator[str]:
    yield from (one.name for one in [loop.LOOP, *asgi.HOOKS, *library_hooks()])


@pytest.mark.parametrize("name", sorted(set(hooks_of_the_probe())))
def test_a_hook_that_cannot_be_installed_leaves_the_others_and_the_app_alone(
    tmp_path: Path, bare: Answers, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    originals = Probe.install

    def install(probe: Probe) -> None:
        [one] = [one for one in probe.hooks if one.name == name]
        monkeypatch.setattr(one, "install", refuse)
        originals(probe)

    monkeypatch.setattr(Probe, "install", install)
    with probed(tmp_path, strict=False) as run:
        assert answers() == bare
    state = run.states[name]
    assert state == "absent" or state.startswith(("off: ArithmeticError", "off: version"))
    others = [state for other, state in run.states.items() if other != name]
    assert not [state for state in others if "Error" in state]


def test_the_probe_says_nothing_of_a_folder_it_cannot_make(
    tmp_path: Path, bare: Answers, capfd: Any
) -> None:
    (tmp_path / "file").write_text("")
    slowpath.probe.install(str(tmp_path / "file" / "run"))
    assert slowpath.probe.installed() is None
    assert answers() == bare
    assert capfd.readouterr() == ("", "")
