"""What the page is drawn from: sums that agree with the ledger, and requests in full."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slowpath.ledger import ACTIVITIES
from slowpath.probe.wire import SPAN_KINDS
from slowpath.recording import Span
from slowpath.report.html.data import page_of
from slowpath.report.html.flame import stall_samples
from slowpath.report.html.grid import Grid, grids
from slowpath.report.html.palette import kinds
from slowpath.report.html.waterfall import stacked
from slowpath.report.kinds import KINDS
from tests.report.page.busy import POOL, SQL, busy
from tests.report.runs import MS


def rows(flat: list[float], width: int) -> Iterator[tuple[float, ...]]:
    assert len(flat) % width == 0
    return zip(*[iter(flat)] * width, strict=True)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("app")


@pytest.fixture(scope="module")
def run(root):
    return busy(300, root)


@pytest.fixture(scope="module")
def page(run, root):
    return page_of(*run, root=root)


def test_cells_hold_every_request_of_each_endpoint(run, page):
    for endpoint, cells in zip(run[0].endpoints, page["cells"], strict=True):
        count = len(endpoint.requests)
        assert sum(n for _, _, n in rows(cells["latency"], 3)) == count
        assert sum(n for _, _, n in rows(cells["groups"], 3)) == count
        assert sum(cells["bytes"]) == 100 * count


def test_segments_of_all_bins_are_those_of_the_ledger(run, page):
    ledger = run[0]
    for index, cells in enumerate(page["cells"]):
        found: Counter[str] = Counter()
        for activity, _, _, time in rows(cells["segments"], 4):
            found[page["kinds"][int(activity)]["activity"]] += time
        count = len(ledger.endpoints[index].requests)
        assert {name: time / count for name, time in found.items()} == pytest.approx(
            ledger.segments(index), abs=0.01
        )


def test_the_slowest_twentieth_is_a_group_of_its_own(run, page):
    slow = sum(n for group, _, n in rows(page["cells"][0]["groups"], 3) if group == 2)
    assert slow == len(run[0].endpoints[0].slow)


def test_a_bucket_holds_latencies_between_its_borders(run, page):
    smallest, ratio = page["buckets"]
    endpoint = run[0].endpoints[0]
    buckets = [
        bucket for _, bucket, n in rows(page["cells"][0]["latency"], 3) for _ in range(int(n))
    ]
    for bucket, latency_ns in zip(sorted(buckets), endpoint.latency_ns.tolist(), strict=True):
        low = smallest * ratio**bucket
        assert low * 0.999 <= latency_ns / 1e6 <= low * ratio * 1.001


def test_waits_are_blamed_on_the_line_and_the_endpoint_that_held(run, page):
    [(site, activity, _)] = page["culprits"]["lines"]
    assert page["places"][site][:2] == ("app/users.py", 12)
    assert activity == ACTIVITIES["sql"]
    blamed = sum(time for *_, time in rows(page["culprits"]["cells"], 4))
    waits = run[0].direct[run[0].direct["activity"] == ACTIVITIES["pool_wait"]]
    assert blamed == pytest.approx(float((waits["end"] - waits["start"]).sum()) / 1e6, abs=1)


def test_queries_are_counted_by_endpoint_with_their_rows_and_line(run, page):
    assert {call["endpoint"] for call in page["calls"]} == {0, 1, 2}
    for call in page["calls"]:
        count = sum(n for _, n, *_ in rows(call["cells"], 5))
        known = sum(n for *_, n in rows(call["cells"], 5))
        amount = sum(n for *_, n, _ in rows(call["cells"], 5))
        assert (call["kind"], page["words"][call["text"]]) == ("sql", SQL)
        assert page["places"][call["site"]][:2] == ("app/users.py", 12)
        assert count == known == len(run[0].endpoints[call["endpoint"]].requests)
        assert amount == 2 * count


def test_the_pool_shows_what_is_in_use_and_who_waits(run, page):
    [pool] = page["resources"]["pools"]
    assert (pool["name"], pool["size"]) == (POOL, 3)
    spans, (_, grid) = run[0].recording.spans, grids(run[0])
    for kind, level in (("pool_wait", pool["waiting"]), ("checkout", pool["in_use"])):
        own = spans[spans["kind"] == SPAN_KINDS[kind]]
        length = np.minimum(own["end"], grid.end_ns) - np.minimum(own["start"], grid.end_ns)
        mean = length.sum() / (grid.end_ns - grid.start_ns)
        assert np.mean(level) == pytest.approx(float(mean), rel=0.01)


def test_gauges_become_cores_and_bytes(page):
    assert set(page["resources"]["cpu"]) == {0.5}
    assert set(page["resources"]["rss"]) == {100_000_000}


def test_stalls_name_the_line_that_was_sampled(page):
    stalls = list(rows(page["resources"]["stalls"], 4))
    sampled = {page["places"][int(site)][0] for _, _, site, _ in stalls if site}
    assert sampled == {"app/partners.py"}
    assert all(time >= 10 and collecting == 0 for _, time, _, collecting in stalls)


def test_a_stall_without_a_line_of_the_app_names_the_innermost_frame(run, tmp_path):
    ledger, report = run
    samples = ledger.recording.samples.copy()
    samples["site"] = 0
    changed = replace(ledger, recording=replace(ledger.recording, samples=samples))
    page = page_of(changed, report, root=tmp_path)
    sites = {site for _, _, site, _ in rows(page["resources"]["stalls"], 4) if site}
    assert [page["places"][int(site)][1:3] for site in sites] == [(4, "Stock._get")]


def test_a_stall_says_how_much_of_it_was_garbage_collection_in_its_thread(run, tmp_path):
    ledger, report = run
    slices = ledger.recording.slices
    slices = slices[slices["start"] < grids(ledger)[1].end_ns]
    longest = slices[np.argmax(slices["end"] - slices["start"])]
    pauses = np.zeros(2, ledger.recording.spans.dtype)
    pauses["kind"] = SPAN_KINDS["gc"]
    pauses["thread"] = longest["thread"], longest["thread"] + 1
    # The first begins before the stall.
    pauses["start"] = longest["start"] - 3 * MS, longest["start"]
    pauses["end"] = longest["start"] + 5 * MS, longest["end"]
    spans = np.concatenate([ledger.recording.spans, pauses])
    changed = replace(ledger, recording=replace(ledger.recording, spans=spans))
    page = page_of(changed, report, root=tmp_path)
    length, collecting = max(
        (length, collecting) for _, length, _, collecting in rows(page["resources"]["stalls"], 4)
    )
    assert length == (longest["end"] - longest["start"]) / MS
    assert collecting == 5


def test_the_requests_kept_whole_are_the_slowest_the_median_and_a_typical_one(run, page):
    for index, endpoint in enumerate(run[0].endpoints):
        kept = [one for one in page["requests"] if one["endpoint"] == index]
        by_reason = {why: one for one in kept for why in one["why"]}
        assert set(by_reason) == {"slowest", "p95", "median", "typical"}
        latency = {why: one["latency"] for why, one in by_reason.items()}
        assert latency["slowest"] == endpoint.latency_ns[-1] / 1e6
        assert latency["median"] == pytest.approx(np.median(endpoint.latency_ns) / 1e6, rel=0.01)
        assert latency["median"] == latency["typical"] < latency["slowest"]


def test_a_whole_request_has_its_ledger_its_lanes_and_who_held_it_up(run, page):
    one = next(one for one in page["requests"] if one["number"] > 0)
    strip = list(rows(one["strip"], 5))
    names = [page["kinds"][int(activity)]["activity"] for activity, *_ in strip]
    assert names == ["pool_wait", "sql", "loop"]
    assert sum(length for _, _, length, _, _ in strip) == pytest.approx(one["wall"] * 1000, abs=3)
    main, child = one["lanes"]
    assert len(main["slices"]) == 2
    assert [page["kinds"][int(kind)]["activity"] for kind, *_ in rows(child["bars"], 6)] == [
        "pool_wait",
        "checkout",
        "sql",
    ]
    [holder] = one["holders"]
    assert holder["request"] == one["number"] - 1
    assert page["places"][holder["site"]][:2] == ("app/users.py", 12)
    assert holder["ms"] == pytest.approx(one["wall"] * 0.4, rel=0.01)


def test_spans_within_others_are_drawn_below_them():
    def span(start, end):
        return Span(17, 0, 0, 1, 0, 0, start, end, -1, -1)

    spans = [span(0, 100), span(0, 40), span(10, 20), span(50, 90), span(100, 110)]
    assert stacked(spans) == [0, 1, 2, 1, 0]


def test_samples_stand_for_the_whole_stall(run):
    ledger = run[0]
    slices = ledger.recording.slices
    stalled = {(row["line"], row["slice_start"]) for row in ledger.recording.samples}
    time = sum(
        int(row["end"] - row["start"]) for row in slices if (row["line"], row["start"]) in stalled
    )
    weighed = stall_samples(ledger.recording)
    assert sum(sample.ns for sample in weighed) == time
    # The first sample is at a quarter, the second speaks for all the rest.
    assert weighed[0].ns * 3 == pytest.approx(weighed[1].ns, rel=0.01)


def test_the_flame_graph_is_a_tree_of_callers(page):
    [flame] = page["flames"]
    nodes = list(rows(flame["nodes"], 2))
    names = [(page["places"][int(site)][2], int(parent)) for parent, site in nodes]
    assert names == [("list_users", -1), ("list_users", 0), ("Stock._get", 0)]
    assert all(parent < number for number, (_, parent) in enumerate(names))


# How fast this machine draws is not what is tested.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(-50, 150), st.integers(0, 80)), max_size=8))
def test_the_mean_level_is_the_time_that_intervals_cover(intervals):
    grid = Grid(0, 100, 5)
    starts = [start for start, _ in intervals]
    ends = [start + length for start, length in intervals]
    level = grid.mean_level(np.array(starts), np.array(ends))
    expected = [
        sum(
            max(0, min(end, low + 20) - max(start, low))
            for start, end in zip(starts, ends, strict=True)
        )
        / 20
        for low in range(0, 100, 20)
    ]
    assert level.tolist() == pytest.approx(expected)


def test_many_endpoints_get_fewer_bins(tmp_path):
    routes = tuple(f"/r{number}" for number in range(200))
    ledger, _ = busy(400, tmp_path, routes=routes)
    fine, coarse = grids(ledger)
    assert (fine.bins, coarse.bins) == (240, 6)


def test_every_activity_has_a_colour_of_its_own():
    known = [kind for kind in kinds() if kind["activity"]]
    assert {kind["activity"] for kind in known} >= set(KINDS)
    assert len({kind["colour"] for kind in known}) == len(known)
    assert len({kind["letter"] for kind in known}) == len(known)


def test_a_run_of_200_000_requests_makes_a_small_page(tmp_path):
    routes = tuple(f"/v1/things/{number}" for number in range(101))
    page = page_of(*busy(200_000, tmp_path, routes=routes, spread=1.0))
    assert sum(endpoint["count"] for endpoint in page["report"]["endpoints"]) == 200_000
    # The file has 100 kB of code besides.
    assert len(json.dumps(page)) < 4_000_000


def test_a_run_whose_recording_is_gone_still_has_a_page(run, tmp_path):
    from slowpath.ledger import build as keep_books
    from slowpath.recording import load

    page = page_of(keep_books(load(tmp_path)), run[1])
    assert page["report"]["endpoints"] == run[1]["endpoints"]
    assert page["cells"] == page["requests"] == page["flames"] == []


def test_times_count_from_the_window(run, page):
    assert page["grid"]["length_ms"] == 301
    first = min(one["start"] for one in page["requests"])
    assert 0 <= first < 301
