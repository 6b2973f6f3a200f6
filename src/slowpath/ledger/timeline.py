"""The acts of one line by itself: its slices cut into work, its gaps into what it awaited."""

from __future__ import annotations

from slowpath.ledger.loopwait import LOOP_WAIT
from slowpath.ledger.model import ACTIVITIES, Mode
from slowpath.ledger.rows import UNKNOWN_WAIT, ActRow, Hold, Registry
from slowpath.ledger.work import IO, LONG_NS, Piece, Samples, judge, share
from slowpath.recording import Recording
from slowpath.recording.model import SPAN_KINDS, SpanFlag

#: A gap this short that no span explains is scheduling (`sleep(0)`, a queue that had an item);
#: a longer one should have been explained by the probe.
SHORT_GAP_NS = 1_000_000

_LOOP, _UNATTRIBUTED = ACTIVITIES["loop"], ACTIVITIES["unattributed"]
_AWAIT, _THREAD, _THREAD_WAIT = (SPAN_KINDS[k] for k in ("await", "thread", "thread_wait"))
_POOL_WAIT, _LOCK_WAIT, _HTTP_POOL_WAIT = (
    SPAN_KINDS[k] for k in ("pool_wait", "lock_wait", "http_pool_wait")
)
_CHECKOUT, _LOCK, _HTTP, _MIDDLEWARE = (
    SPAN_KINDS[k] for k in ("checkout", "lock", "http", "middleware")
)
_HOLDS = frozenset(SPAN_KINDS[k] for k in ("checkout", "transaction", "lock"))
_IDLE = frozenset(SPAN_KINDS[k] for k in ("await", "receive"))
_FRAMES = frozenset(SPAN_KINDS[k] for k in ("dependency", "middleware", "handler"))
_PAUSES = frozenset(SPAN_KINDS[k] for k in ("thread", "thread_wait", "sleep"))
#: How well a span explains a gap: what was asked for, then a wait that only its place tells,
#: then a commit or a reset that goes with a hold; the code around explains nothing.
_ASKED, _IDLING, _HELD, _AROUND = 0, 1, 2, 3
_RANK = [_ASKED] * 256
for _kind in _IDLE:
    _RANK[_kind] = _IDLING
for _kind in _HOLDS:
    _RANK[_kind] = _HELD
for _kind in _FRAMES:
    _RANK[_kind] = _AROUND

_SLEEP_0 = "__sleep0"
_JOBS = frozenset((_THREAD, _THREAD_WAIT))
_AWAITING = frozenset((_POOL_WAIT, _LOCK_WAIT, _THREAD_WAIT, _HTTP_POOL_WAIT))
# Members of an enumeration are slow to look up.
_WAIT, _CPU, _BLOCKED = Mode.WAIT, Mode.CPU, Mode.BLOCKED
_IN_THREAD = {
    Mode.CPU: Mode.THREAD_CPU,
    Mode.GIL: Mode.THREAD_CPU,
    Mode.BLOCKED: Mode.THREAD_BLOCKED,
}

#: A row of `Recording.spans` as a plain tuple; see `slowpath.recording.Span`.
SpanRow = tuple[int, int, int, int, int, int, int, int, int, int]
#: A row of `Recording.slices`, and since when its loop was busy.
SliceRow = tuple[int, int, int, int, int, int, int]
_KIND, _FLAGS, _SITE, _RESOURCE, _START, _END, _A = 0, 1, 4, 5, 6, 7, 8


