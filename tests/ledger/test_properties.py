"""What holds for every recording, however odd: nothing is charged twice, nothing is lost."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slowpath.ledger import ACTIVITY_NAMES, Ledger, Mode, build
from slowpath.ledger.rows import Rows
from slowpath.probe.wire import SPAN_KINDS
from slowpath.recording import Recording
from tests.ledger.builder import MS, Builder

#: Times are few and coarse, so that borders meet often; some are a nanosecond off.
TIMES = st.integers(0, 60).flatmap(lambda ms: st.sampled_from((ms, ms + 0.3, ms + 1e-6)))
KINDS = st.sampled_from(sorted(SPAN_KINDS))
SHORT = st.lists(TIMES, min_size=0, max_size=8, unique=True).map(sorted)


@st.composite
def intervals(draw: Any) -> list[tuple[float, float]]:
    """Disjoint intervals in order; some touch."""
    times = draw(SHORT)
    if draw(st.booleans()):
        return list(pairwise(times))[: len(times) // 2]
    return list(zip(times[::2], times[1::2], strict=False))


@st.composite
def recordings(draw: Any) -> Recording:
    """Recordings with all that a server may do, and much that it should not."""
    made = Builder()
    sites = [0, *(made.site("app.py", i, f"f{i}") for i in range(1, 6))]
    texts = ["", "one", "two"]
    lines: list[int] = []
    mains: list[int] = []

    def some_span(line: int) -> None:
        start, end = sorted((draw(TIMES), draw(TIMES)))
        a = draw(st.sampled_from((-1, 0, 1, 2, *(number & 0xFFFFFFFF for number in lines))))
        made.span(
            line,
            draw(KINDS),
            start,
            end,
            draw(st.sampled_from(sites)),
            draw(st.sampled_from(texts)),
            a=a,
            b=draw(st.sampled_from((-1, 1, 2))),
            sync=draw(st.booleans()),
        )

    def work(line: int, thread: int = 1) -> None:
        for start, end in draw(intervals()):
            length = round((end - start) * MS)
            most = draw(st.sampled_from((-1, 0, length // 3, length)))
            made.slice(
                line, start, end, thread=thread, most=most, least=min(most, length // 4, most)
            )
            for _ in range(draw(st.integers(0, 2))):
                at = draw(st.floats(start, end))
                clock = draw(st.integers(-1, 60))
                site = draw(st.sampled_from(sites))
                made.sample(line, start, at, site, cpu=clock, process_cpu=clock * 2, thread=thread)
        for _ in range(draw(st.integers(0, 4))):
            some_span(line)

    for _ in range(draw(st.integers(0, 4))):
        start, end = sorted((draw(TIMES), draw(TIMES)))
        process = draw(st.integers(0, 1))
        again = [m for m in mains if m >> 32 == process]
        first_byte = draw(st.none() | TIMES)
        main = made.request(
            start,
            end,
            handler=draw(st.sampled_from(sites)),
            route=draw(st.sampled_from(("/a", "/b"))),
            process=process,
            line=draw(st.sampled_from(again)) if again and draw(st.booleans()) else 0,
            first_byte=first_byte,
            sent=draw(st.none() | TIMES),
            streamed=draw(st.booleans()),
            websocket=draw(st.booleans()),
            cancelled=draw(st.booleans()),
            disconnected=draw(st.booleans()),
        )
        if main not in mains:
            mains.append(main)
            lines.append(main)
            work(main)
        for _ in range(draw(st.integers(0, 3))):
            parent = draw(st.sampled_from([line for line in lines if line >> 32 == process]))
            site = draw(st.sampled_from(sites))
            if draw(st.booleans()):
                child = made.task(main, draw(TIMES), parent=parent, site=site)
                work(child)
            else:
                asked, begun, ended = sorted((draw(TIMES), draw(TIMES), draw(TIMES)))
                thread = draw(st.integers(100, 101))
                child = made.job(
                    parent, asked, begun, ended, request=main, site=site, thread=thread
                )
                some_span(child)
            lines.append(child)
    for _ in range(draw(st.integers(0, 1))):
        work(made.task(0, draw(TIMES), site=draw(st.sampled_from(sites))))
    if draw(st.booleans()):
        made.run = {"window": {"start_ns": made.requests[0].start_ns}} if made.requests else {}
    return made.recording()


def sums(rows: Rows, *names: str) -> dict[tuple[int, ...], int]:
    """Return ns by the values of some columns."""
    result: dict[tuple[int, ...], int] = {}
    for row in rows:
        key = tuple(int(row[name]) for name in names)
        result[key] = result.get(key, 0) + int(row["end"] - row["start"])
    return result


def check_adds_up(ledger: Ledger, rows: Rows) -> None:
    """Assert that charges cover each request from start to end, once."""
    assert (rows["end"] > rows["start"]).all()
    assert (np.diff(rows["request"]) >= 0).all()
    for index, request in enumerate(ledger.requests):
        mine = rows[rows["request"] == index]
        if request.wall_ns:
            assert (mine["start"][0], mine["end"][-1]) == (request.start_ns, request.end_ns)
        assert (mine["start"][1:] == mine["end"][:-1]).all()
        assert (mine["end"] - mine["start"]).sum() == request.wall_ns


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(recordings())
def test_every_nanosecond_is_charged_once(recording: Recording) -> None:
    ledger = build(recording)
    for rows in (ledger.direct, ledger.root):
        check_adds_up(ledger, rows)
        assert set(rows["activity"].tolist()) <= set(ACTIVITY_NAMES)
        assert set(rows["culprit_activity"].tolist()) <= set(ACTIVITY_NAMES)
        assert (rows["culprit_request"] >= -1).all()
        assert (rows["culprit_request"] < len(ledger.requests)).all()
    # Blame moves to culprits; where a request stood does not change by it.
    own = ("request", "activity", "mode", "site", "resource")
    assert sums(ledger.direct, *own) == sums(ledger.root, *own)
    # Work is nobody else's fault, but for who had the GIL or what a thread waited for.
    work = ledger.root[np.isin(ledger.root["mode"], (Mode.CPU, Mode.BLOCKED, Mode.THREAD_CPU))]
    assert (work["culprit_site"] == work["site"]).all()
    assert (work["culprit_activity"] == work["activity"]).all()


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(recordings())
def test_what_is_beside_the_path_stays_within_its_request(recording: Recording) -> None:
    ledger = build(recording)
    for row in ledger.overlapped:
        request = ledger.requests[row["request"]]
        assert request.start_ns <= row["start"] < row["end"] <= request.end_ns
    for row in ledger.accept_wait:
        request = ledger.requests[row["request"]]
        assert request.client is not None
        assert request.client.start_ns <= row["start"] < row["end"] <= request.start_ns


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(recordings())
def test_aggregates_agree_with_the_charges(recording: Recording) -> None:
    ledger = build(recording)
    everything = ledger.blame(np.ones(len(ledger.root), np.bool_))
    counted = ledger.root[ledger.latency(ledger.root)]
    assert everything.total_ns == (counted["end"] - counted["start"]).sum()
    assert everything.slow_ns == ledger.slow_ns
    for index, endpoint in enumerate(ledger.endpoints):
        assert 0.0 <= ledger.explained(index) <= 1.0
        total = sum(ledger.segments(index).values()) * len(endpoint.requests)
        assert abs(total - everything.by_endpoint.get(index, 0) / 1e6) < 1e-6
