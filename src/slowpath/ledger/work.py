"""What a line did while it held its thread: slices cut into pieces, each with site and mode.

The innermost span says what was done. In a long slice the stack samples refine the site, and
the CPU clocks tell computing from blocking.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

from slowpath.ledger.model import Mode
from slowpath.recording import Recording
from slowpath.recording.model import SPAN_KINDS

#: Slices from this length have CPU bounds; below it the wall time says enough.
LONG_NS = 1_000_000
#: A thread that computed for less than this share of its time was blocked. Generous towards
#: computing, since a busy machine takes the CPU away from a thread that wants it.
COMPUTED = 0.5

#: Waiting by nature: a span of these that never let go of its thread blocked it.
IO = frozenset(
    SPAN_KINDS[name]
    for name in """sql http cache sleep pool_wait http_pool_wait lock_wait thread_wait
    thread""".split()
)


#: A part of a slice or gap with one innermost span: (start, end, index of the span among the
#: line's, or -1; its site, or that of what is around it; how the time was spent, one of a loop's
#: modes, where BLOCKED means waiting by nature without letting go of the thread). Plain tuples:
#: there are millions.
Piece = tuple[int, int, int, int, Mode]


class Sample(NamedTuple):
    """A stack sample: the app's innermost line, when, and the CPU clocks of thread and process."""

    site: int
    at: int
    thread_cpu: int
    process_cpu: int


Samples = dict[tuple[int, int], list[Sample]]


def samples_by_slice(recording: Recording) -> Samples:
    """Group the stack samples by (line, slice start), in time order."""
    groups: Samples = {}
    rows = recording.samples
    columns = ("line", "slice_start", "site", "at", "thread_cpu", "process_cpu")
    for line, start, *rest in zip(*(rows[name].tolist() for name in columns), strict=True):
        groups.setdefault((line, start), []).append(Sample(*rest))
    for group in groups.values():
        group.sort(key=lambda sample: sample.at)
    return groups


def share(length: int, most: int, least: int) -> float | None:
    """Return the middle of the bounds of CPU time as a share of `length`; None if unknown."""
    return (most + least) / 2 / length if most >= 0 and length > 0 else None


def judge(
    start: int, end: int, computed: float | None, pieces: list[Piece], samples: list[Sample]
) -> list[Piece]:
    """Judge how the pieces of a long slice were spent that did not wait by nature.

    Between two samples the deltas of the CPU clocks decide, after the last one `computed` does
    (the share of CPU time), and the time before the first counts as what follows it.
    """
    samples = [sample for sample in samples if start < sample.at < end]
    cuts = [sample.at for sample in samples]
    parts, waited = _cut(pieces, cuts)
    modes = _modes(start, end, computed, samples, waited)
    at_sample = _spans_at(pieces, cuts)
    result: list[Piece] = []
    for piece, interval in parts:
        begin, until, span, site, mode = piece
        seen = at_sample.get(span)
        if seen is not None and not (mode is Mode.BLOCKED and site):
            # The stack at the end of an interval stands for it: a C call that holds the GIL
            # is seen by the sample right after it.
            number = bisect_left(seen, interval)
            site = samples[seen[min(number, len(seen) - 1)]].site or site
        if mode is not Mode.BLOCKED:
            mode = modes[interval]
        result.append((begin, until, span, site, mode))
    return result


def _cut(pieces: list[Piece], cuts: list[int]) -> tuple[list[tuple[Piece, int]], list[int]]:
    """Cut pieces at the samples; return them with their interval, and waits by interval, ns."""
    parts: list[tuple[Piece, int]] = []
    waited = [0] * (len(cuts) + 1)
    interval = 0
    for at, end, span, site, mode in pieces:
        while at < end:
            while interval < len(cuts) and cuts[interval] <= at:
                interval += 1
            until = min(end, cuts[interval]) if interval < len(cuts) else end
            parts.append(((at, until, span, site, mode), interval))
            if mode is Mode.BLOCKED:
                waited[interval] += until - at
            at = until
    return parts, waited


def _modes(
    start: int, end: int, computed: float | None, samples: list[Sample], waited: list[int]
) -> list[Mode]:
    """Return how the time in each interval between samples was spent, waits by nature aside."""
    count = len(samples)
    modes: list[Mode | None] = [None] * (count + 1)
    for i in range(1, count):
        before, after = samples[i - 1], samples[i]
        if before.thread_cpu < 0 or after.thread_cpu < 0:
            continue
        wall = after.at - before.at
        cpu = after.thread_cpu - before.thread_cpu
        if cpu >= COMPUTED * (wall - waited[i]):
            modes[i] = Mode.CPU
        elif after.process_cpu - before.process_cpu - cpu >= COMPUTED * (wall - cpu):
            modes[i] = Mode.GIL  # others computed just while this one could not
        else:
            modes[i] = Mode.BLOCKED
    last_ns = end - (samples[-1].at if samples else start)
    if computed is not None:
        if computed * last_ns >= COMPUTED * (last_ns - waited[count]):
            modes[count] = Mode.CPU
        else:
            gil = count > 1 and modes[count - 1] is Mode.GIL
            modes[count] = Mode.GIL if gil else Mode.BLOCKED
    elif count > 1:
        modes[count] = modes[count - 1]
    following = Mode.CPU
    for i in range(count, -1, -1):
        known = modes[i]
        following = modes[i] = following if known is None else known
    return [mode or Mode.CPU for mode in modes]


def _spans_at(pieces: list[Piece], cuts: list[int]) -> dict[int, list[int]]:
    """Return which samples were taken in each span, by the index of the span."""
    found: dict[int, list[int]] = {}
    position = 0
    for number, cut in enumerate(cuts):
        while position < len(pieces) - 1 and pieces[position][1] < cut:
            position += 1
        found.setdefault(pieces[position][2], []).append(number)
    return found
