"""The report as machines read it: the contract of version 1, as a JSON schema."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest

from slowpath.errors import UserError
from slowpath.ledger import CHARGE
from slowpath.report import Report, build, load, save
from tests.report.runs import (
    BLOCKING,
    BLOCKING_CALL,
    HANDLER,
    MS,
    QUERY,
    RUN,
    SITES,
    call,
    finding,
    ledger,
    placed,
    recording,
    request,
)
from tests.report.samples import SAMPLES, sick

SHARE = {"type": "number", "minimum": 0, "maximum": 1}
TIME = {"type": "number", "minimum": 0}
COUNT = {"type": "integer", "minimum": 0}
WORDS = {"type": "string", "minLength": 1}


def or_null(schema):
    return {"anyOf": [schema, {"type": "null"}]}


def record(**properties):
    """An object with all of these keys, and perhaps more: version 1 adds, never changes."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def listing(schema):
    return {"type": "array", "items": schema}


SEGMENTS = {"type": "object", "additionalProperties": TIME}
FIGURES = {name: or_null(TIME) for name in ("p50_ms", "p95_ms", "p99_ms")}
SCHEMA = record(
    version={"const": 1},
    run={"type": "object"},
    load=record(users=or_null(COUNT), rps=TIME, errors=SHARE, **FIGURES),
    endpoints=listing(
        record(
            method=WORDS,
            route={"type": "string"},
            count={"type": "integer", "minimum": 1},
            p50_ms=TIME,
            p95_ms=TIME,
            p99_ms=TIME,
            explained=SHARE,
            segments=SEGMENTS,
        )
    ),
    simulation=record(replay_error=or_null(TIME)),
    findings=listing(
        record(
            cause=WORDS,
            path=WORDS,
            line={"type": "integer", "minimum": 1},
            function={"type": "string"},
            endpoints=listing(record(method=WORDS, route=WORDS, share=SHARE)),
            charged_ms_per_request=or_null(TIME),
            share_of_p95=or_null(SHARE),
            predicted=or_null(record(p95_ms=TIME, rps=TIME, low=TIME, high=TIME)),
            evidence={"type": "object"},
            seen_by={**listing({"enum": ["scan", "run"]}), "minItems": 1},
            cure={"enum": ["safe", "unsafe", "none"]},
        )
    ),
    probe=record(
        dropped=COUNT,
        hooks={"type": "object", "additionalProperties": {"type": "string"}},
        overhead_ms_per_request=or_null(TIME),
    ),
)


@pytest.mark.parametrize("name", SAMPLES)
def test_report_json_keeps_the_contract(name, tmp_path):
    save(SAMPLES[name](tmp_path), tmp_path)
    content = json.loads((tmp_path / "report.json").read_text())
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(content, SCHEMA)
    assert set(content) >= set(Report.__required_keys__)


def test_what_is_loaded_is_what_was_saved(tmp_path):
    report = sick(tmp_path)
    save(report, tmp_path)
    assert load(tmp_path) == report


def test_the_load_is_what_the_client_saw_within_the_window():
    run = recording(
        [request(i, took_ms=10) for i in range(1, 6)],
        client=[
            *(call(i, took_ms=took) for i, took in enumerate([20, 30, 40, 50, 60], 1)),
            call(6, took_ms=70, status=503),
            call(7, took_ms=1, error="Unfinished"),
            call(8, at_ms=2500, took_ms=9000),
        ],
    )
    load = build(run, ledger(run), [])["load"]
    assert load["seen_by"] == "client"
    assert (load["requests"], load["rps"], load["users"]) == (6, 3.0, 10)
    assert (load["p50_ms"], load["p95_ms"]) == (45.0, 67.5)
    assert load["errors"] == pytest.approx(1 / 6, abs=1e-6)
    assert load["statuses"] == {"200": 5, "503": 1}
    assert (load["server"]["requests"], load["server"]["p95_ms"]) == (5, 10.0)


def test_without_a_client_the_server_tells_the_load():
    run = recording([request(1, took_ms=10), request(2, took_ms=30, status=500)])
    load = build(run, ledger(run), [])["load"]
    assert (load["seen_by"], load["users"], load["errors"]) == ("server", None, 0.5)
    assert (load["p50_ms"], load["rps"]) == (20.0, 1.0)


def test_a_stream_counts_to_its_first_byte():
    stream = request(1, took_ms=900)
    stream = replace(stream, streamed=True, first_byte_ns=stream.start_ns + 30 * MS)
    run = recording([stream])
    [endpoint] = build(run, ledger(run), [])["endpoints"]
    assert endpoint["p95_ms"] == 30.0


def test_an_endpoint_tells_its_segments_and_those_of_its_slowest():
    run = recording([request(i, took_ms=10) for i in range(1, 20)] + [request(20, took_ms=110)])
    parts = {"/users": [("sql", QUERY, 0.5), ("unattributed", 0, 0.1), ("loop", HANDLER, 0.4)]}
    [endpoint] = build(run, ledger(run, parts), [])["endpoints"]
    assert endpoint["segments"] == {"sql": 7.5, "loop": 6.0, "unattributed": 1.5}
    assert endpoint["segments_slow"] == {"sql": 55.0, "loop": 44.0, "unattributed": 11.0}
    assert endpoint["explained"] == 0.9


def test_the_wait_in_the_socket_is_told_beside_the_latency():
    run = recording([request(1, client_ms=30), request(2, client_ms=30)])
    waits = np.zeros(1, CHARGE)
    waits["request"], waits["start"], waits["end"] = 1, 0, 16 * MS
    [endpoint] = build(run, replace(ledger(run), accept_wait=waits), [])["endpoints"]
    assert endpoint["accept_wait_ms"] == 8.0
    assert (endpoint["p95_ms"], endpoint["client"]["p95_ms"]) == (10.0, 30.0)


