"""From a ledger to a workload: what each request did by itself, and what it used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from slowpath.ledger import ACTIVITIES, Ledger, Mode
from slowpath.ledger.rows import Rows
from slowpath.simulate.barging import favoured
from slowpath.simulate.contention import (
    COMPUTED_NS,
    SHORT_NS,
    Slowed,
    Stay,
    Stays,
    fitted_capacity,
    saturated_capacity,
)
from slowpath.simulate.cooling import slices_by_loop
from slowpath.simulate.offered import offered, ways
from slowpath.simulate.places import QUEUES, Mark, Places
from slowpath.simulate.turns import turns_ns
from slowpath.simulate.warmth import SUFFERS_NS, TYPICAL
from slowpath.simulate.workload import (
    ON_LOOP,
    Behaviour,
    Kind,
    Station,
    Step,
    Workload,
)

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

DATABASE = frozenset(ACTIVITIES[name] for name in ("sql", "fetch", "transaction"))
DATABASE_NAME, CORES_NAME = "database", "the database's cores"
REMOTE = frozenset(ACTIVITIES[name] for name in ("http", "cache"))
ON_LOOP_MODES = (Mode.CPU, Mode.BLOCKED, Mode.GIL)
GC = ACTIVITIES["gc"]
LOOP_WAIT = ACTIVITIES["loop_wait"]
#: Connections to the machine itself.
DATABASE_POOLS, LOOPBACK = "connections", frozenset(("127.0.0.1", "localhost", "[::1]", "::1"))
#: Waits whose reason is another task of the same request; beside the path they say nothing.
VAGUE = frozenset(
    ACTIVITIES[name]
    for name in ("await", "receive", "unattributed", "transaction", "checkout", "loop_wait")
)
#: Nobody answers within so little: whoever waited for no more was let go on by the loop itself, in
#: its next round (a checkpoint, a future that was done).
HOP_NS = 20_000
#: A loop that is busy for this share of the time is what makes waits long.
FULL = 0.8


#: A charge as plain values: start, end, activity, mode, site, resource; the code of its slice, and
#: by how much that ran slower than warm.
Row = tuple[int, int, int, int, int, int, int, float]


def observe(ledger: Ledger) -> Workload:
    """Turn what was recorded into a workload that can be edited and simulated."""
    return favoured(_Observer(ledger).workload())


class _Observer:
    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.recording = ledger.recording
        self.places = Places(ledger)
        self.stations: list[Station] = []
        self._station_numbers: dict[str, int] = {}
        self._stays: dict[int, list[Stay]] = {}
        self._latest: list[Stay] = []
        self._request = 0
        self._handed_over = False  # whether what comes next began when a place was given
        self.loops = slices_by_loop(self.recording)
        self.warmth = TYPICAL

    def workload(self) -> Workload:
        ledger = self.ledger
        places = self.places
        has_queue = {pool.kind for pool in places.pools}
        self.queued = {activity for activity, kind in QUEUES.items() if kind in has_queue}
        way = ways(ledger)
        count = len(ledger.requests)
        direct = self._by_request(ledger.direct, count)
        beside = self._by_request(ledger.overlapped, count)
        drafts = []
        for index in range(count):
            if index in places.gave_up:
                continue  # what it would have done is not known; others stand for it
            steps = self._steps(index, direct[index], beside[index], places.marks.get(index, []))
            drafts.append((index, steps))
        slowed = self._contention()
        behaviours = tuple(
            Behaviour(
                steps=_alone(steps, slowed),
                endpoint=int(ledger.endpoint_of[index]),
                way=way[int(ledger.endpoint_of[index])],
            )
            for index, steps in drafts
        )
        served = Counter(request.process for request in ledger.requests)
        return Workload(
            behaviours=behaviours,
            load=offered(ledger),
            pools=tuple(places.pools),
            stations=tuple(self.stations),
            workers=max(1, len(served)),
            cores=int(self.recording.run.get("cpus") or 1),
            turns_ns=turns_ns(ledger, self.warmth),
            warmth=self.warmth,
            endpoints=tuple(endpoint.name for endpoint in ledger.endpoints),
        )

    def _by_request(self, rows: Rows, count: int) -> list[list[Row]]:
        bounds = np.searchsorted(rows["request"], np.arange(count + 1))
        names = ["start", "end", "activity", "mode", "site", "resource"]
        code, factor = self._codes(rows)
        lines = [
            (*row, *more)
            for row, *more in zip(rows[names].tolist(), code.tolist(), factor.tolist(), strict=True)
        ]
        return [lines[bounds[i] : bounds[i + 1]] for i in range(count)]

    def _codes(self, rows: Rows) -> tuple[Ints, Floats]:
        """Return the code of the slices that rows are of, and by how much each ran slower."""
        code, factor = np.zeros(len(rows), np.int64), np.ones(len(rows))
        served_by = np.array([request.process for request in self.ledger.requests], np.int64)
        process = served_by[rows["request"]]
        on_loop = np.isin(rows["mode"], ON_LOOP_MODES) & (rows["activity"] != GC)
        for number, slices in self.loops.items():
            mine = np.flatnonzero(on_loop & (process == number))
            at = slices.at(rows["start"][mine])
            _, which = np.unique(
                np.stack((at, rows["activity"][mine])), axis=1, return_inverse=True
            )
            which = which.reshape(-1)
            stretch = np.bincount(which, rows["end"][mine] - rows["start"][mine])[which]
            mine, at = mine[stretch < SUFFERS_NS], at[stretch < SUFFERS_NS]
            code[mine] = slices.code[at]
            factor[mine] = self.warmth.of(slices.age[at])
        return code, factor

    # --- Steps -----------------------------------------------------------------------------------

    def _steps(
        self,
        index: int,
        rows: list[Row],
        beside: list[Row],
        marks: list[Mark],
    ) -> list[Step]:
        self._request = index
        request = self.ledger.requests[index]
        answer = request.complete_ns or request.end_ns
        if request.websocket:
            answer = request.answered_ns
        todo = sorted([*marks, Mark(min(answer, request.end_ns), 2, -1)])
        tracks = _tracks(beside)
        forks = [(track[0][0], track) for track in tracks]
        forks.sort(key=lambda fork: fork[0])
        joins: list[tuple[int, int]] = []
        steps: list[Step] = []
        position = fork = 0
        for row in rows:
            start, end = row[0], row[1]
            while fork < len(forks) and forks[fork][0] < end:
                track = forks[fork][1]
                inner = self._beside(track)
                if inner:
                    number = sum(1 for step in steps if step.kind == Kind.FORK)
                    steps.append(Step(Kind.FORK, inner=tuple(inner)))
                    if not any(part[2] in VAGUE for part in track if part[3] == Mode.WAIT):
                        joins.append((track[-1][1], number))
                fork += 1
            for join in [join for join in joins if join[0] <= start]:
                steps.append(Step(Kind.JOIN, ref=join[1]))
                joins.remove(join)
            at = start
            while position < len(todo) and todo[position].at < end:
                mark = todo[position]
                if mark.at > at:
                    self._append(steps, row, at, mark.at)
                    at = mark.at
                steps.append(_marked(mark))
                position += 1
            self._append(steps, row, at, end)
        steps += [_marked(mark) for mark in todo[position:]]
        return steps

    def _append(self, steps: list[Step], row: Row, start: int, end: int) -> None:
        _, _, activity, mode, site, resource, code, slower = row
        ns = end - start
        if ns <= 0:
            return
        if activity != LOOP_WAIT and activity not in self.queued:
            self._handed_over = False
        if mode == Mode.WAIT or mode == Mode.THREAD_BLOCKED:
            if activity == LOOP_WAIT:
                self._unseen(start, ns)
                # After a wait, and at first, the engine queues for the loop by itself.
                if steps and steps[-1].kind in ON_LOOP and not self._handed_over:
                    steps.append(Step(Kind.YIELD))
                return
            if activity in self.queued:
                self._handed_over = True
                return
            if ns < HOP_NS:
                steps.append(Step(Kind.YIELD))
                return
            station = self._station(activity, resource)
            if station >= 0:
                self._latest = self._stays.setdefault(station, [])
                self._latest.append((start, end, resource, self._request, True))
            steps.append(Step(Kind.WAIT, ns, activity, mode, site, resource, station))
        elif mode == Mode.BLOCKED:
            steps.append(Step(Kind.BLOCKED, ns, activity, mode, site, resource))
        elif mode == Mode.THREAD_CPU:
            steps.append(Step(Kind.THREAD, ns, activity, mode, site, resource))
        else:
            ns = round(ns / slower)
            steps.append(Step(Kind.LOOP, ns, activity, mode, site, resource, code=code))

    def _unseen(self, start: int, ns: int) -> None:
        """Note that the loop was held for most of the time since the stay before began."""
        if self._latest and self._latest[-1][1] == start and ns > start - self._latest[-1][0]:
            self._latest[-1] = (*self._latest[-1][:4], False)

    def _beside(self, track: list[Row]) -> list[Step]:
        steps: list[Step] = []
        for row in track:
            if row[3] == Mode.WAIT and row[2] in VAGUE:
                steps.append(Step(Kind.YIELD))
            else:
                self._append(steps, row, row[0], row[1])
        return steps if any(step.kind != Kind.YIELD for step in steps) else []

    # --- Stations --------------------------------------------------------------------------------

    def _station(self, activity: int, resource: int) -> int:
        if activity in DATABASE:
            name = DATABASE_NAME
        elif activity in REMOTE:
            text = self.recording.texts[resource].rpartition(" ")[2]
            name = text.partition("/")[0] or "remote"
        else:
            return -1
        known = self._station_numbers.get(name)
        if known is None:
            known = self._station_numbers[name] = len(self.stations)
            self.stations.append(Station(name))
        return known

    def _contention(self) -> dict[int, Slowed]:
        """Find stations that slow down as they fill; return by how much each stay was longer."""
        slowed: dict[int, Slowed] = {}
        for number, found in self._stays.items():
            stays = Stays.of(found)
            name = self.stations[number].name
            capacity = fitted_capacity(stays) if not self._loop_full() else 0.0
            if not capacity and name == DATABASE_NAME:
                capacity = saturated_capacity(stays)
            if capacity:
                self.stations[number] = Station(name, capacity)
                slowed[number] = stays.by_kind(stays.stretch(capacity), number)
            elif name == DATABASE_NAME and (cores := self._cores_beside()):
                slowed[number] = self._on_cores(stays, cores)
        return slowed

    def _on_cores(self, stays: Stays, cores: float) -> Slowed:
        """Return by how much statements took longer for which the database computes at length."""
        long = stays.computed(self.recording.texts)
        if not len(long.length):
            return {}
        station = len(self.stations)
        self.stations.append(Station(CORES_NAME, cores, COMPUTED_NS, SHORT_NS))
        short = stays.only(stays.length < COMPUTED_NS)
        # Nothing shows that they were full: what hides its end was not longer than alone.
        factors = np.where(long.seen, long.stretch(cores), 1.0)
        return {
            **short.by_kind(np.ones(len(short.length)), station),
            **long.by_kind(factors, station),
        }

    def _cores_beside(self) -> float:
        """Return the cores that a database has which runs on this machine; 0 if it does not."""
        pools = [pool.name for pool in self.places.pools if pool.kind == DATABASE_POOLS]
        hosts = {name.rpartition(" ")[2].partition("/")[0] for name in pools}
        if not hosts or not hosts <= LOOPBACK:
            return 0
        run = self.recording.run
        workers = len({request.process for request in self.ledger.requests})
        return int(run.get("cpus_beside") or max(1, int(run.get("cpus") or 1) - workers))

    def _loop_full(self) -> bool:
        """Tell whether a loop was busy nearly all the time."""
        return any(
            int((slices.end - slices.start).sum())
            > FULL * (int(slices.end.max()) - int(slices.start[0]))
            for slices in self.loops.values()
        )


def _marked(mark: Mark) -> Step:
    if mark.order == 2:
        return Step(Kind.ANSWER)
    return Step(Kind.TAKE if mark.order == 1 else Kind.GIVE, ref=mark.pool)


def _tracks(rows: list[Row]) -> list[list[Row]]:
    """Tell what was done beside the path apart: what follows without a hole is one line's."""
    ends: dict[int, list[list[Row]]] = {}
    tracks = []
    for row in rows:
        waiting = ends.get(row[0])
        track = waiting.pop() if waiting else None
        if track is None:
            track = []
            tracks.append(track)
        track.append(row)
        ends.setdefault(row[1], []).append(track)
    return tracks


def _alone(steps: list[Step], slowed: dict[int, Slowed]) -> tuple[Step, ...]:
    """Take from each stay at a station what others there made it longer."""
    return tuple(_unslowed(steps, slowed)) if slowed else tuple(steps)


def _unslowed(steps: Sequence[Step], slowed: dict[int, Slowed]) -> Iterator[Step]:
    for step in steps:
        if step.inner:
            yield step._replace(inner=tuple(_unslowed(step.inner, slowed)))
        elif step.kind == Kind.WAIT and step.ref in slowed:
            factor, ref = slowed[step.ref].get((step.ns, step.resource), (1.0, step.ref))
            yield step._replace(ns=max(1, round(step.ns / factor)), ref=ref)
        else:
            yield step
