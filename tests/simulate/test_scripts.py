"""What simulations share and leave out: scripts, samples of long recordings, parts of the deck."""

from __future__ import annotations

from dataclasses import replace

import pytest

from slowpath.simulate import many
from slowpath.simulate.edits import Resized, Scaled, Workers
from slowpath.simulate.engine import Op
from slowpath.simulate.many import Runner, lessened
from slowpath.simulate.price import _looked_at
from slowpath.simulate.replay import BLOCKS, PARTS, _Deck, sampled
from slowpath.simulate.scripts import Scripts
from slowpath.simulate.workload import Behaviour, Kind, Load, Pool, Step, Where, Workload

MS, S = 1_000_000, 1_000_000_000
HTTP = 23
ANSWER = Step(Kind.ANSWER)


def call(site: int, ms: float = 5) -> Step:
    return Step(Kind.WAIT, round(ms * MS), HTTP, 0, site)


def at(site: int) -> Where:
    return Where(frozenset(((site, -1, -1, -1),)))


def workload(*sites: int, window_s: int = 10) -> Workload:
    """One request a site, each with a call there; the number of each is its endpoint."""
    behaviours = (Behaviour((call(site), ANSWER), n) for n, site in enumerate(sites))
    load = Load(users=2, warmup_ns=S, window_ns=window_s * S)
    return Workload(tuple(behaviours), load, (Pool("pool", "connections", 1),))


def test_only_what_an_edit_changes_is_compiled_anew() -> None:
    before = Scripts(workload(1, 2, 1))
    after = Scripts(Scaled(at(2), 3.0).apply(before.workload), like=before)
    assert after[0] is before[0]
    assert after[2] is before[2]
    assert (Op.WAIT, 15 * MS, -1) in after[1]
    assert (Op.WAIT, 5 * MS, -1) in before[1]


def test_scripts_of_other_turns_of_the_loop_are_not_taken_over() -> None:
    before = Scripts(workload(1))
    after = Scripts(replace(before.workload, turns_ns=(7,)), like=before)
    assert (Op.WORK, 7, 1) in after[0]
    assert after[0] != before[0]


def test_work_on_end_is_one_operation_and_a_call_ends_it() -> None:
    work = Step(Kind.LOOP, MS, 1, 1, 4)
    steps = (work, work, Step(Kind.ANSWER), work)
    script = Scripts(replace(workload(1), behaviours=(Behaviour(steps, 0),)))[0]
    assert script[2:] == ((Op.WORK, 2 * MS, 0), (Op.ANSWER, -1, 0), (Op.WORK, MS, 0))


def test_a_sample_is_of_neighbours_from_all_parts_of_the_time() -> None:
    count = 100 * BLOCKS
    kept = [b.endpoint for b in sampled(workload(*[1] * count), count // 10).behaviours]
    assert kept == [100 * block + n for block in range(BLOCKS) for n in range(10)]


def test_a_short_recording_is_taken_as_a_whole() -> None:
    all_of_it = workload(*range(30))
    assert sampled(all_of_it, 30) is all_of_it


def test_a_recording_ten_times_as_long_is_not_simulated_for_longer() -> None:
    def asked(times: int) -> Workload:
        sites = [1] * (6_000 * times)
        return lessened(workload(*sites, window_s=60 * times), 1_000 / len(sites))

    short, long = asked(1), asked(10)
    assert long.load.window_ns == pytest.approx(short.load.window_ns, rel=0.01)
    assert long.load.warmup_ns == short.load.warmup_ns
    assert len(short.behaviours) < 6_000
    assert len(long.behaviours) == pytest.approx(len(short.behaviours), rel=0.01)


def test_the_seeds_of_a_group_see_all_requests_each_another_part() -> None:
    scripts = Scripts(workload(*range(40 * PARTS)))
    drawn = []
    for seed in range(PARTS):
        deck = _Deck(scripts, seed, resample=False)
        drawn.append({deck()[1] for _ in range(40)})
    assert set.union(*drawn) == set(range(40 * PARTS))
    assert sum(map(len, drawn)) == 40 * PARTS


def test_an_edit_that_changes_nothing_is_not_simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    really = many.simulations
    monkeypatch.setattr(many, "simulations", lambda *a, **k: asked.append(a) or really(*a, **k))
    runner = Runner(workload(1, 2))
    before = runner.run((), 1)
    count = len(asked)
    assert count
    assert runner.run((Scaled(at(9), 0.0),), 1) == before
    assert runner.run((Resized("pool", 1),), 1) == before
    assert len(asked) == count
    assert runner.run((Scaled(at(1), 4.0),), 1) != before
    assert len(asked) > count


def test_edits_that_are_shared_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    really = Workers.apply
    monkeypatch.setattr(Workers, "apply", lambda self, w: made.append(self) or really(self, w))
    runner = Runner(workload(1, 2))
    for size in (2, 3, 4):
        runner.run((Workers(2), Resized("pool", size)), 1)
    assert made == [Workers(2)]


def test_no_cure_is_left_out_of_two_rounds_in_a_row() -> None:
    gave = {i: many.Figures(10, 10 + i, 5) for i in range(12)}
    left = list(range(12))
    looked_at = set(left)
    for _ in range(6):
        following = _looked_at(left, gave, looked_at)
        assert following | looked_at >= set(left)
        assert min(left) in following
        looked_at = following
        left.remove(min(left))
    assert len(_looked_at(list(range(12)), gave, set(range(12)))) == 6
