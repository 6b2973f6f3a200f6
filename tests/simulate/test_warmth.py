"""Code that cools, and loops that go by rounds."""

from __future__ import annotations

from slowpath.simulate.engine import Engine, Op, Script
from slowpath.simulate.system import System
from slowpath.simulate.warmth import AGES_NS, Warmth

MS = 1_000_000
CODE = 7
TWICE_WHEN_COLD = Warmth((1.0,) * (len(AGES_NS) - 1) + (2.0,))


class Sent:
    """Requests at given times, each on the connection of its peer."""

    def __init__(self, script: Script, *at: tuple[int, int]) -> None:
        self.script = script
        self.at = at

    def begin(self, engine: Engine) -> None:
        for kind, (time_ns, peer) in enumerate(self.at):
            engine.send(time_ns, self.script, kind, peer)

    def answered(self, engine: Engine, user: int) -> None:
        pass


def latencies(system: System, script: Script, *at: tuple[int, int]) -> list[int]:
    """Return how long each took, in the order in which they were sent."""
    answers = Engine(system, Sent(script, *at), 1 << 60).run()
    return [a.end_ns - a.start_ns for a in sorted(answers, key=lambda a: a.kind)]


def test_code_that_ran_long_ago_runs_slower() -> None:
    script = ((Op.WORK, MS, CODE),)
    found = latencies(System(warmth=TWICE_WHEN_COLD), script, (0, 0), (5 * MS, 0), (99 * MS, 0))
    assert found == [2 * MS, MS, 2 * MS]


def test_other_code_keeps_none_warm() -> None:
    both = ((Op.WORK, 40 * MS, 0), (Op.WORK, MS, CODE))
    found = latencies(System(warmth=TWICE_WHEN_COLD), both, (0, 0), (42 * MS, 0))
    assert found == [42 * MS, 42 * MS]


def test_work_without_a_code_takes_the_same_at_any_time() -> None:
    script = ((Op.WORK, MS, 0),)
    found = latencies(System(warmth=TWICE_WHEN_COLD), script, (0, 0), (99 * MS, 0))
    assert found == [MS, MS]


def order(*at: tuple[int, int]) -> list[int]:
    """Return the order in which requests are answered that hold the loop for 10 ms each."""
    script = ((Op.WORK, 1000, 0), (Op.LEAVE, 0, 0), (Op.HOLD, 10 * MS, 0))
    return [a.kind for a in Engine(System(), Sent(script, *at), 1 << 60).run()]


def test_strangers_are_served_as_they_come() -> None:
    assert order((0, -1), (3 * MS, -1), (2 * MS, -1), (15 * MS, -1)) == [0, 2, 1, 3]


def test_who_was_served_and_is_back_in_time_comes_before_who_came_during_the_round() -> None:
    # Peers 1 and 2 are seen together; 3 comes while they are served, and they come back later.
    sent = ((0, 9), (1 * MS, 1), (2 * MS, 2), (12 * MS, 3), (21 * MS, 1), (25 * MS, 2))
    assert order(*sent) == [0, 1, 2, 4, 5, 3]
