"""What runs after cures measured, in the plan of the run before."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from slowpath.report.measured import cures_in, put_measured, steps_of, was_cured

PRICE = {"p95_ms": 50.0, "low": 45.0, "high": 55.0, "rps": 9.0}


def finding(number: int, predicted: dict[str, float] | None = PRICE) -> dict[str, Any]:
    place = {"cause": "n-plus-one", "path": "app.py", "line": number, "function": "f"}
    hops = {"chain": [{"path": "deep.py"}], "entry": {"path": "route.py"}}
    return {"number": number, "predicted": predicted, **place, **hops}


def report(*plan: int) -> Any:
    """Four findings, the last without a price, and a plan of some."""
    return {
        "findings": [finding(1), finding(2), finding(3), finding(4, None)],
        "simulation": {
            "replay_error": 0.1,
            "plan": [{"finding": number, "p95_ms": 50.0, "rps": 9.0} for number in plan],
        },
    }


def proof(*numbers: int, p95_ms: float = 40.0) -> Any:
    return {
        "findings": list(numbers),
        "measured_p95_ms": p95_ms,
        "measured_rps": 11.0,
        "predicted_p95_ms": None,
        "predicted_rps": None,
    }


@pytest.mark.parametrize(
    ("cured", "steps"),
    [((2,), 1), ((2, 1), 2), ((1,), 0), ((2, 3), 1), ((2, 4), 0), ((3,), 0), ((), 0)],
    ids=[
        *("the first step", "both steps", "the second without the first"),
        *("one more that was to change nothing", "one more without a prediction"),
        *("none of the plan", "nothing"),
    ],
)
def test_a_set_of_cures_is_a_step_of_the_plan_only_if_it_is_all_up_to_it(cured, steps):
    assert steps_of(report(2, 1), cured) == steps


def test_the_step_with_exactly_these_cures_gets_what_was_measured():
    before = report(2, 1)
    assert put_measured(before, proof(1, 2), "b")
    first, second = before["simulation"]["plan"]
    assert "measured_p95_ms" not in first
    assert (second["measured_p95_ms"], second["measured_rps"]) == (40.0, 11.0)


def test_other_cures_get_a_row_and_no_step():
    before = report(2, 1)
    put_measured(before, proof(1), "b")
    [row] = before["simulation"]["measured"]
    assert (row["run"], row["findings"], row["steps"], row["p95_ms"]) == ("b", [1], 0, 40.0)
    assert all("measured_p95_ms" not in step for step in before["simulation"]["plan"])


def test_of_the_same_cures_the_last_run_counts():
    before = report(2, 1)
    assert put_measured(before, proof(2), "b")
    assert not put_measured(before, proof(2), "b")
    assert put_measured(before, proof(2, p95_ms=30.0), "c")
    [row] = before["simulation"]["measured"]
    assert (row["run"], before["simulation"]["plan"][0]["measured_p95_ms"]) == ("c", 30.0)


def test_a_run_that_is_told_anew_leaves_no_figures_behind():
    before = report(2, 1)
    put_measured(before, proof(2), "b")
    put_measured(before, proof(1), "b")
    assert [row["findings"] for row in before["simulation"]["measured"]] == [[1]]
    assert all("measured_p95_ms" not in step for step in before["simulation"]["plan"])


def test_a_run_says_what_was_cured_for_it():
    before = report(2, 1)
    place = {key: finding(2)[key] for key in ("cause", "path", "line", "function")}
    run = {"cured": {"run": "a", "findings": [place]}}
    assert [one["number"] for one in cures_in(run, "a", before)] == [2]
    assert cures_in(run, "another", before) is None
    assert cures_in({}, "a", before) is None


A, B = ({"started": f"2026-01-0{day}T00:00:00+00:00", "command": ["x"]} for day in (1, 3))
JANUARY_1 = 1_767_225_600


@pytest.mark.parametrize(
    ("path", "day", "is_cure"),
    [("app.py", 2, True), ("deep.py", 2, True), ("route.py", 2, True), ("other.py", 2, False),
     ("app.py", 0, False), ("app.py", 4, False)],
    ids=["its file", "a file of its chain", "its route", "another file", "before", "afterwards"],
)  # fmt: skip
def test_what_is_gone_was_cured_only_if_its_files_changed_between(
    tmp_path: Path, path: str, day: int, is_cure: bool
) -> None:
    (tmp_path / path).touch()
    at = JANUARY_1 + (day - 1) * 86_400
    os.utime(tmp_path / path, (at, at))
    assert was_cured(A, B, [finding(1)], tmp_path) is is_cure


def test_what_is_gone_was_cured_if_the_command_or_the_revision_differ(tmp_path):
    assert was_cured(A, {**B, "command": ["x", "--workers=4"]}, [finding(1)], tmp_path)
    assert was_cured(A, {**B, "git_revision": "abc"}, [finding(1)], tmp_path)
    assert not was_cured({**B, "command": ["y"]}, A, [finding(1)], tmp_path)
