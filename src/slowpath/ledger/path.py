"""The critical path: what a line awaited in its children is told by the child it waited for.

A line's own acts say where it was suspended. Where it waited for tasks or jobs of its own, the
acts of the one that let it go on take that place; the others' acts are *overlapped*.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from slowpath.ledger.loopwait import LOOP_WAIT, Loops
from slowpath.ledger.model import ACTIVITIES, Mode
from slowpath.ledger.rows import ACT, Act, Registry, RowList, Rows
from slowpath.recording.model import SPAN_KINDS

#: A task goes on right after the child that it waited for, or when the loop has come to it: in
#: the time between, slices hold the loop for at least this share.
SLACK_NS = 1_000_000
BUSY_SHARE = 0.5
#: On a machine short of CPU that may take longer; then this share of the wait is still nothing
#: beside what the child did in it.
SLACK_SHARE = 0.05
#: Children of children are followed so deep; below, a child's own acts stand.
MAX_DEPTH = 50

_THREAD, _RECEIVE = SPAN_KINDS["thread"], SPAN_KINDS["receive"]
_LOOP = ACTIVITIES["loop"]
#: Acts that do not tell what was awaited, so that a child may.
_VAGUE = frozenset(
    ACTIVITIES[name] for name in ("unattributed", "await", "receive", "transaction", "checkout")
)

#: Calls to elsewhere, which clients may leave to tasks of their own (one for each address they try
#: to connect to, say). What such a task does has the call's name.
_CALLS = frozenset(ACTIVITIES[name] for name in ("connect", "http", "sql", "cache"))

Range = tuple[int, int]


class Paths:
    """Resolves timelines of lines that have children.

    Args:
        acts: rows of `ACT` of every line by itself, sorted by line and start.
        ranges: where each line's rows are.
        children: the tasks that a line made.
        relatives: all tasks of the request that a task belongs to.
    """

    def __init__(
        self,
        acts: Rows,
        ranges: Mapping[int, Range],
        children: Mapping[int, list[int]],
        relatives: Mapping[int, list[int]],
        loops: Loops,
        registry: Registry,
    ) -> None:
        self.loops = loops
        self.acts = acts
        self.ranges = ranges
        self.children = children
        self.relatives = relatives
        self.registry = registry
        self._own: dict[int, list[Act]] = {}
        self._resolved: dict[int, list[Act]] = {}
        self._ages: dict[tuple[int, int], tuple[list[int], list[int], list[int]]] = {}
        self._descendants: dict[int, list[int]] = {}
        self._turns: dict[int, list[tuple[int, int]]] = {}  # of a family: ends, and whose
        self._following: list[int] = []

    def forget(self) -> None:
        """Drop what is kept of the lines seen so far."""
        self._own.clear()
        self._resolved.clear()
        self._ages.clear()
        self._descendants.clear()
        self._turns.clear()

    def own(self, line: int) -> list[Act]:
        """Return the acts of a line by itself."""
        known = self._own.get(line)
        if known is None:
            low, high = self.ranges.get(line, (0, 0))
            known = self._own[line] = [Act(*row) for row in self.acts[low:high].tolist()]
        return known

    def resolved(self, line: int) -> list[Act]:
        """Return the acts of a line, with those of the children that it waited for."""
        known = self._resolved.get(line)
        if known is None:
            self._following.append(line)
            known = self._resolved[line] = self._resolve(line)
            self._following.pop()
        return known

    def _resolve(self, line: int) -> list[Act]:
        own = self.own(line)
        if len(self._following) > MAX_DEPTH:
            return own
        result: list[Act] = []
        gap: list[Act] = []
        call, called = (-1, 0), 0  # the latest call to elsewhere, and since when it is under way
        for act in own:
            if gap and act.mode != Mode.WAIT:
                result += self._gap(line, gap, called)
                gap = []
            if (act.activity, act.resource) != call and act.activity != LOOP_WAIT:
                call, called = (act.activity, act.resource), act.start
            (gap if act.mode == Mode.WAIT else result).append(act)
        return result + self._gap(line, gap, called) if gap else result

    def _gap(self, line: int, gap: list[Act], called: int) -> list[Act]:
        """Return the acts of one gap of `line`, whose last call is under way since `called`."""
        result: list[Act] = []
        for act in gap:
            if act.activity == _THREAD and act.link in self.ranges:
                result += _laid_over(act, self.resolved(act.link), line)
            elif act.activity == LOOP_WAIT:
                result += self._own_turns(act, line)
            else:
                result.append(act)
        awaited = next((act for act in reversed(gap) if act.activity != LOOP_WAIT), None)
        start, end = gap[0].start, gap[-1].end
        if awaited is None or not gap[-1].busy:
            return result  # nothing let it go on
        named = awaited.activity in _CALLS
        if not named and awaited.activity not in _VAGUE:
            return result
        found = self._waker(line, awaited, start, end)
        if found is None:
            told = None if named else self._told(line, awaited.thread, start, end)
            if told is None:
                return result
            return [*_clip(result, start, told), *self._tail(awaited, told, end, line)]
        child, done = found
        began = self.own(child)[0].start
        if named and began < called:
            return result  # no task of the call's
        born = max(start, began)
        return [
            *_clip(result, start, born),
            *(
                _as_called(act, awaited) if named else act._replace(line=line)
                for act in _clip(self.resolved(child), born, done)
            ),
            *self._tail(awaited, done, end, line),
        ]

    def _tail(self, awaited: Act, done: int, end: int, line: int) -> list[Act]:
        """Return the end of a wait: from when it was in the loop's queue."""
        if done >= end:
            return []
        loop = self.registry.number("loop", awaited.thread)
        tail = awaited._replace(
            start=done, end=end, activity=LOOP_WAIT, resource=0, awaits=loop, link=0, busy=0
        )
        return self._own_turns(tail, line)

    def _told(self, line: int, thread: int, start: int, end: int) -> int | None:
        """Return when another task of the request let a line go on that ran at `end`, if one did.

        Tasks of a request that hand things to each other (a middleware and the app within) wait
        for each other's turns.
        """
        family = self.relatives.get(line)
        if not family:
            return None
        turns = self._turns.get(id(family))
        if turns is None:
            turns = self._turns[id(family)] = sorted(
                (act.end, member)
                for member in family
                for act in self.own(member)
                if act.mode != Mode.WAIT
            )
        last = bisect_right(turns, end, key=lambda turn: turn[0]) - 1
        while last >= 0 and turns[last][1] == line:
            last -= 1
        done = turns[last][0] if last >= 0 else 0
        return done if done > start and self._followed(thread, done, end, SLACK_NS) else None

    def _followed(self, thread: int, done: int, end: int, slack: int) -> bool:
        """Tell whether a line that was let go on at `done` ran when the loop had come to it."""
        late = end - done
        busy = self.loops.busy_ns(thread, done, end) if late > slack else late
        return busy >= BUSY_SHARE * late

    def _own_turns(self, act: Act, line: int) -> list[Act]:
        """Return a wait for the loop with what the request's other tasks did on it meanwhile.

        A request that waits for a loop that works for this request is at work.
        """
        turns = [
            turn._replace(line=line)
            for other in self._alive(self.relatives, line, act.start, act.end)
            if other not in self._following
            for turn in _within(self.own(other), act.start, act.end)
            if turn.mode != Mode.WAIT
        ]
        turns.sort(key=lambda turn: turn.start)
        result = []
        at = act.start
        for turn in turns:
            begin = max(turn.start, at)
            if begin < turn.end:
                if at < begin:
                    result.append(act._replace(start=at, end=begin))
                result.append(turn._replace(start=begin))
                at = turn.end
        if at < act.end:
            result.append(act._replace(start=at))
        return result

    def _waker(self, line: int, awaited: Act, start: int, end: int) -> tuple[int, int] | None:
        """Find the task that let a line go on at `end`, and when that had done so.

        That is the child that finished last, or else, for a line that listens to a child still
        at work (a middleware that passes a response on), the child that ran last, or a child's
        child.
        """
        if awaited.activity == _RECEIVE:
            # Whoever listens for the peer's leaving is stopped when the response is complete.
            return self._last_done(self.relatives, line, awaited, start, end, finished_only=True)
        found = self._last_done(self.children, line, awaited, start, end)
        if found is None and line in self.children:
            if line not in self._descendants:
                self._descendants[line] = self._offspring(line)
            found = self._last_done(self._descendants, line, awaited, start, end)
        return found

    def _offspring(self, line: int) -> list[int]:
        found: list[int] = []
        todo = list(self.children.get(line, ()))
        while todo:
            found.append(todo.pop())
            todo += self.children.get(found[-1], ())
        return found

    def _last_done(
        self,
        family: Mapping[int, list[int]],
        line: int,
        awaited: Act,
        start: int,
        end: int,
        finished_only: bool = False,
    ) -> tuple[int, int] | None:
        best: tuple[bool, int, int] | None = None
        slack = max(SLACK_NS, int((end - start) * SLACK_SHARE))
        for child in self._alive(family, line, start, end):
            if child in self._following:
                continue
            acts = self.own(child)
            finished = acts[-1].end <= end
            done = acts[-1].end if finished else _last_slice(acts, end)
            if done <= start or (finished_only and not finished):
                continue
            if best is not None and (finished, done) <= best[:2]:
                continue
            if self._followed(awaited.thread, done, end, slack):
                best = (finished, done, child)
        return (best[2], best[1]) if best is not None else None

    def _alive(
        self, family: Mapping[int, list[int]], line: int, start: int, end: int
    ) -> Iterator[int]:
        """Yield the others of a line's family that lived in [start, end), the youngest first."""
        members = family.get(line)
        if not members:
            return
        table = self._ages.get((id(family), line))
        if table is None:
            lives = [(acts[0].start, acts[-1].end, m) for m in members if (acts := self.own(m))]
            lives.sort()
            table = self._ages[id(family), line] = (
                [birth for birth, _, _ in lives],
                list(accumulate((death for _, death, _ in lives), max)),
                [member for _, _, member in lives],
            )
        births, last_deaths, alive = table
        for position in range(bisect_left(births, end) - 1, -1, -1):
            if last_deaths[position] <= start:
                return  # all older ones were gone
            member = alive[position]
            if member != line and self.own(member)[-1].end > start:
                yield member


