"""The format of `probe-<pid>.bin`: what the probe writes and `slowpath.recording` reads.

A file is `MAGIC`, then frames. A frame is a `FRAME` header (type, payload length, CRC-32 of the
payload begun with the type) and its payload, so a killed process loses at most the frame that it
was writing:

- `META`: a JSON object about the process; a later one adds to and overrides the earlier ones.
- `NAMES`: a JSON list of `[table, id, value]`, where table is one of `SITE` (value
  `[path, line, function]`), `TEXT` (a string) and `STACK` (a list of site ids, innermost first).
  Ids are positive and unique within a table; 0 means "none".
- `RECORDS`: a whole number of `RECORD`s, 48 bytes each.

What the fields of a record mean depends on its kind; times are `time.perf_counter_ns()`:

====================  =================================================================
kind                  fields
====================  =================================================================
`REQUEST`             line: its main task; start, end: accept (task creation) and end;
                      site: the endpoint function; resource: text of the route template;
                      flags: `RequestFlag` bits; a: status (0: none was sent);
                      b: bytes sent
`REQUEST_MORE`        line; start: first byte sent (0: none); end: bytes received;
                      site: µs from the first byte to the last, plus 1 (0: not complete);
                      resource: text of the method; a: span id of the client's
                      `traceparent` (as signed; 0: none); b: ASGI app's first step
`LINE`                line; resource: id of the request's main line (0: none);
                      site: where its function is defined; flags: `LineFlag`;
                      start, end: creation and end (0: still open); a: parent line
`SLICE`               line held its thread from start to end; a, b: its CPU ns, with waits for
                      a core, were at most a and at least b (-1: not measured; short slices
                      never are)
span kinds            line; start, end; site: the line of the app that asked;
                      resource: text of what was used; thread, a, b: see `SPAN_FIELDS`
`SAMPLE`              a stack seen while a slice was overdue; line; start: slice's start,
                      end: when seen; site: innermost line of the app; resource: STACK id;
                      a: CPU clock of that thread, with its waits for a core;
                      b: CPU clock of the process
`GAUGE`               resource: text of the name; start: when; a: value
====================  =================================================================
"""

import struct

MAGIC = b"slowpath-probe-1\n"
FRAME = struct.Struct("<BII")
RECORD = struct.Struct("<BBHIIIqqqq")
#: The same layout for NumPy: `numpy.dtype(RECORD_FIELDS)`.
RECORD_FIELDS = [
    ("kind", "u1"),
    ("flags", "u1"),
    ("thread", "<u2"),
    ("line", "<u4"),
    ("site", "<u4"),
    ("resource", "<u4"),
    ("start", "<i8"),
    ("end", "<i8"),
    ("a", "<i8"),
    ("b", "<i8"),
]

META, NAMES, RECORDS = 1, 2, 3
SITE, TEXT, STACK = "site", "text", "stack"

REQUEST, REQUEST_MORE, LINE, SLICE, SAMPLE, GAUGE = 1, 2, 3, 4, 5, 6

#: Span kinds and their codes. `handler` is the endpoint's own body; `checkout` and `lock` are
#: the intervals in which a pool connection or a lock is *held* (what `pool_wait` and `lock_wait`
#: wait for); `connect` is a handshake or the making of a client or engine; `receive` is waiting
#: for the peer's data; `await` is a wait that no hook knows, told by its await chain.
SPAN_KINDS = {
    "pool_wait": 16,
    "sql": 17,
    "fetch": 18,
    "hydrate": 19,
    "transaction": 20,
    "checkout": 21,
    "http_pool_wait": 22,
    "http": 23,
    "cache": 24,
    "validate": 25,
    "serialize": 26,
    "render": 27,
    "send": 28,
    "receive": 29,
    "dependency": 30,
    "middleware": 31,
    "handler": 32,
    "thread_wait": 33,
    "thread": 34,
    "lock_wait": 35,
    "lock": 36,
    "sleep": 37,
    "gc": 38,
    "connect": 39,
    "await": 40,
}

#: What `resource`, `a` and `b` of a span mean, by kind (-1 in a or b: unknown).
SPAN_FIELDS = {
    "pool_wait": "resource: the pool; a: connection got; b: pool size with overflow",
    "checkout": "resource: the pool; a: connection; b: pool size with overflow",
    "transaction": "resource: the pool; a: connection",
    "sql": "resource: SQL fingerprint; a: rows (sent or affected); b: connection",
    "fetch": "resource: SQL fingerprint or empty; a: rows; b: connection",
    "hydrate": "resource: SQL fingerprint or empty; a: objects",
    "http_pool_wait": "resource: the client's origin; b: its limit",
    "http": "resource: METHOD host/path template; a: hash of URL and body; b: bytes received",
    "connect": "resource: what was made or reached, e.g. `httpx.AsyncClient`, `tcp host`",
    "cache": "resource: command and host; a: bytes; b: commands",
    "validate": "resource: what is validated",
    "serialize": "resource: what with; a: bytes or objects",
    "render": "resource: response class; a: bytes",
    "send": "a: bytes",
    "receive": "a: bytes",
    "dependency": "resource: qualified name; site: its definition",
    "middleware": "resource: class; site: its definition",
    "handler": "site: the endpoint's definition",
    "thread_wait": "resource: the limiter or executor; a: line of the job; b: its threads",
    "thread": "resource: the limiter or executor; a: line of the job; b: its threads",
    "lock_wait": "resource: the lock; a: its identity; b: its places",
    "lock": "resource: the lock; a: its identity; b: its places",
    "sleep": "a: nanoseconds asked for",
    "gc": "a: generation; b: objects collected",
    "await": "resource: qualified name of the innermost awaited coroutine",
}


class RequestFlag:
    """Bits of a `REQUEST` record's flags."""

    WEBSOCKET = 1
    STREAMED = 2
    DISCONNECTED = 4
    CANCELLED = 8
    FAILED = 16  # an exception left the app
    SINGLE = 32  # its only slice went from the app's first step to its end, and has no record


class LineFlag:
    """Bits of a `LINE` record's flags; none set: a task."""

    THREAD = 1  # a job in a worker thread
    CANCELLED = 2


class SpanFlag:
    """Bits of a span's flags."""

    ASYNC = 1  # its caller could be suspended meanwhile; without it, the thread was held throughout
    FAILED = 2
    CANCELLED = 4
