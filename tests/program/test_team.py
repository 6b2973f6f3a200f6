"""Processes that work together: what they tell each other, and what becomes of their errors."""

from __future__ import annotations

import os

import pytest

from slowpath.program.team import FORKS, Seat, TeamError, Turns, together

forks = pytest.mark.skipif(not FORKS, reason="needs fork")


@forks
def test_everybody_hears_everybody_in_the_order_of_the_seats() -> None:
    def work(seat: Seat) -> tuple[int, list[bytes], list[bytes]]:
        first = seat.share(b"%d" % seat.number)
        return os.getpid(), first, seat.share(b"".join(first) * seat.number)

    results = together(work, 3)
    assert len({pid for pid, _, _ in results}) == 3
    assert [heard for _, *heard in results] == [
        [[b"0", b"1", b"2"], [b"", b"012", b"012012"]],
    ] * 3


@forks
@pytest.mark.parametrize("guilty", [0, 1, 2])
def test_an_error_of_one_is_an_error_of_all(guilty: int) -> None:
    def work(seat: Seat) -> None:
        if seat.number == guilty:
            raise ZeroDivisionError("by nothing")
        seat.share(b"")

    with pytest.raises(TeamError if guilty else ZeroDivisionError, match="by nothing"):
        together(work, 3)


@forks
def test_one_that_vanishes_is_missed() -> None:
    def work(seat: Seat) -> None:
        if seat.number:
            os._exit(1)
        seat.share(b"")

    with pytest.raises(TeamError, match="ended before"):
        together(work, 2)


def test_one_alone_needs_no_other_process() -> None:
    assert together(lambda seat: (os.getpid(), seat.share(b"x")), 1) == [(os.getpid(), [b"x"])]


@pytest.mark.parametrize("size", [0, 1, 7, 2_500])
def test_each_number_is_dealt_to_one_of_those_who_ask(size: int) -> None:
    numbers = Turns(size)
    dealt = together(lambda seat: list(numbers), 2)
    assert sorted(each for hand in dealt for each in hand) == list(range(size))