def _as_called(act: Act, call: Act) -> Act:
    """Return what a task of a call's own did, as the call's unless it has a better name."""
    if act.activity in _VAGUE or act.activity == _LOOP:
        act = act._replace(activity=call.activity, site=call.site, resource=call.resource)
    elif act.activity == LOOP_WAIT:
        act = act._replace(site=call.site)
    return act._replace(line=call.line)


def _last_slice(acts: list[Act], before: int) -> int:
    """Return the end of the last slice that ended by `before`; 0 for none."""
    for position in range(bisect_right(acts, before, key=lambda act: act.start) - 1, -1, -1):
        act = acts[position]
        if act.mode != Mode.WAIT and act.end <= before:
            return act.end
    return 0


def _within(acts: list[Act], low: int, high: int) -> list[Act]:
    """Return the acts of one line, cut to [low, high)."""
    first = bisect_right(acts, low, key=lambda act: act.end)
    last = bisect_left(acts, high, key=lambda act: act.start)
    return _clip(acts[first:last], low, high)


def _clip(acts: Iterable[Act], low: int, high: int) -> list[Act]:
    return [
        act
        if low <= act.start and act.end <= high
        else act._replace(start=max(act.start, low), end=min(act.end, high))
        for act in acts
        if act.start < high and act.end > low
    ]


