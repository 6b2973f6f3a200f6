"""The engine of blame against a plain account of each instant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from slowpath.ledger.holders import MAX_DEPTH, NOBODY, Blame, Deeds
from tests.ledger.builder import MS, ORIGIN

#: (start, end, key, awaits) of a deed, in units of `MS`.
Deed = tuple[int, int, int, int]


def deeds_of(rows: list[Deed]) -> Deeds:
    """Return deeds whose request is their key times ten."""
    table = np.array(rows, np.int64).reshape(-1, 4)
    times = ORIGIN + table[:, :2] * MS
    return Deeds.of(times[:, 0], times[:, 1], table[:, 2], table[:, 2] * 10, table[:, 3])


def instant(
    things: dict[int, list[Deed]], scarce: int, at: int, share: float, path: tuple[int, ...]
) -> Iterator[tuple[int | None, float]]:
    """Say who is charged at one instant, by the rules; None for nobody."""
    holders = [deed for deed in things.get(scarce, ()) if deed[0] <= at < deed[1]]
    if not holders:
        yield None, share
    for _, _, key, awaits in holders:
        each = share / len(holders)
        follows = awaits and awaits not in path and len(path) < MAX_DEPTH and awaits in things
        if not follows:
            yield key, each
            continue
        for found, part in instant(things, awaits, at, each, (*path, awaits)):
            yield (key if found is None else found), part


@st.composite
def things(draw: Any) -> dict[int, list[Deed]]:
    """What the holders of up to three things did, some of them waiting for another."""
    deed = st.tuples(
        st.integers(0, 12), st.integers(0, 12), st.integers(1, 5), st.sampled_from((0, 0, 1, 2, 3))
    ).filter(lambda deed: deed[0] < deed[1])
    return {number: draw(st.lists(deed, max_size=6)) for number in (1, 2, 3)}


@settings(max_examples=300, deadline=None)
@given(things(), st.lists(st.tuples(st.integers(0, 12), st.integers(1, 6)), min_size=1, max_size=4))
def test_sums_agree_with_an_account_of_each_instant(
    found: dict[int, list[Deed]], waits: list[tuple[int, int]]
) -> None:
    blame = Blame({number: deeds_of(rows) for number, rows in found.items()})
    starts = np.array([ORIGIN + start * MS for start, _ in waits], np.int64)
    ends = starts + np.array([length * MS for _, length in waits], np.int64)
    wait, key, request, ns = blame.shares(1, starts, ends, 100)
    for i, (start, length) in enumerate(waits):
        expected: dict[int, float] = {}
        for at in range(start, start + length):
            for who, part in instant(found, 1, at, 1.0, (1,)):
                if who is not None:
                    expected[who] = expected.get(who, 0.0) + part * MS
        got = dict(zip(key[wait == i].tolist(), ns[wait == i].tolist(), strict=True))
        assert got.keys() == expected.keys()
        for who, amount in expected.items():
            assert abs(got[who] - amount) <= 2
        assert sum(got.values()) <= length * MS
    assert set(request.tolist()) <= {-1, *(number * 10 for number in range(1, 6))}


def test_parts_of_a_long_wait_are_right_in_sum() -> None:
    """A hundred lines take turns in a loop; one of them takes as much as all the others."""
    rows: list[Deed] = []
    for turn in range(100):
        rows += [(turn * 20, turn * 20 + 10, 0, 0)]
        rows += [
            (turn * 20 + 10 + i, turn * 20 + 11 + i, 1 + (turn + i) % 100, 0) for i in range(10)
        ]
    starts = ORIGIN + np.arange(400, dtype=np.int64) * MS
    ends = starts + 1000 * MS
    wait, key, _, ns = Blame({1: deeds_of(rows)}).shares(1, starts, ends, 8)
    assert np.bincount(wait, ns).tolist() == [1000 * MS] * 400
    assert np.bincount(wait).max() <= 9
    share = np.bincount(key, ns, 101) / ns.sum()
    assert abs(share[0] - 0.5) < 0.01
    assert share[1:].max() < 0.02


def test_nobody_is_charged_for_what_nobody_holds() -> None:
    starts = np.array([ORIGIN], np.int64)
    wait, *_ = Blame({1: NOBODY}).shares(1, starts, starts + MS, 8)
    assert len(wait) == 0
