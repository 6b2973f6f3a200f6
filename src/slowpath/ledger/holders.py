"""Who held what was waited for: waits charged to holders, and on to whom those waited for.

A wait is a measure on time: at first each nanosecond weighs one. The k holders of a thing share
each instant equally, each with what it did just then; a holder that waited itself passes its
share on to the holders of *that* thing. All measures are piecewise linear between the events, so
the sums are exact, however many slices a wait spans.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from slowpath.ledger.rows import Ints, Rows, distinct, spread

Floats = npt.NDArray[np.float64]

#: A wait is passed on so often; what is left then stays with the last that waited.
MAX_DEPTH = 6
#: Cells of the tables of sums; bounds memory.
CELLS = 4_000_000
#: So many waits are charged at once, in the order of time: of all that holders did, only what
#: was done meanwhile is looked at.
WAITS = 16_384
#: Least events between two rows of such a table.
BLOCK = 32


@dataclass(frozen=True)
class Deeds:
    """What holders of one thing did, one entry a holder and act; sorted by start.

    Attributes:
        start, end: ns; shape (n,).
        key: numbers what was done (site, activity, mode, resource).
        request: index of the request for which it was done; -1 for none.
        awaits: number of the scarce thing that it waited for meanwhile; 0 for none.
    """

    start: Ints
    end: Ints
    key: Ints
    request: Ints
    awaits: Ints

    @classmethod
    def of(cls, start: Ints, end: Ints, key: Ints, request: Ints, awaits: Ints) -> Deeds:
        """Sort by start, and drop what is empty."""
        order = np.flatnonzero(end > start)
        order = order[np.argsort(start[order], kind="stable")]
        return cls(start[order], end[order], key[order], request[order], awaits[order])

    def select(self, chosen: npt.NDArray[np.bool_]) -> Deeds:
        """Return the chosen entries."""
        return Deeds(
            self.start[chosen],
            self.end[chosen],
            self.key[chosen],
            self.request[chosen],
            self.awaits[chosen],
        )

    def between(self, low: int, high: int) -> Deeds:
        """Return the entries that overlap [low, high)."""
        first = int(np.searchsorted(self.last_end, low, "right"))
        last = int(np.searchsorted(self.start, high, "left"))
        part = Deeds(
            self.start[first:last],
            self.end[first:last],
            self.key[first:last],
            self.request[first:last],
            self.awaits[first:last],
        )
        return part.select(part.end > low)

    @cached_property
    def last_end(self) -> Ints:
        """The latest end of each entry and all before it."""
        return np.maximum.accumulate(self.end)

    def __len__(self) -> int:
        return len(self.start)


NOBODY = Deeds(*(np.zeros(0, np.int64) for _ in range(5)))


@dataclass(frozen=True)
class Measure:
    """A measure on time, by its cumulative function: linear between the points of `at`."""

    at: Ints
    total: Floats

    def until(self, times: Ints) -> Floats:
        """Return the measure of all time before each of `times`."""
        # Times as differences: a float has not the digits for a clock's absolute values.
        base = self.at[0]
        found: Floats = np.interp(times - base, self.at - base, self.total)
        return found

    def on(self, at: Ints) -> Floats:
        """Return the measure of each interval between the points `at`."""
        return np.diff(self.until(at))


@dataclass(frozen=True)
class Flow:
    """Deeds that are charged, each with a measure of the time that it lasted."""

    deeds: Deeds
    measure: Measure


def active(deeds: Deeds, at: Ints) -> Ints:
    """Return how many of the deeds go on in each interval between the points `at`."""
    started = np.searchsorted(deeds.start, at[:-1], "right")
    ended = np.searchsorted(np.sort(deeds.end), at[:-1], "right")
    return (started - ended).astype(np.int64)


class Blame:
    """Charges waits for scarce things to what their holders did.

    Args:
        deeds: what the holders of each scarce thing did, by its number.
    """

    def __init__(self, deeds: dict[int, Deeds]) -> None:
        self._deeds = deeds

    def flows(self, scarce: int, low: int, high: int) -> list[Flow]:
        """Return who is charged for waiting for `scarce`, at any time in [low, high)."""
        span = np.array([low, high], np.int64)
        measure = Measure(span, np.array([0.0, float(high - low)]))
        return self._flows(scarce, measure, (scarce,))[0]

    def _flows(
        self, scarce: int, measure: Measure, path: tuple[int, ...]
    ) -> tuple[list[Flow], npt.NDArray[np.bool_], Ints]:
        """Push a measure to the holders of `scarce`; also tell when nobody held it."""
        deeds = self._deeds.get(scarce, NOBODY)
        deeds = deeds.between(int(measure.at[0]), int(measure.at[-1]))
        low, high = measure.at[0], measure.at[-1]
        at = distinct(np.concatenate((measure.at, deeds.start, deeds.end)))
        at = at[(at >= low) & (at <= high)]
        count = active(deeds, at)
        free = count == 0
        each = np.where(free, 0.0, measure.on(at) / np.maximum(count, 1))
        shared = Measure(at, _cumulative(each))
        passed = np.zeros(len(deeds), np.bool_)
        flows = []
        for other in distinct(deeds.awaits).tolist():
            if not other or other in path or len(path) >= MAX_DEPTH or other not in self._deeds:
                continue
            waiting = deeds.awaits == other
            waiters = deeds.select(waiting)
            weight = each * active(waiters, at)
            if not weight.any():
                continue
            onward, idle, when = self._flows(
                other, Measure(at, _cumulative(weight)), (*path, other)
            )
            flows += onward
            passed |= waiting
            if idle.any():
                # When nobody held that, its waiters are charged themselves.
                rest = np.where(idle, shared.on(when), 0.0)
                flows.append(Flow(waiters, Measure(when, _cumulative(rest))))
        if not passed.all():
            flows.append(Flow(deeds.select(~passed), shared))
        return flows, free, at

    def shares(
        self, scarce: int, starts: Ints, ends: Ints, limit: int
    ) -> tuple[Ints, Ints, Ints, Ints]:
        """Charge waits for `scarce`.

        Args:
            starts, ends: the waits, ns; shape (n,).
            limit: a wait is charged to so many deeds at most; with more, so many equal parts are
                dealt out in proportion, which is right in sum over many waits.

        Returns:
            (wait, key, request, ns), one row a charge; ns sum to less than the wait where nobody
            held the thing.
        """
        order = np.argsort(starts, kind="stable")
        found = [(np.zeros(0, np.int64),) * 4]
        for begin in range(0, len(order), WAITS):
            part = order[begin : begin + WAITS]
            wait, key, request, ns = self._shares(scarce, starts[part], ends[part], limit)
            found.append((part[wait], key, request, ns))
        wait, key, request, ns = (np.concatenate(column) for column in zip(*found, strict=True))
        return wait, key, request, ns

    def _shares(
        self, scarce: int, starts: Ints, ends: Ints, limit: int
    ) -> tuple[Ints, Ints, Ints, Ints]:
        flows = self.flows(scarce, int(starts.min()), int(ends.max()))
        flows = [flow for flow in flows if len(flow.deeds)]
        if not flows:
            nothing = np.zeros(0, np.int64)
            return nothing, nothing, nothing, nothing
        keys, inverse = np.unique(
            np.concatenate([flow.deeds.key for flow in flows]), return_inverse=True
        )
        columns = np.split(inverse, np.cumsum([len(flow.deeds) for flow in flows])[:-1])
        sums = [_Sums(flow, column, len(keys)) for flow, column in zip(flows, columns, strict=True)]
        found = []
        step = max(1, CELLS // len(keys))
        for begin in range(0, len(starts), step):
            chunk = slice(begin, begin + step)
            amount = np.zeros((len(starts[chunk]), len(keys)))
            for each in sums:
                amount += each.until(ends[chunk]) - each.until(starts[chunk])
            length = (ends[chunk] - starts[chunk]).astype(np.float64)
            wait, column, ns = _whole(amount, length, limit, begin)
            found.append((wait + begin, column, ns))
        wait, column, ns = (np.concatenate(part) for part in zip(*found, strict=True))
        request = _latest(flows, columns, column, starts[wait], ends[wait])
        return wait, keys[column], request, ns


def _cumulative(values: npt.NDArray[Any]) -> Floats:
    return np.concatenate(([0.0], np.cumsum(values)))


class _Sums:
    """Answers how much of a flow each key was charged until a time."""

    def __init__(self, flow: Flow, column: Ints, keys: int) -> None:
        deeds, self.measure = flow.deeds, flow.measure
        time = np.concatenate((deeds.start, deeds.end))
        order = np.argsort(time, kind="stable")
        self.time = time[order]
        self.column = np.concatenate((column, column))[order]
        self.sign = np.repeat([1.0, -1.0], len(deeds))[order]
        self.keys = keys
        self.mass = self.measure.until(self.time)
        # At every `block`-th event: the sum of each key until then, and how many go on.
        events = len(order)
        self.block = max(BLOCK, -(-events * keys // CELLS))
        blocks = -(-events // self.block)
        cell = np.arange(events) // self.block * keys + self.column
        shape = (blocks, keys)
        change = np.bincount(cell, self.sign, blocks * keys).reshape(shape)
        moment = np.bincount(cell, self.sign * self.mass, blocks * keys).reshape(shape)
        zero = np.zeros((1, keys))
        self.count = np.concatenate((zero, np.cumsum(change, 0)))
        self.moment = np.concatenate((zero, np.cumsum(moment, 0)))

    def until(self, times: Ints) -> Floats:
        """Return the amounts, shape (times, keys)."""
        mass = self.measure.until(times)
        before = np.searchsorted(self.time, times, "left")
        block = before // self.block
        # Each open deed adds what the measure grew since it began: count x now - sum of begins.
        result = np.asarray(self.count[block] * mass[:, None] - self.moment[block], np.float64)
        owner, event = spread(block * self.block, before)
        cell = owner * self.keys + self.column[event]
        extra = self.sign[event] * (mass[owner] - self.mass[event])
        result += np.bincount(cell, extra, result.size).reshape(result.shape)
        return result


def _whole(amount: Floats, length: Floats, limit: int, first: int) -> tuple[Ints, Ints, Ints]:
    """Turn amounts into whole nanoseconds whose sum is right; return (row, column, ns)."""
    amount[amount < 0.5] = 0.0
    total = amount.sum(1)
    # What was held all the time is charged all the time, whatever was rounded away.
    full = (total > 0) & (total > length - 1 - 0.5 * amount.shape[1])
    amount[full] *= (length[full] / total[full])[:, None]
    many = np.flatnonzero(np.count_nonzero(amount, 1) > limit)
    if len(many):
        total = amount[many].sum(1, keepdims=True)
        # Systematic sampling: equal steps through the shares, begun at a different place each.
        offset = ((many + first) * 0.6180339887498949 % 1.0)[:, None]
        steps = np.floor(np.cumsum(amount[many], 1) / total * limit + offset)
        steps[:, -1] = np.floor(limit + offset[:, 0])
        amount[many] = np.diff(steps, axis=1, prepend=np.floor(offset)) * (total / limit)
    ends = np.minimum(np.rint(np.cumsum(amount, 1)), length[:, None])
    ns = np.diff(ends, axis=1, prepend=0.0).astype(np.int64)
    row, column = np.nonzero(ns)
    return row, column, ns[row, column]


def _latest(flows: list[Flow], columns: list[Ints], column: Ints, starts: Ints, ends: Ints) -> Ints:
    """Return for each charge the request that did such a deed last; -1 if it was none."""
    order_column = np.concatenate(columns)
    begin, end, request = (
        np.concatenate([getattr(flow.deeds, name) for flow in flows])
        for name in ("start", "end", "request")
    )
    low = int(min(begin.min(), starts.min())) if len(starts) else 0
    order = np.lexsort((begin, order_column))
    ranks = _rank(order_column[order], begin[order] - low, column, ends - low)
    last = order[np.maximum(ranks - 1, 0)]
    fits = (
        (ranks > 0) & (order_column[last] == column) & (begin[last] < ends) & (end[last] > starts)
    )
    return np.where(fits, request[last], -1).astype(np.int64)


def _rank(columns: Ints, times: Ints, column: Ints, time: Ints) -> Ints:
    """Return how many pairs of (columns, times), sorted, stand before each (column, time)."""
    width = int(max(times.max(initial=0), time.max(initial=0))) + 1
    if (int(columns.max(initial=0)) + 1) * width < 2**62:
        return np.searchsorted(columns * width + times, column * width + time, "left").astype(
            np.int64
        )
    result = np.zeros(len(column), np.int64)
    for value in np.unique(column).tolist():
        mine = column == value
        low, high = np.searchsorted(columns, [value, value + 1])
        result[mine] = low + np.searchsorted(times[low:high], time[mine], "left")
    return result


def keys_of(rows: Rows) -> tuple[Ints, Rows]:
    """Number what was done in each act; return the numbers and the rows that they stand for."""
    if not len(rows):
        return np.zeros(0, np.int64), rows
    place = rows["site"].astype(np.int64) << 32 | rows["resource"].astype(np.int64)
    deed = rows["activity"].astype(np.int64) << 8 | rows["mode"].astype(np.int64)
    order = np.lexsort((deed, place))
    new = np.concatenate(([True], (np.diff(place[order]) != 0) | (np.diff(deed[order]) != 0)))
    number = np.empty(len(rows), np.int64)
    number[order] = np.cumsum(new) - 1
    return number, rows[order[new]]