def _laid_over(act: Act, job: list[Act], line: int) -> list[Act]:
    """Return a wait with the acts of its job in place of the time that the job ran."""
    inner = [found._replace(line=line) for found in _clip(job, act.start, act.end)]
    if not inner:
        return [act]
    first, last = inner[0].start, inner[-1].end
    return [*_clip([act], act.start, first), *inner, *_clip([act], last, act.end)]


def overlapped(path: list[Act], acts: list[Act]) -> list[Act]:
    """Return the parts of a child's own acts that are not on its request's path."""
    taken = sorted((act.start, act.end) for act in path if act.doer == acts[0].doer)
    if not taken:
        return [act for act in acts if act.start < act.end]
    ends = [end for _, end in taken]
    result = []
    for act in acts:
        at = act.start
        for start, end in taken[bisect_right(ends, at) :]:
            if start >= act.end:
                break
            if start > at:
                result.append(act._replace(start=at, end=start))
            at = max(at, end)
        if at < act.end:
            result.append(act._replace(start=at))
    return result


def resolve_all(
    paths: Paths, families: Iterable[tuple[list[int], list[int], list[tuple[int, int, int]]]]
) -> tuple[Rows, dict[int, Range], list[tuple[int, list[Act]]]]:
    """Resolve the timelines of lines with children, request by request.

    Args:
        families: the tasks that worked for one main line, that one first; their jobs; and the
            requests that the main line served, as (index, start, end).

    Returns:
        Rows of `ACT`, where each line's rows are, and by request the overlapped acts.
    """
    rows = RowList(ACT)
    ranges: dict[int, Range] = {}
    beside: list[tuple[int, list[Act]]] = []
    for tasks, jobs, requests in families:
        for task in tasks:
            ranges[task] = rows.extend(paths.resolved(task))
        path = paths.resolved(tasks[0])
        rest: list[Act] = []
        for child in (*tasks[1:], *jobs):
            acts = paths.own(child)
            rest += overlapped(path, acts) if acts else ()
        for index, start, end in requests:
            if rest and start < end:
                beside.append((index, _clip(rest, start, end)))
        paths.forget()
    return rows.table(), ranges, beside
