"""Two runs held against each other: certain changes, noise, findings, gates, page and text."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from slowpath.errors import UserError
from slowpath.report.compare import Sample, Side, compare, difference
from slowpath.report.compare_gates import judge, parse
from slowpath.report.compare_proof import proof_of
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


def priced(report, plan, load=None):
    """A report whose findings are predicted to bring p95 to 50 and 80 ms, alone."""
    findings = [
        {**one, "predicted": {"p95_ms": p95, "rps": 9.0, "low": p95 - 5, "high": p95 + 5}}
        for one, p95 in zip(report["findings"], (50.0, 80.0), strict=True)
    ]
    simulation = {"replay_error": 0.1, "trusted": True, "plan": plan}
    return {
        **report,
        "findings": findings,
        "simulation": simulation,
        "load": {**report["load"], "p95_ms": 100.0, **(load or {})},
    }


PLAN = [
    {"finding": 1, "p95_ms": 50.0, "rps": 9.0},
    {"finding": 2, "p95_ms": 20.0, "rps": 12.0},
]


def proof(report, left, plan=PLAN):
    """What is proven when of the two findings those numbered `left` are still there."""
    before = priced(report, plan)
    after = {**report, "load": {**report["load"], "p95_ms": 40.0, "rps": 11.0}}
    after["findings"] = [one for one in report["findings"] if one["number"] in left]
    gone = [one for one in before["findings"] if one["number"] not in left]
    return proof_of(before, gone, after)


@pytest.fixture(scope="module")
def report(sides):
    return sides[0].report


def test_the_cure_of_one_finding_is_held_against_its_own_prediction(report):
    found = proof(report, left=[2])
    assert (found["predicted_p95_ms"], found["measured_p95_ms"]) == (50.0, 40.0)
    assert (found["low"], found["high"], found["predicted_rps"]) == (45.0, 55.0, 9.0)
    assert found["error"] == pytest.approx(0.25)
    assert "50 ms (45 to 55); it went to 40 ms" in found["sentence"]
    assert "25% above what was measured" in found["sentence"]


def test_cures_made_together_are_held_against_their_stage_of_the_plan(report):
    found = proof(report, left=[])
    assert [step["p95_ms"] for step in found["steps"]] == [50.0, 20.0]
    assert (found["predicted_p95_ms"], found["low"]) == (20.0, None)
    assert found["error"] == pytest.approx(-0.5)


def test_a_cure_that_the_plan_leaves_out_was_to_change_nothing(report):
    found = proof(report, left=[], plan=PLAN[:1])
    assert found["predicted_p95_ms"] == 50.0
    assert [step["p95_ms"] for step in found["steps"]] == [50.0, None]


def test_of_cures_in_another_order_than_the_plan_there_is_no_prediction(report):
    plan = [{"finding": 3, "p95_ms": 70.0, "rps": 8.0}, *PLAN]
    found = proof(report, left=[], plan=plan)
    assert (found["predicted_p95_ms"], found["error"]) == (None, None)
    assert "no prediction" in found["note"]


def test_without_a_cure_or_a_price_nothing_is_proven(report):
    assert proof(report, left=[1, 2]) is None
    assert proof_of(report, report["findings"], report) is None


def test_predictions_that_were_not_trusted_are_called_so(report):
    before = priced(report, PLAN)
    before["simulation"]["trusted"] = False
    found = proof_of(before, before["findings"][:1], report)
    assert "not to be trusted" in found["note"]


def test_predicted_and_measured_are_printed_side_by_side(sides):
    before, after = sides
    cured = {**after.report, "findings": after.report["findings"][1:]}
    found = compare(
        Side("before", priced(before.report, PLAN), before.ledger),
        Side("after", cured, after.ledger),
    )
    assert found["gone"][0]["predicted"]["p95_ms"] == 50.0
    out = io.StringIO()
    render(found, [], Console(file=out, width=80))
    text = out.getvalue()
    assert "Predicted and measured" in text
    assert found["proof"]["sentence"][:40] in text
    assert max(map(len, text.splitlines())) <= 80
