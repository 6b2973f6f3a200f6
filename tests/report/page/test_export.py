"""What other viewers get: whole, nested as they need it, and with the arrows of blame."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from slowpath.ledger import ACTIVITIES
from slowpath.recording.model import SLICE
from slowpath.report.export import perfetto, speedscope
from tests.report.page.busy import busy
from tests.report.runs import MS


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("app")
    return busy(60, root)[0], root


@pytest.fixture(scope="module")
def trace(run):
    return json.loads("".join(perfetto(*run)))["traceEvents"]


def test_speedscope_gets_all_request_time_by_endpoint_kind_and_line(run):
    file = json.loads(speedscope(*run))
    frames = [(frame["name"], frame.get("file")) for frame in file["shared"]["frames"]]
    profile = file["profiles"][1]
    assert (
        profile["endValue"]
        == sum(profile["weights"])
        == sum(request.wall_ns for request in run[0].requests)
    )
    heaviest = [frames[frame] for frame in profile["samples"][0]]
    assert heaviest[0] == ("GET /users", None)
    assert heaviest[2] == ("list_users", "app/users.py")


def test_speedscope_gets_stacks_callers_first(run):
    file = json.loads(speedscope(*run))
    frames = file["shared"]["frames"]
    [first, _] = file["profiles"][0]["samples"]
    assert [frames[frame]["line"] for frame in first] == [9, 12]
    weights = file["profiles"][0]["weights"]
    assert weights == sorted(weights, reverse=True)


def test_perfetto_gets_each_request_and_its_spans_in_order(trace):
    depth: Counter[tuple[str, str]] = Counter()
    names: dict[tuple[str, str], list[str]] = {}
    for event in trace:
        if event["ph"] in "be":
            key = (event["cat"], event["id"])
            depth[key] += 1 if event["ph"] == "b" else -1
            assert depth[key] >= 0
            names.setdefault(key, []).append(f"{event['ph']} {event['name']}")
    assert set(depth.values()) == {0}
    assert names["request", "0"] == ["b GET /users", "e GET /users"]
    assert names["task", "0.61"] == [
        "b pool wait", "e pool wait", "b checkout", "b sql", "e sql", "e checkout",
    ]  # fmt: skip


def test_perfetto_gets_slices_of_the_loop_by_request(trace):
    slices = [event for event in trace if event["ph"] == "X"]
    assert len(slices) == 60
    assert slices[0]["name"] == "GET /users"
    assert slices[0]["dur"] == pytest.approx(20_000)


def test_perfetto_gets_counters(trace):
    counters = {event["name"] for event in trace if event["ph"] == "C"}
    assert {"loop busy", "CPU cores", "waiting: postgresql+asyncpg db/shop"} <= counters


def test_an_arrow_leads_from_who_held_the_loop_to_who_waited(tmp_path):
    ledger, _ = busy(3, tmp_path)
    first, second = (ledger.requests[i].line for i in (0, 1))
    slices = np.zeros(2, SLICE)
    slices["line"], slices["start"], slices["end"] = (
        [first, second],
        [MS, 9 * MS],
        [9 * MS, 10 * MS],
    )
    ledger.recording.slices = slices
    wait = ledger.root[:1].copy()
    wait["request"], wait["culprit_request"] = 1, 0
    wait["start"], wait["end"] = 2 * MS, 9 * MS
    wait["activity"] = ACTIVITIES["loop_wait"]
    ledger.root = wait
    events = json.loads("".join(perfetto(ledger, tmp_path)))["traceEvents"]
    [start] = [event for event in events if event["ph"] == "s"]
    [end] = [event for event in events if event["ph"] == "f"]
    assert start["id"] == end["id"]
    assert (start["ts"], end["ts"]) == pytest.approx((2000, 9000), abs=1)


def test_a_run_without_requests_is_exported_too(tmp_path):
    from slowpath.ledger import build
    from slowpath.recording import load

    empty = build(load(tmp_path))
    assert json.loads("".join(perfetto(empty, tmp_path)))["traceEvents"]
    assert json.loads(speedscope(empty, tmp_path))["profiles"][0]["samples"] == []