class Timelines:
    """Reads lines one after another, and notes who held what."""

    def __init__(self, recording: Recording, samples: Samples, registry: Registry) -> None:
        self.samples = samples
        self.registry = registry
        self.holds: list[Hold] = []
        self._texts = recording.texts
        self._origins: dict[str, int] = {}
        #: Number of the text by which asyncio's `sleep(0)` is known; -1 if it never was awaited.
        self.yields = self._texts.index(_SLEEP_0) if _SLEEP_0 in self._texts else -1
        kinds = recording.spans["kind"]
        self._http_waits = bool((kinds == _HTTP_POOL_WAIT).any())

    def acts(
        self,
        line: int,
        slices: list[SliceRow],
        spans: list[SpanRow],
        low: int,
        high: int,
        home: int,
        is_job: bool,
        layered: bool,
    ) -> list[ActRow]:
        """Return the acts of a line over [low, high), without a hole.

        Args:
            slices: by start, all within [low, high].
            spans: by start, outer ones first; they may stick out.
            home: the site where no span tells a better one.
            layered: a middleware's span may claim work (else it may be an endpoint's).
        """
        reader = _Line(self, line, slices, spans, home, is_job, layered)
        acts = reader.read(low, high)
        self._note_holds(line, spans)
        return acts

    def awaited(self, span: SpanRow) -> int:
        """Return the number of the scarce thing that a span waits for; 0 for none."""
        kind, process, resource = span[_KIND], span[3] >> 32, span[_RESOURCE]
        if kind == _POOL_WAIT:
            return self.registry.number("pool", process, resource)
        if kind == _LOCK_WAIT:
            return self.registry.number("lock", process, resource, span[_A])
        if kind == _THREAD_WAIT:
            return self.registry.number("threads", process, resource)
        if kind == _HTTP_POOL_WAIT:
            return self.registry.number("http", process, self._origin(resource))
        return 0

    def _note_holds(self, line: int, spans: list[SpanRow]) -> None:
        process = line >> 32
        for kind, _, _, _, site, resource, start, end, a, _ in spans:
            holder = line
            if kind == _CHECKOUT:
                scarce = self.registry.number("pool", process, resource)
            elif kind == _LOCK:
                scarce = self.registry.number("lock", process, resource, a)
            elif kind == _THREAD and a > 0:
                scarce = self.registry.number("threads", process, resource)
                holder = process << 32 | a
            elif kind == _HTTP and self._http_waits:
                scarce = self.registry.number("http", process, self._origin(resource))
                waits = [
                    span[_END]
                    for span in spans
                    if span[_KIND] == _HTTP_POOL_WAIT and start <= span[_START] < end
                ]
                start = min(end, max(waits, default=start))
            else:
                continue
            self.holds.append(Hold(scarce, holder, start, end, kind, site, resource, a))

    def _origin(self, resource: int) -> int:
        """Return a number for the host in an origin or in a `METHOD host/path`."""
        text = self._texts[resource].rpartition(" ")[2].rpartition("://")[2]
        return self._origins.setdefault(text.partition("/")[0], len(self._origins) + 1)


