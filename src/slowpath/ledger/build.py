"""From a recording to its ledger, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from slowpath.ledger import loopwait
from slowpath.ledger.charges import charges_of, merged, root_of
from slowpath.ledger.deeds import deeds_of
from slowpath.ledger.holders import Blame
from slowpath.ledger.model import CHARGE, Ledger, Mode
from slowpath.ledger.owners import Owners
from slowpath.ledger.path import Paths, Range, resolve_all
from slowpath.ledger.rows import ACT, Hold, Ints, Registry, RowList, Rows, distinct, spread
from slowpath.ledger.timeline import Timelines
from slowpath.ledger.work import samples_by_slice
from slowpath.recording import Recording
from slowpath.recording.model import SPAN_KINDS

Progress = Callable[[float], None]

#: The charges of the root view may take so many rows (46 bytes each); when waits are so many
#: that they would not fit, each is dealt out to fewer culprits.
ROOT_ROWS = 4_000_000
#: Bounds of how many culprits share one wait.
LEAST_PARTS, MOST_PARTS = 4, 32

_HANDLER = SPAN_KINDS["handler"]


def build(recording: Recording, progress: Progress | None = None) -> Ledger:
    """Charge every nanosecond of every measured request of a recording.

    Args:
        progress: called now and then with the share that is done, 0 to 1.
    """
    return _Builder(recording, progress or (lambda share: None)).build()


class _Builder:
    def __init__(self, recording: Recording, progress: Progress) -> None:
        self.recording = recording
        self.progress = progress
        self.registry = Registry()
        self.owners = Owners(recording)
        jobs = [line.id for line in recording.lines.values() if line.is_job]
        slices = recording.slices
        self.on_loop = ~np.isin(slices["line"], np.array(jobs, np.int64))
        parents = {line.id: line.parent or line.request for line in recording.lines.values()}
        self.turns = loopwait.turns(slices, self.on_loop, parents)

    def build(self) -> Ledger:
        acts, holds = self._lines()
        self.progress(0.55)
        looked = self.turns.looked[self.on_loop].tolist()
        began = self.recording.slices["start"][self.on_loop].tolist()
        seen = dict(zip(began, looked, strict=True))
        acts = loopwait.carve(acts, holds, self.registry, seen)
        ranges = _ranges(acts)
        everything, ranges, beside = self._paths(acts, ranges)
        self.progress(0.7)
        requests = self.owners.requests
        answered = np.array([request.answered_ns for request in requests], np.int64)
        direct, awaits = self._direct(everything, ranges)
        overlapped = self._overlapped(beside)
        accept, accept_awaits = self._accept(everything, ranges)
        self.progress(0.75)
        wanted = {*distinct(acts["awaits"]).tolist(), *accept_awaits.tolist()} - {0}
        deeds, names = deeds_of(acts, everything, ranges, holds, wanted, self.registry, self.owners)
        del acts, everything
        blame = Blame(deeds)
        parts = int(np.clip(ROOT_ROWS // (np.count_nonzero(awaits) + 1), LEAST_PARTS, MOST_PARTS))
        root = root_of(direct, awaits, blame, names, parts)
        accept = root_of(accept, accept_awaits, blame, names, parts)
        self.progress(1.0)
        return Ledger(
            recording=self.recording,
            requests=requests,
            direct=merged(direct, answered),
            root=merged(root, answered),
            overlapped=overlapped,
            accept_wait=merged(accept, answered),
        )

    def _lines(self) -> tuple[Rows, list[Hold]]:
        """Read every line by itself."""
        recording, owners = self.recording, self.owners
        book = Timelines(recording, samples_by_slice(recording), self.registry)
        slices = np.zeros(len(recording.slices), [*recording.slices.dtype.descr, ("busy", "i8")])
        for name in recording.slices.dtype.names or ():
            slices[name] = recording.slices[name]
        slices["busy"] = self.turns.came
        spans = recording.spans
        lines = np.unique(
            np.concatenate((slices["line"], np.array(list(owners.by_line), np.int64)))
        )
        slice_at = np.searchsorted(slices["line"], np.append(lines, lines[-1:] + 1)).tolist()
        low_span = np.searchsorted(spans["line"], lines, "left").tolist()
        high_span = np.searchsorted(spans["line"], lines, "right").tolist()
        handled = self._handled()
        rows = RowList(ACT)
        for i, line in enumerate(lines.tolist()):
            if i % 4096 == 0:
                self.progress(0.55 * i / len(lines))
            own = slices[slice_at[i] : slice_at[i + 1]].tolist()
            known = recording.lines.get(line)
            is_job = known is not None and known.is_job
            served = owners.by_line.get(line, ())
            low = own[0][2] if own else 1 << 62
            high = max(piece[3] for piece in own) if own else -(1 << 62)
            for index in served:
                request = recording.requests[index]
                low, high = min(low, request.start_ns), max(high, request.end_ns)
            if known is not None and own and not is_job:
                low = min(low, known.born_ns)
            if high <= low:
                continue
            home = owners.home(line)
            main = known.request if known is not None else line
            layered = not home or main in handled
            acts = book.acts(
                line,
                own,
                spans[low_span[i] : high_span[i]].tolist(),
                low,
                high,
                home,
                is_job,
                layered,
            )
            rows.extend(acts)
        return rows.table(), book.holds

    def _handled(self) -> set[int]:
        """Return the main lines of requests whose endpoint has a span of its own."""
        spans = self.recording.spans
        found = set()
        for line in np.unique(spans["line"][spans["kind"] == _HANDLER]).tolist():
            known = self.recording.lines.get(line)
            found.add(known.request if known is not None else line)
        return found

    def _paths(
        self, acts: Rows, ranges: dict[int, Range]
    ) -> tuple[Rows, dict[int, Range], list[tuple[int, Rows]]]:
        """Lay the acts of children over the waits of their parents."""
        recording, owners = self.recording, self.owners
        tasks: dict[int, list[int]] = {}
        children: dict[int, list[int]] = {}
        jobs: dict[int, list[int]] = {}
        for line in recording.lines.values():
            if line.id not in ranges or not line.request:
                continue
            if line.is_job:
                jobs.setdefault(line.request, []).append(line.id)
            else:
                tasks.setdefault(line.request, []).append(line.id)
                children.setdefault(line.parent, []).append(line.id)
        relatives: dict[int, list[int]] = {}

        def families() -> Iterator[tuple[list[int], list[int], list[tuple[int, int, int]]]]:
            for main, found in owners.by_line.items():
                if main not in ranges or (main not in tasks and main not in jobs):
                    continue
                family = [main, *tasks.get(main, ())]
                relatives.clear()
                relatives.update((line, family) for line in family)
                served = [(int(owners.measured[i]), recording.requests[i]) for i in found]
                measured = [(i, r.start_ns, r.end_ns) for i, r in served if i >= 0]
                yield family, jobs.get(main, []), measured

        loops = loopwait.Loops(recording.slices, self.on_loop)
        paths = Paths(acts, ranges, children, relatives, loops, self.registry)
        resolved, places, beside = resolve_all(paths, families())
        moved = {line: (low + len(acts), high + len(acts)) for line, (low, high) in places.items()}
        everything = np.concatenate((acts, resolved)) if len(resolved) else acts
        overlapped = [(index, np.array(rest, ACT)) for index, rest in beside]
        return everything, {**ranges, **moved}, overlapped

    def _direct(self, acts: Rows, ranges: dict[int, Range]) -> tuple[Rows, Ints]:
        """Return the charges of the direct view, and what scarce thing each waits for."""
        requests = self.owners.requests
        low, high = np.zeros((2, len(requests)), np.int64)
        for i, request in enumerate(requests):
            first, last = ranges.get(request.line, (0, 0))
            if len(self.owners.by_line[request.line]) > 1:
                ends, starts = acts["end"][first:last], acts["start"][first:last]
                last = first + int(np.searchsorted(starts, request.end_ns, "left"))
                first += int(np.searchsorted(ends, request.start_ns, "right"))
            low[i], high[i] = first, last
        owner, index = spread(low, high)
        found = acts[index]
        start, end, answered = (
            np.array([getattr(r, name) for r in requests], np.int64)
            for name in ("start_ns", "end_ns", "answered_ns")
        )
        rows = charges_of(found, owner)
        np.maximum(rows["start"], start[owner], out=rows["start"])
        np.minimum(rows["end"], end[owner], out=rows["end"])
        awaits = np.where(
            np.isin(found["mode"], (Mode.WAIT, Mode.THREAD_BLOCKED, Mode.GIL)), found["awaits"], 0
        ).astype(np.int64)
        kept = rows["end"] > rows["start"]
        rows, awaits = rows[kept], awaits[kept]
        # Charges are parted at the answer, so that what comes after it can be told.
        at = answered[rows["request"]]
        parted = np.flatnonzero((rows["start"] < at) & (at < rows["end"]))
        after = rows[parted]
        after["start"] = rows["end"][parted] = at[parted]
        return np.insert(rows, parted + 1, after), np.insert(awaits, parted + 1, awaits[parted])

    def _overlapped(self, beside: Sequence[tuple[int, Rows]]) -> Rows:
        parts = [charges_of(rows, np.full(len(rows), index)) for index, rows in beside]
        if not parts:
            return np.zeros(0, CHARGE)
        rows = np.concatenate(parts)
        return rows[np.lexsort((rows["start"], rows["request"]))]

    def _accept(self, acts: Rows, ranges: dict[int, Range]) -> tuple[Rows, Ints]:
        """Return what requests waited in the socket while the loop was busy.

        That is the time from the client's sending to the server's accepting, as far as slices
        cover it without a pause up to the accepting.
        """
        slices = self.recording.slices[self.on_loop]
        busy = self.turns.busy[self.on_loop]
        order = np.lexsort((slices["start"], slices["thread"]))
        slices, busy = slices[order], busy[order]
        threads, firsts = np.unique(slices["thread"], return_index=True)
        bounds = [*firsts.tolist(), len(slices)]
        loops = {
            thread: slice(bounds[i], bounds[i + 1]) for i, thread in enumerate(threads.tolist())
        }
        found = []
        for index, request in enumerate(self.owners.requests):
            client = request.client
            if client is None or client.start_ns >= request.start_ns or request.line not in ranges:
                continue
            thread = int(acts["thread"][ranges[request.line][0]])
            part = loops.get(thread)
            if part is None:
                continue
            before = int(np.searchsorted(slices["start"][part], request.start_ns, "left")) - 1
            if before < 0:
                continue
            ended = int(slices["end"][part][before])
            if ended < request.start_ns - loopwait.PAUSE_NS:
                continue  # the loop was idle
            since = max(client.start_ns, int(busy[part][before]))
            number = self.registry.number("loop", thread)
            if since < request.start_ns:
                found.append((index, since, request.start_ns, request.handler, number))
        rows = np.zeros(len(found), CHARGE)
        if not found:
            return rows, np.zeros(0, np.int64)
        table = np.array(found, np.int64)
        rows["request"], rows["start"], rows["end"] = table[:, 0], table[:, 1], table[:, 2]
        rows["activity"] = rows["culprit_activity"] = loopwait.LOOP_WAIT
        rows["site"] = rows["culprit_site"] = table[:, 3]
        rows["culprit_request"] = rows["request"]
        return rows, table[:, 4]


def _ranges(acts: Rows) -> dict[int, Range]:
    lines, first = np.unique(acts["line"], return_index=True)
    bounds = [*first.tolist(), len(acts)]
    return {line: (bounds[i], bounds[i + 1]) for i, line in enumerate(lines.tolist())}
