"""What a run could not see, what may be wrong, and the headline."""

from __future__ import annotations

import pytest

from slowpath.report import build
from slowpath.report.blind import hook_states, isolating_flags
from tests.report.runs import (
    BLOCKING,
    BLOCKING_CALL,
    HANDLER,
    RUN,
    call,
    finding,
    ledger,
    process,
    recording,
    request,
)

ENOUGH = [request(i) for i in range(1, 21)]


def blind(run, parts=None):
    """What the report of a run says that it could not see, by kind."""
    return {one["kind"]: one["message"] for one in build(run, ledger(run, parts), [])["blind"]}


def test_a_run_that_saw_all_is_blind_to_nothing():
    seen = [request(i, client_ms=12) for i in range(1, 21)]
    assert blind(recording(seen)) == {}


def test_dropped_records_are_told_by_process():
    run = recording(ENOUGH, processes=[process(41), process(42, dropped=1204)])
    assert "Process 42 dropped 1,204 records" in blind(run)["dropped-records"]
    assert build(run, ledger(run), [])["probe"]["dropped"] == 1204


def test_a_torn_file_is_told():
    run = recording(ENOUGH, troubles=["probe-7.bin ends in 9 bytes of an unfinished frame"])
    assert blind(run)["unreadable"] == "probe-7.bin ends in 9 bytes of an unfinished frame."


def test_a_hook_that_is_off_in_one_process_is_told():
    hooks = {"asyncpg": "off: failed with KeyError (line 12)"}
    run = recording(ENOUGH, processes=[process(hooks=hooks), process(hooks={"asyncpg": "on"})])
    assert hook_states(run.processes) == hooks
    told = blind(run)["hook-off"]
    assert "asyncpg" in told
    assert "failed with KeyError (line 12)" in told


def test_hooks_that_are_on_need_no_word():
    assert "hook-off" not in blind(recording(ENOUGH, processes=[process(hooks={"redis": "on"})]))


@pytest.mark.parametrize(("share", "told"), [(0.015, False), (0.03, True)])
def test_unattributed_time_is_told_above_two_percent(share, told):
    parts = {"/users": [("unattributed", 0, share), ("loop", HANDLER, 1 - share)]}
    assert ("unattributed" in blind(recording(ENOUGH), parts)) is told


def test_answers_that_no_process_recorded_are_told_by_name():
    client = [one.client for one in (request(i, client_ms=9) for i in range(1, 21))]
    run = recording(
        [request(i, client_ms=9) for i in range(1, 21)],
        client=[*client, *(call(i, "/static") for i in range(21, 26))],
    )
    assert "5 of the client's 25 answered requests (20%)" in blind(run)["unseen-requests"]
    assert "GET /static (5)" in blind(run)["unseen-requests"]


def test_calls_outside_the_window_and_without_an_answer_are_not_missed():
    seen = [request(i, client_ms=9) for i in range(1, 21)]
    others = [
        call(50, at_ms=9000),
        call(51, status=0, error="Timeout"),
        call(52, error="Unfinished"),
    ]
    run = recording(seen, client=[*(one.client for one in seen), *others])
    assert "unseen-requests" not in blind(run)


def test_a_request_that_began_in_the_warm_up_was_seen():
    client = call(99, at_ms=1)
    run = recording([*ENOUGH, request(99, at_ms=-5, took_ms=9, client=client)], client=[client])
    assert "unseen-requests" not in blind(run)


def test_few_requests_are_told():
    run = recording([*ENOUGH, request(21, "/rare")])
    assert "GET /rare (1)" in blind(run)["few-requests"]
    assert "/users" not in blind(run)["few-requests"]


def hints(**more):
    run = recording(**more)
    report = build(run, ledger(run), [])
    assert report["endpoints"] == []
    assert report["verdict"].startswith("Nothing was recorded")
    return " ".join(report["hints"])


def test_nothing_recorded_and_no_process():
    told = hints(processes=[], run=RUN | {"command": ["node", "server.js"]})
    assert "PYTHONPATH" in told
    assert "No request was sent" in told


def test_nothing_recorded_because_python_is_isolated():
    told = hints(processes=[], run=RUN | {"command": ["/usr/bin/python3.12", "-I", "-m", "x"]})
    assert "The command passes -I" in told


def test_nothing_recorded_though_the_probe_ran():
    told = hints(processes=[process(77)], client=[call(1)])
    assert "process 77" in told
    assert "WSGI" in told
    assert "The client got 1 answer" in told


def test_nothing_recorded_because_nothing_was_answered():
    told = hints(processes=[], client=[call(1, status=0, error="ConnectionRefused")])
    assert "answered none" in told
    assert "app.log" in told


def test_nothing_measured_because_all_was_warm_up():
    assert "longer --duration" in hints(requests=[request(1, at_ms=-50)])


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        ("python -m uvicorn app:app -I", []),
        ("python -X dev -E main.py", ["-E"]),
        ("python -Wignore::I main.py", []),
        ("python -S -c 0", ["-S"]),
        ("uvicorn -I", []),
        ("python main.py -I", []),
        ("", []),
    ],
)
def test_flags_that_keep_the_probe_out(command, flags):
    assert isolating_flags(command.split()) == flags


def test_the_headline_names_the_worst_line():
    run = recording(ENOUGH)
    book = ledger(run, {"/users": [("loop", BLOCKING, 0.8), ("loop", HANDLER, 0.2)]})
    report = build(run, book, [finding(BLOCKING_CALL, BLOCKING, book)])
    assert report["verdict"] == (
        "A synchronous call blocks the event loop: /srv/app/partners.py:4 is charged 80% of the "
        "time of the slowest requests."
    )


@pytest.mark.parametrize(("failing", "loud"), [(2, False), (15, True)])
def test_the_headline_is_loud_when_most_requests_fail(failing, loud):
    run = recording(
        request(i, status=500 if i <= failing else 200, client_ms=11) for i in range(1, 21)
    )
    assert ("MEAN LITTLE" in build(run, ledger(run), [])["verdict"]) is loud


def test_a_few_requests_without_a_finding_prove_nothing():
    run = recording([request(1)])
    assert "1 request cannot tell much" in build(run, ledger(run), [])["verdict"]