class _Line:
    """One line being read: a sweep over the borders of its slices and spans."""

    def __init__(
        self,
        book: Timelines,
        line: int,
        slices: list[SliceRow],
        spans: list[SpanRow],
        home: int,
        is_job: bool,
        layered: bool,
    ) -> None:
        self.book = book
        self.line = line
        self.slices = slices
        self.spans = spans
        self.home = home
        self.is_job = is_job
        self.layered = layered
        self.open: list[int] = []  # indices of open spans, by start
        self.acts: list[ActRow] = []
        self.gaps_of: dict[int, int] = {}
        jobs = [span for span in spans if span[_KIND] == _THREAD]
        self.job_end = {span[_A]: span[_END] for span in jobs} if len(jobs) > 1 else {}

    def read(self, low: int, high: int) -> list[ActRow]:
        """Return the acts over [low, high)."""
        # At one instant: spans end, slices end, spans start (outer first), slices start.
        borders = [(span[_START], 2, i) for i, span in enumerate(self.spans)]
        borders += [(span[_END], 0, i) for i, span in enumerate(self.spans)]
        previous = low
        for i, piece in enumerate(self.slices):
            # Slices of a line do not overlap; a clock that is read twice could say so.
            start, end = max(piece[2], previous), piece[3]
            if end > start:
                borders += ((start, 3, i), (end, 1, i))
                previous = end
        borders.sort()
        at = low
        inside: SliceRow | None = None
        pieces: list[Piece] = []
        resume = self._next_resume(0)
        closed = set()
        for time, order, index in borders:
            if time > at:
                until = min(time, high)
                if until > at:
                    pieces.append(
                        self._worked(at, until) if inside else self._awaited(at, until, resume)
                    )
                    at = until
            if order == 2:
                if index not in closed:
                    self.open.append(index)
            elif order == 0:
                if index in self.open:
                    self.open.remove(index)
                else:
                    closed.add(index)  # it ends where it starts
            elif order == 3:
                self._end_gap(pieces, self.slices[index])
                pieces = []
                inside = self.slices[index]
            else:
                assert inside is not None
                self._end_slice(pieces, inside)
                pieces = []
                inside = None
                resume = self._next_resume(index + 1)
        if at < high:
            pieces.append(self._awaited(at, high, resume))
        self._end_gap(pieces, None)
        return self.acts

    def _next_resume(self, index: int) -> int:
        return self.slices[index][2] if index < len(self.slices) else 1 << 62

    def _worked(self, start: int, end: int) -> Piece:
        """Find the innermost span that tells what was done in a slice."""
        spans = self.spans
        for position in range(len(self.open) - 1, -1, -1):
            index = self.open[position]
            kind, flags = spans[index][:2]
            suspends = flags & SpanFlag.ASYNC
            if (
                kind in _HOLDS
                or kind in _IDLE
                or (suspends and kind in _PAUSES)
                or (kind == _MIDDLEWARE and not self.layered)
            ):
                continue
            mode = _BLOCKED if kind in IO and not suspends else _CPU
            return start, end, index, self._site(position), mode
        return start, end, -1, self.home, _CPU

    def _awaited(self, start: int, end: int, resume: int) -> Piece:
        """Find the span that tells best what was awaited in a gap."""
        spans = self.spans
        best, rank = -1, 4
        for position in range(len(self.open) - 1, -1, -1):
            found = _RANK[spans[self.open[position]][_KIND]]
            if found < rank:
                best, rank = position, found
                if not rank:
                    break
        if best < 0:
            return start, end, -1, self.home, _WAIT
        if self.job_end and spans[self.open[best]][_KIND] in _JOBS:
            best = self._last_job(best, resume)
        site = self._site(best)
        return start, end, self.open[best] if rank != _AROUND else -1, site, _WAIT

    def _last_job(self, best: int, resume: int) -> int:
        """Of jobs in parallel, follow the one that ended last before the line went on."""
        last = -1
        for position, index in enumerate(self.open):
            span = self.spans[index]
            if span[_KIND] in _JOBS:
                end = self.job_end.get(span[_A], span[_END])
                if last < end <= resume:
                    best, last = position, end
        return best

    def _site(self, position: int) -> int:
        """Return the site of an open span, or of the nearest one around it that has one."""
        innermost = self.open[position]
        for index in self.open[position::-1]:
            span = self.spans[index]
            kind = span[_KIND]
            if not span[_SITE] or (kind == _MIDDLEWARE and not self.layered):
                continue
            if index == innermost or kind not in _HOLDS:
                return span[_SITE]
        return self.home

    def _end_slice(self, pieces: list[Piece], piece: SliceRow) -> None:
        thread, _, start, end, most, least, _ = piece
        samples = self.book.samples.get((self.line, start))
        if samples is not None or most >= 0 or end - start >= LONG_NS:
            computed = share(end - start, most, least)
            pieces = judge(start, end, computed, pieces, samples or [])
        acts, line = self.acts, self.line
        own = _THREAD if self.is_job else _LOOP
        # Neighbours that say the same are one act: many borders of spans part nothing.
        last: tuple[int, int, int, int, int] | None = None
        for begin, until, index, site, mode in pieces:
            activity, resource = own, 0
            if index >= 0:
                span = self.spans[index]
                activity, resource = span[_KIND], span[_RESOURCE]
                if mode is _BLOCKED and activity in IO and span[_FLAGS] & SpanFlag.ASYNC:
                    mode = _CPU  # it suspends to wait; what looks like blocking is a busy machine
            awaits = link = 0
            if self.is_job:
                mode = _IN_THREAD[mode]
                if mode is Mode.THREAD_BLOCKED and index >= 0:
                    awaits, link = self.book.awaited(span), span[_A]
            elif mode is Mode.GIL:
                awaits = self.book.registry.number("gil", line >> 32)
            this = (activity, mode, site, resource, link)
            if this == last:
                begin = acts.pop()[1]
            last = this
            acts.append((line, begin, until, *this[:4], thread, awaits, link, 0, 0, line))

    def _end_gap(self, pieces: list[Piece], resumed: SliceRow | None) -> None:
        """Turn the pieces of a gap into acts; `resumed`: the slice that ended it, if any."""
        if not pieces:
            return
        acts, line, book = self.acts, self.line, self.book
        before = acts[-1][7] if acts else 0
        thread = resumed[0] if resumed is not None else before
        start, end = pieces[0][0], pieces[-1][1]
        if resumed is not None and (not acts or self._yielded(pieces)):
            # Not yet begun, or only let others run: it was in the loop's queue all the time.
            loop = book.registry.number("loop", thread)
            site = pieces[-1][3]
            acts.append((line, start, end, LOOP_WAIT, _WAIT, site, 0, thread, loop, 0, 0, 0, line))
            return
        pieces = _lengthen_last(pieces, self.spans) if len(pieces) > 1 else pieces
        busy = min(resumed[6], end) if resumed is not None else 0
        final = pieces[-1]
        for piece in pieces:
            begin, until, index, site, _ = piece
            nth = UNKNOWN_WAIT
            resource = awaits = link = 0
            if index < 0:
                activity = _AWAIT if end - start < SHORT_GAP_NS else _UNATTRIBUTED
            else:
                span = self.spans[index]
                activity, resource, link = span[_KIND], span[_RESOURCE], span[_A]
                if activity in _AWAITING:
                    awaits = book.awaited(span)
                if activity in _JOBS:
                    link = span[3] >> 32 << 32 | link if link > 0 else 0
                nth = min(self.gaps_of.get(index, 0), UNKNOWN_WAIT - 1)
                self.gaps_of[index] = nth + 1
                if activity == _THREAD and begin >= span[_END] and resumed is not None:
                    # The job had run: from then on the task was in the loop's queue.
                    activity, resource, link = LOOP_WAIT, 0, 0
                    awaits = book.registry.number("loop", thread)
            since = busy if piece is final else 0
            acts.append(
                (
                    line,
                    begin,
                    until,
                    activity,
                    _WAIT,
                    site,
                    resource,
                    thread,
                    awaits,
                    link,
                    since,
                    nth,
                    line,
                )
            )

    def _yielded(self, pieces: list[Piece]) -> bool:
        """Tell whether a gap is a `sleep(0)`."""
        index = pieces[-1][2]
        return (
            len(pieces) == 1
            and index >= 0
            and self.spans[index][_KIND] == _AWAIT
            and self.spans[index][_RESOURCE] == self.book.yields
        )


def _lengthen_last(pieces: list[Piece], spans: list[SpanRow]) -> list[Piece]:
    """Merge equal neighbours; a gap's unexplained end belongs to the wait that ended before it.

    What was awaited had come (a job in a thread had run), and the task was yet to go on.
    """
    merged: list[Piece] = []
    for piece in pieces:
        if merged and merged[-1][2:4] == piece[2:4]:
            merged[-1] = (merged[-1][0], *piece[1:])
        else:
            merged.append(piece)
    if len(merged) > 1 and merged[-1][2] < 0 <= merged[-2][2]:
        start, end = merged.pop()[:2]
        known = merged[-1]
        if spans[known[2]][_KIND] in _JOBS:
            # A job's time is its own; what follows is the way back to the task.
            merged.append((start, end, *known[2:]))
        else:
            merged[-1] = (known[0], end, *known[2:])
    return merged
