"""What other viewers get: whole, nested as they need it, and with the arrows of blame.

speedscope's own schema is in `vendor/` (of its npm package, release 1.25.0). Trace events have
none; `breaches` holds the rules of the published Trace Event Format for the phases in use.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from slowpath.ledger import ACTIVITIES
from slowpath.recording.model import SLICE
from slowpath.report.export import perfetto, speedscope
from slowpath.report.stacks import parse
from tests.report.page.busy import busy
from tests.report.runs import MS

SCHEMA = json.loads(
    (Path(__file__).parent / "vendor" / "speedscope" / "file-format-schema.json").read_text()
)
#: What events of a phase must have, beside `name`, `ph`, `pid`.
REQUIRED = {
    "X": ("ts", "tid", "dur"),
    "b": ("ts", "cat", "id"),
    "e": ("ts", "cat", "id"),
    "s": ("ts", "tid", "cat", "id"),
    "f": ("ts", "tid", "cat", "id"),
    "C": ("ts", "args"),
    "M": ("args",),
}
#: Times are µs with fractions, so that a nanosecond may be lost to rounding.
SLACK_US = 0.0015


def breaches(events: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Yield what of a list of events is against the Trace Event Format."""
    slices = defaultdict(list)
    flows = defaultdict(list)
    open_spans: Counter[tuple[Any, ...]] = Counter()
    for event in events:
        phase = event.get("ph")
        for name in ("name", "pid", *REQUIRED.get(phase, ("a phase that is known",))):
            if name not in event:
                yield f"{event} lacks {name}"
        kinds = (("ts", (int, float)), ("dur", (int, float)), ("pid", int), ("tid", int))
        for name, kind in kinds:
            if name in event and not isinstance(event[name], kind):
                yield f"{event} has a strange {name}"
        if phase == "X":
            if event["dur"] < 0:
                yield f"{event} ends before it begins"
            slices[event["pid"], event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
        elif phase in ("b", "e"):
            key = (event["cat"], event["id"], event["name"])
            open_spans[key] += 1 if phase == "b" else -1
            if open_spans[key] < 0:
                yield f"{event} ends what did not begin"
        elif phase in ("s", "f"):
            flows[event["cat"], event["id"], event["name"]].append(event)
        elif phase == "C" and not all(
            isinstance(value, (int, float)) for value in event["args"].values()
        ):
            yield f"{event} counts what is no number"
        elif phase == "M" and not isinstance(event["args"].get("name"), str):
            yield f"{event} names nothing"
    yield from (f"{key} is left open" for key, count in open_spans.items() if count)
    for thread, own in slices.items():
        own.sort(key=lambda one: (one[0], -one[1]))
        ends: list[float] = []
        for start, end in own:
            while ends and ends[-1] <= start + SLACK_US:
                ends.pop()
            if ends and end > ends[-1] + SLACK_US:
                yield f"slices of {thread} overlap at {start}"
            ends.append(end)
    for key, pair in flows.items():
        if [event["ph"] for event in pair] != ["s", "f"] or pair[0]["ts"] > pair[1]["ts"]:
            yield f"{key} is no arrow"
        for event in pair:
            own = slices[event["pid"], event["tid"]]
            at = event["ts"]
            if not any(start - SLACK_US <= at <= end + SLACK_US for start, end in own):
                yield f"{event} is bound to no slice"


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


def test_speedscope_gets_what_its_schema_asks_for(run):
    validator = jsonschema.Draft7Validator(SCHEMA)
    file = json.loads(speedscope(*run, stacks=parse("process 8;main (/srv/main.py:3) 30\n")))
    assert len(file["profiles"]) == 3
    validator.validate(file)
    # It does tell a file that is none.
    for spoilt in ({"profiles": [{}]}, {"shared": {"frames": [{"line": 3}]}}):
        assert not validator.is_valid({**file, **spoilt})
    frames = len(file["shared"]["frames"])
    for profile in file["profiles"]:
        assert len(profile["samples"]) == len(profile["weights"])
        assert all(0 <= frame < frames for stack in profile["samples"] for frame in stack)
        assert profile["endValue"] - profile["startValue"] == sum(profile["weights"])


def test_perfetto_gets_events_by_the_rules_of_their_format(trace):
    # The hand-made run has one loop do several things at once, which no recorded one can.
    assert [one for one in breaches(trace) if "overlap" not in one] == []
    spoilt = [event for event in trace if event["ph"] != "e"]
    assert any("left open" in one for one in breaches(spoilt))


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
    assert list(breaches(events)) == []


def test_a_run_without_requests_is_exported_too(tmp_path):
    from slowpath.ledger import build
    from slowpath.recording import load

    empty = build(load(tmp_path))
    assert json.loads("".join(perfetto(empty, tmp_path)))["traceEvents"]
    assert json.loads(speedscope(empty, tmp_path))["profiles"][0]["samples"] == []
