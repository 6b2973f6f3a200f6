"""What py-spy sampled: read without the processes' secrets, drawn, and handed on."""

from __future__ import annotations

import json

import pytest

from slowpath.recording.folder import RunFolder
from slowpath.report.export import speedscope
from slowpath.report.html import page_of
from slowpath.report.html.grid import grids
from slowpath.report.stacks import NONE, SAMPLED, anonymous, heading, parse, stacks_of
from tests.report.page.busy import busy
from tests.report.page.test_page_data import rows

TEXT = """\
process 8;main (/srv/app/main.py:3);burn (/srv/app/work.py:7) 30
process 8;main (/srv/app/main.py:3) 10
"""


@pytest.mark.parametrize(
    "command",
    [
        "python main.py",
        "python main.py --password=hunter2;main (x.py:1)",
        'sh -c "python main.py"',
        "python -c import a;\nb(); process 9",
    ],
    ids=["plain", "with a semicolon", "with quotes", "of two lines"],
)
def test_command_lines_are_left_out(command):
    raw = f'process 7:"sh";process 8:"{command}";main (/srv/app/main.py:3) 10\n'
    assert anonymous(raw * 2) == "process 8;main (/srv/app/main.py:3) 10\n" * 2


def test_what_is_no_stack_is_left_out():
    assert anonymous("") == anonymous("error: no such process\n") == ""
    assert parse("\n12\nprocess 8;main (/a.py:3) many\n") == NONE


def test_stretches_have_their_time_and_all_together_the_sum():
    [early, late] = parse(heading(10, 20) + TEXT + heading(20, 30) + TEXT).stretches
    assert (early.window, late.window) == ((10, 20), (20, 30))
    assert early.counts == late.counts == parse(TEXT).counts
    assert parse(heading(10, 20) + TEXT + heading(20, 30) + TEXT).counts.total() == 80


def test_stacks_of_before_there_were_stretches_are_of_no_time():
    [stretch] = parse(TEXT).stretches
    assert stretch.window is None


def test_stacks_are_counted_callers_first():
    [(stack, count), _] = parse(TEXT).counts.most_common()
    assert count == 30
    assert [(site.path, site.line, site.function) for site in stack] == [
        ("/srv/app/main.py", 3, "main"),
        ("/srv/app/work.py", 7, "burn"),
    ]


def test_several_processes_are_told_apart():
    both = parse(TEXT + TEXT.replace("process 8", "process 9"))
    assert {stack[0].function for stack in both.counts} == {"process 8", "process 9"}
    assert both.counts.total() == 80


def test_a_frame_without_a_line_keeps_its_name():
    [stack] = parse("process 8;libc.so 4\n").counts
    assert stack == (("", 0, "libc.so"),)


def test_a_run_without_py_spy_has_none(tmp_path):
    assert stacks_of(RunFolder(tmp_path)) is NONE


def test_the_page_draws_them_beside_the_stalls(tmp_path):
    run = busy(60, tmp_path)
    (tmp_path / "stacks.txt").write_text(TEXT)
    page = page_of(*run, stacks=stacks_of(RunFolder(tmp_path)), root=tmp_path)
    stalls, sampled = page["flames"]
    assert [stalls["name"][:6], sampled["name"]] == ["Stalls", SAMPLED]
    names = [(parent, page["places"][int(at)][2]) for parent, at in rows(sampled["nodes"], 2)]
    assert names == [(-1, "main"), (0, "burn")]
    # A hundred samples a second: each stands for 10 ms, of no time in particular.
    assert list(rows(sampled["weights"], 3)) == [(1, -1, 300.0), (0, -1, 100.0)]


def test_a_stretch_counts_to_the_bins_that_it_lies_in(tmp_path):
    ledger, report = busy(60, tmp_path)
    _, grid = grids(ledger)

    def between(first: float, last: float, stacks: str) -> str:
        """Write a stretch of which the ends are told in bins."""
        ends = [round(grid.start_ns + at * grid.bin_ns) for at in (first, last)]
        return heading(*ends) + stacks

    last = grid.bins - 1
    text = between(4.1, 4.9, TEXT)
    # A quarter of this one lies in the first bin of two.
    text += between(5.75, 6.75, "process 8;two (/a.py:1) 4\n")
    # Half of this one lies after the measured time, of the next one all.
    text += between(last + 0.2, last + 1.8, "process 8;half (/a.py:1) 8\n")
    text += between(last + 2, last + 3, "process 8;after (/a.py:1) 1\n")
    page = page_of(ledger, report, stacks=parse(text), root=tmp_path)
    sampled = page["flames"][1]
    names = [page["places"][int(at)][2] for _, at in rows(sampled["nodes"], 2)]
    told = [(names[node], bin_, ms) for node, bin_, ms in rows(sampled["weights"], 3)]
    assert sorted(told) == [
        ("after", last, 10.0),
        ("burn", 4, 300.0),
        ("half", last, 80.0),
        ("main", 4, 100.0),
        ("two", 5, 10.0),
        ("two", 6, 30.0),
    ]


def test_too_many_stacks_are_counted_to_their_callers(tmp_path, monkeypatch):
    ledger, report = busy(60, tmp_path)
    _, grid = grids(ledger)
    monkeypatch.setattr("slowpath.report.html.flame.MOST_WEIGHTS", 6)
    text = ""
    for at in range(4):
        ends = [round(grid.start_ns + (at + part) * grid.bin_ns) for part in (0.1, 0.9)]
        text += heading(*ends)
        text += "process 8;main (/a.py:1);heavy (/a.py:2) 9\n"
        text += "process 8;main (/a.py:1);light (/a.py:3);one (/a.py:4) 1\n"
        text += "process 8;main (/a.py:1);light (/a.py:3);other (/a.py:5) 2\n"
    page = page_of(ledger, report, stacks=parse(text), root=tmp_path)
    sampled = page["flames"][1]
    names = [page["places"][int(at)][2] for _, at in rows(sampled["nodes"], 2)]
    weights = list(rows(sampled["weights"], 3))
    assert sum(ms for *_, ms in weights) == 4 * 12 * 10
    # What is lightest goes up first; what is left cannot go further.
    assert {names[node] for node, *_ in weights} == {"main"}
    assert sorted(bin_ for _, bin_, _ in weights) == [0, 1, 2, 3]


def test_speedscope_gets_them_as_a_profile_of_their_own(tmp_path):
    ledger, _ = busy(60, tmp_path)
    assert len(json.loads(speedscope(ledger, tmp_path))["profiles"]) == 2
    file = json.loads(speedscope(ledger, tmp_path, parse(TEXT)))
    profile = file["profiles"][2]
    frames = [file["shared"]["frames"][at]["name"] for at in profile["samples"][0]]
    assert (profile["name"], frames, profile["endValue"]) == (SAMPLED, ["main", "burn"], 4e8)
    timed = parse(heading(10, 20) + TEXT + heading(20, 30) + TEXT)
    [*_, twice] = json.loads(speedscope(ledger, tmp_path, timed))["profiles"]
    assert (twice["samples"], twice["endValue"]) == (profile["samples"], 8e8)