def test_a_finding_tells_what_it_costs_each_endpoint():
    run = recording([request(1, "/a"), request(2, "/b", took_ms=30), request(3, "/b", took_ms=30)])
    book = ledger(
        run,
        {
            "/a": [("loop_wait", BLOCKING, 0.5), ("loop", HANDLER, 0.5)],
            "/b": [("loop", BLOCKING, 1.0)],
        },
    )
    [found] = build(run, book, [finding(BLOCKING_CALL, BLOCKING, book)])["findings"]
    assert found["endpoints"] == [
        {"method": "GET", "route": "/b", "charged_ms_per_request": 30.0, "share": 1.0},
        {"method": "GET", "route": "/a", "charged_ms_per_request": 5.0, "share": 0.5},
    ]
    assert found["charged_ms_per_request"] == pytest.approx(65 / 3, abs=1e-3)
    assert found["share_of_p95"] == pytest.approx(35 / 40, abs=1e-6)
    assert found["requests"] == 3


def test_what_only_a_scan_saw_is_charged_nothing(tmp_path):
    run = recording([request(1)])
    book = ledger(run)
    seen = finding(BLOCKING_CALL, BLOCKING, book, blame=None, seen_by=("scan",))
    report = build(run, book, [seen])
    [found] = report["findings"]
    assert (found["charged_ms_per_request"], found["share_of_p95"]) == (None, None)
    assert "seen in the code" in report["verdict"]


def test_paths_are_told_from_where_slowpath_ran(tmp_path):
    run = recording([request(1)], sites=[*placed(tmp_path), SITES[BLOCKING]])
    book = ledger(run, {"/users": [("loop", BLOCKING, 1.0)]})
    inside = finding(
        BLOCKING_CALL,
        BLOCKING,
        book,
        message=f"{tmp_path}/app/users.py:12 holds the connection.",
        evidence={"holders": [f"{tmp_path}/app/users.py:12"], "slow": np.float64(1.5)},
    )
    outside = finding(BLOCKING_CALL, len(SITES), book)
    first, second = build(run, book, [inside, outside], root=tmp_path)["findings"]
    assert first["path"] == "app/partners.py"
    assert first["message"] == "app/users.py:12 holds the connection."
    assert first["evidence"] == {"holders": ["app/users.py:12"], "slow": 1.5}
    assert second["path"] == SITES[BLOCKING].path


def test_the_line_of_source_is_told_with_its_neighbours(tmp_path):
    run = recording([request(1)], sites=placed(tmp_path))
    book = ledger(run, {"/users": [("loop", BLOCKING, 1.0)]})
    [found] = build(run, book, [finding(BLOCKING_CALL, BLOCKING, book)], tmp_path)["findings"]
    source = found["source"]
    assert (source["first_line"], len(source["lines"]), source["changed"]) == (2, 5, False)
    guilty = source["lines"][found["line"] - source["first_line"]]
    assert guilty == "        response = requests.get(self.url + path)"


@pytest.mark.parametrize(
    "path",
    ["app/gone.py", "app", "app/partners.py\0", "app/short.py"],
    ids=["no such file", "a folder", "no path at all", "a file that became shorter"],
)
def test_source_that_cannot_be_read_is_left_out(path, tmp_path):
    sites = placed(tmp_path)
    (tmp_path / "app" / "short.py").write_text("pass\n")
    sites[BLOCKING] = sites[BLOCKING]._replace(path=str(tmp_path / path))
    run = recording([request(1)], sites=sites)
    book = ledger(run, {"/users": [("loop", BLOCKING, 1.0)]})
    [found] = build(run, book, [finding(BLOCKING_CALL, BLOCKING, book)], tmp_path)["findings"]
    assert found["source"] is None


def test_source_in_an_odd_encoding_is_shown_all_the_same(tmp_path):
    sites = placed(tmp_path)
    path = tmp_path / "app" / "partners.py"
    path.write_bytes(b"a\nb\nc\nx = '\xff'  # not UTF-8\n")
    run = recording([request(1)], sites=sites)
    book = ledger(run, {"/users": [("loop", BLOCKING, 1.0)]})
    [found] = build(run, book, [finding(BLOCKING_CALL, BLOCKING, book)], tmp_path)["findings"]
    assert found["source"]["lines"][2] == "x = '\ufffd'  # not UTF-8"


DAMAGED = {
    "no report": (None, "has no report yet"),
    "half a report": ('{"version": 1, "run"', "is not JSON"),
    "a list": ("[]", "is not a report"),
    "an object": ('{"version": 1}', "is not a report"),
}


@pytest.mark.parametrize(("content", "sentence"), DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_report_is_told_in_a_sentence(content, sentence, tmp_path):
    if content is not None:
        (tmp_path / "report.json").write_text(content)
    with pytest.raises(UserError, match=sentence):
        load(tmp_path)


def test_a_report_of_another_version_is_not_shown(tmp_path):
    save({**sick(tmp_path), "version": 2}, tmp_path)
    with pytest.raises(UserError, match="version 2"):
        load(tmp_path)


def test_a_report_that_cannot_be_written_is_told_in_a_sentence(tmp_path):
    run = recording([request(1)], run=RUN)
    with pytest.raises(UserError, match="Cannot write"):
        save(build(run, ledger(run), []), tmp_path / "gone")
