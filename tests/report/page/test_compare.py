"""Two runs held against each other: certain changes, noise, findings, gates, page and text."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from slowpath.errors import UserError
from slowpath.report.compare import Sample, Side, compare, difference
from slowpath.report.compare_gates import judge, parse
from slowpath.report.compare_text import render
from slowpath.report.html import compare_page
from tests.report.page.busy import busy

SECOND = 1_000_000_000


def sample(mean_ms: float, count: int = 2000, seed: int = 0, bad: float = 0.0) -> Sample:
    """Draw latencies over 20 s."""
    random = np.random.default_rng(seed)
    took = random.lognormal(np.log(mean_ms), 0.5, count) * 1e6
    start = np.sort(random.integers(0, 20 * SECOND, count))
    failures = random.random(count) < bad
    return Sample.of(start.tolist(), took.astype(int).tolist(), failures.tolist(), 20.0)


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    made = []
    for name, spread in (("before", 0.0), ("after", 0.4)):
        root = tmp_path_factory.mktemp(name)
        ledger, report = busy(300, root, spread=spread)
        made.append(Side(name, report, ledger))
    return made


@pytest.fixture(scope="module")
def comparison(sides):
    return compare(*sides)


def test_a_change_of_a_half_is_certain():
    found = difference("p95", "p95", sample(100), sample(150, seed=1))
    assert found["verdict"] == "worse"
    assert found["low"] > 0.3
    assert found["low"] < found["change"] < found["high"]


def test_the_same_app_twice_is_no_change():
    for seed in range(1, 6):
        found = difference("p50", "p50", sample(100), sample(100, seed=seed))
        assert found["verdict"] in ("same", "unclear")


def test_more_requests_a_second_are_better():
    found = difference("rps", "rps", sample(100, 1000), sample(100, 2000, seed=1))
    assert found["verdict"] == "better"
    assert found["change"] == 1.0


def test_the_interval_holds_the_truth_nineteen_times_of_twenty():
    # 40 pairs whose medians differ by exactly 20 %: more than 6 misses are 1 in 300.
    misses = 0
    for seed in range(40):
        found = difference("p50", "p50", sample(100, 800, seed), sample(120, 800, 1000 + seed))
        misses += not found["low"] <= 0.2 <= found["high"]
    assert misses <= 6


def test_a_burst_is_no_proof():
    # One slow second of twenty makes p95; resampling requests would call that certain.
    start = [at * SECOND // 100 for at in range(2000)]
    calm = Sample.of(start, [10_000_000] * 2000, [False] * 2000, 20.0)
    took = [90_000_000 if 500 <= i < 620 else 10_000_000 for i in range(2000)]
    burst = Sample.of(start, took, [False] * 2000, 20.0)
    assert difference("p95", "p95", calm, burst)["verdict"] == "unclear"


def test_few_requests_have_no_interval():
    found = difference("p95", "p95", sample(100, 10), sample(900, 10, seed=1))
    assert (found["low"], found["verdict"]) == (None, "unclear")
    assert found["change"] > 1


def test_no_requests_have_no_figures():
    found = difference("p95", "p95", sample(100), Sample.of([], [], [], 0.0))
    assert (found["after"], found["change"], found["verdict"]) == (None, None, "unclear")


def test_findings_are_the_same_although_their_lines_moved(sides):
    before, after = sides
    moved = [dict(finding, line=finding["line"] + 7) for finding in after.report["findings"]]
    moved[1]["cause"] = "slow-query"
    found = compare(before, Side("after", {**after.report, "findings": moved}, after.ledger))
    assert [one["cause"] for one in found["kept"]] == ["blocking-call"]
    assert [one["cause"] for one in found["new"]] == ["slow-query"]
    assert [one["cause"] for one in found["gone"]] == ["n-plus-one"]


def test_other_conditions_are_told(sides):
    before, after = sides
    run = {**after.report["run"], "cpus": 8}
    found = compare(before, Side("after", {**after.report, "run": run}, after.ledger))
    assert "The runs differ in cpus: 2 and 8." in found["notes"]


@pytest.mark.parametrize(
    ("text", "fails"),
    [
        ("p95>+10%", True),
        ("p95>+900%", False),
        ("p95>+1ms", True),
        ("p95 > 5ms", True),
        ("p95>5000ms", False),
        ("rps<-5%", False),
        ("errors>1%", True),
        ("errors>+1%", False),
        ("new-findings>0", False),
        ("new-findings>=0", True),
    ],
)
def test_gates(text, fails):
    gate = parse(text)
    slow, slower = sample(100, bad=0.02), sample(150, seed=1, bad=0.02)
    overall = [difference(metric, metric, slow, slower) for metric in ("p95", "rps", "errors")]
    told = {"overall": overall, "new": []}
    assert judge(gate, told).failed is fails


def test_a_gate_lets_noise_pass_and_says_so():
    # The estimate is past the bound, but no change is within the interval.
    noisy = difference("p99", "p99", sample(100, 60), sample(100, 60, seed=3))
    assert noisy["low"] < 0 < noisy["high"]
    noisy["change"] = 0.5
    outcome = judge(parse("p99>+10%"), {"overall": [noisy], "new": []})
    assert not outcome.failed
    assert "may be noise" in outcome.why


@pytest.mark.parametrize(
    "text", ["", "p95", "p95>10%", "p77>+1%", "errors>1", "rps>5ms", "new-findings>1%", "p95=>5ms"]
)
def test_what_is_no_gate_is_a_usage_error(text):
    with pytest.raises(UserError):
        parse(text)


@pytest.mark.parametrize("full", [False, True])
def test_the_text_fits_80_columns(comparison, full):
    out = io.StringIO()
    outcomes = [judge(parse("p95>+10%"), comparison)]
    render(comparison, outcomes, Console(file=out, width=80), full=full)
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert ("GET /users/{user_id}/enriched" in text) is full
    assert "p95>+10%" in text


def test_the_page_of_a_comparison_has_both_runs_flames(sides, comparison, tmp_path):
    before, _ = sides
    again = Side("after", before.report, before.ledger)
    page = compare_page(before, again, comparison, root=tmp_path)
    flame = page["compare"]["flame"]
    weights = [flame["weights"][i : i + 4] for i in range(0, len(flame["weights"]), 4)]
    assert all(now == was > 0 for _, _, now, was in weights)
    assert len(weights) == 2
    functions = {page["places"][int(site)][2] for site in flame["nodes"][1::2]}
    assert functions == {"list_users", "Stock._get"}
