"""Writes a recording and its ledger as DuckDB tables: `run.duckdb`, for questions in SQL.

The file can be built again from the run folder at any time. `COLUMNS` documents the tables; the
same comments stand in the database (`SELECT * FROM duckdb_columns()`). Times are nanoseconds of
the machine's monotonic clock. `line_id` numbers a task or a job in a thread, `request_id` a
request by its place in `requests`; places in code and texts are written out in the views
`charges_by_site` and `spans_by_site`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from slowpath.ledger import ACTIVITY_NAMES, Ledger, Mode
from slowpath.recording.model import ClientCall, Recording, Request, Rows, SpanFlag

#: Names follow OpenTelemetry's semantic conventions where one exists, with `_` for `.`.
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "requests": {
        "request_id": "place among all requests of the recording",
        "charged_id": "place among the measured requests, as charges number them; NULL: warm-up",
        "line_id": "its main task",
        "process_pid": "the worker that served it",
        "http_request_method": "GET, …; WEBSOCKET for a websocket",
        "http_route": "route template",
        "http_response_status_code": "0 if nothing was sent",
        "code_site_id": "the endpoint's function; 0 if unknown",
        "start_ns": "accepted by the server",
        "began_ns": "the app's first step",
        "first_byte_ns": "first byte sent; 0 if none was",
        "answered_ns": "the answer had come: first byte of a stream or websocket, else the last",
        "end_ns": "the app returned",
        "http_request_body_size": "bytes",
        "http_response_body_size": "bytes",
        "websocket": "",
        "streamed": "sent in parts",
        "disconnected": "the client left before the answer",
        "cancelled": "",
        "failed": "an exception left the app",
        "span_id": "span id of the client's traceparent, if the load generator sent it",
    },
    "spans": {
        "span_kind": "what was done",
        "suspended": "the line was suspended within it; else it held its thread throughout",
        "failed": "an exception left it",
        "cancelled": "",
        "thread_id": "process << 16 | thread",
        "line_id": "",
        "code_site_id": "the line of the app that asked",
        "resource_id": "text that tells what was used",
        "start_ns": "",
        "end_ns": "",
        "a": "see slowpath.recording.model.SPAN_FIELDS; -1: unknown",
        "b": "see slowpath.recording.model.SPAN_FIELDS; -1: unknown",
    },
    "slices": {
        "thread_id": "process << 16 | thread",
        "line_id": "",
        "start_ns": "",
        "end_ns": "",
        "cpu_most_ns": "CPU time of the slice was at most this; NULL: not measured",
        "cpu_least_ns": "and at least this",
    },
    "samples": {
        "thread_id": "process << 16 | thread",
        "line_id": "",
        "code_site_id": "the app's own innermost line; 0 if none",
        "stack_id": "place in the table stacks",
        "slice_start_ns": "the slice that was overdue",
        "at_ns": "",
        "thread_cpu_ns": "CPU clock of the thread; -1: unknown",
        "process_cpu_ns": "CPU clock of the process",
    },
    "gauges": {
        "process_id": "place among the processes",
        "name": "",
        "at_ns": "",
        "value": "",
    },
    "stacks": {
        "stack_id": "",
        "depth": "0: innermost",
        "code_site_id": "",
    },
    "sites": {
        "code_site_id": "0 means none",
        "code_file_path": "",
        "code_line_number": "",
        "code_function_name": "qualified name",
    },
    "texts": {
        "text_id": "0 means none",
        "text": "",
    },
    "client": {
        "span_id": "as sent in traceparent",
        "start_ns": "",
        "end_ns": "",
        "http_request_method": "",
        "name": "as the load generator calls it",
        "http_response_status_code": "0 if no response came",
        "http_response_body_size": "bytes",
        "error": "empty if it succeeded",
    },
    "charges": {
        "view": "direct: what a request waited on; root: after the cascade; overlapped: of "
        "children off the critical path; accept: in the socket, before the request began",
        "charged_id": "which measured request",
        "start_ns": "",
        "end_ns": "",
        "activity": "what the request was doing",
        "mode": "how: wait, cpu, blocked, gil, thread_cpu, thread_blocked",
        "code_site_id": "where it stood",
        "resource_id": "",
        "culprit_charged_id": "the measured request to blame; NULL: none, such as background work",
        "culprit_activity": "what was being done there",
        "culprit_mode": "",
        "culprit_site_id": "the line to blame",
        "culprit_resource_id": "",
    },
}

_VIEWS = """
CREATE VIEW charges_by_site AS
SELECT charges.*,
       r.http_request_method, r.http_route,
       s.code_file_path, s.code_line_number, s.code_function_name, t.text AS resource,
       c.code_file_path AS culprit_file_path, c.code_line_number AS culprit_line_number,
       c.code_function_name AS culprit_function_name, u.text AS culprit_resource
FROM charges
JOIN requests AS r ON r.charged_id = charges.charged_id
JOIN sites AS s ON s.code_site_id = charges.code_site_id
JOIN texts AS t ON t.text_id = charges.resource_id
JOIN sites AS c ON c.code_site_id = charges.culprit_site_id
JOIN texts AS u ON u.text_id = charges.culprit_resource_id;

CREATE VIEW spans_by_site AS
SELECT spans.*, s.code_file_path, s.code_line_number, s.code_function_name, t.text AS resource
FROM spans
JOIN sites AS s ON s.code_site_id = spans.code_site_id
JOIN texts AS t ON t.text_id = spans.resource_id;
"""

#: Columns that hold codes, with the type that names them.
_CODED = {
    "span_kind": "activity",
    "activity": "activity",
    "culprit_activity": "activity",
    "mode": "mode",
    "culprit_mode": "mode",
    "view": "view",
}
_VIEW_NAMES = ("direct", "root", "overlapped", "accept")
_NAMES: Mapping[str, Sequence[str]] = {
    "activity": [ACTIVITY_NAMES.get(code, f"kind_{code}") for code in range(256)],
    "mode": [mode.name.lower() for mode in Mode],
    "view": _VIEW_NAMES,
}

Columns = dict[str, Any]


def build_tables(recording: Recording, ledger: Ledger, path: Path) -> None:
    """Write the tables of a recording and its ledger to `path`, in place of what is there.

    Raises:
        OSError: the file cannot be written.
    """
    path.unlink(missing_ok=True)
    try:
        with duckdb.connect(str(path)) as database:
            for name, values in _NAMES.items():
                database.execute(f"CREATE TYPE {name} AS ENUM ({_literals(values)})")
            for name, columns in _tables(recording, ledger):
                _write(database, name, columns)
            database.execute(_VIEWS)
    except duckdb.Error as exc:
        raise OSError(f"{path} cannot be written: {exc}") from exc


def _write(database: duckdb.DuckDBPyConnection, name: str, columns: Columns) -> None:
    """Create one table from columns of equal length."""
    database.register("incoming", columns)
    chosen = ", ".join(
        f"([{_literals(_NAMES[_CODED[column]])}])[{column} + 1]::{_CODED[column]} AS {column}"
        if column in _CODED
        else column
        for column in COLUMNS[name]
    )
    database.execute(f"CREATE TABLE {name} AS SELECT {chosen} FROM incoming")
    database.unregister("incoming")
    for column, comment in COLUMNS[name].items():
        if comment:
            text = comment.replace("'", "''")
            database.execute(f"COMMENT ON COLUMN {name}.{column} IS '{text}'")


def _literals(values: Iterable[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)


def _columns(rows: Rows, **fields: str) -> Columns:
    """Return fields of structured rows as columns of their own, by new name."""
    return {name: np.ascontiguousarray(rows[field]) for name, field in fields.items()}


def _known(values: Any, known: Any) -> Any:
    """Return a column that is NULL where the value is not known."""
    return np.ma.masked_array(np.ascontiguousarray(values), ~np.asarray(known, np.bool_))


def _words(values: Iterable[str]) -> Any:
    # What cannot be stored as UTF-8 (a lone surrogate in a path) is replaced.
    return np.array([v.encode("utf-8", "replace").decode() for v in values], np.object_)


def _tables(recording: Recording, ledger: Ledger) -> Iterable[tuple[str, Columns]]:
    yield "requests", _requests(recording, ledger)
    yield "spans", _spans(recording.spans)
    slices = recording.slices
    yield (
        "slices",
        {
            **_columns(slices, thread_id="thread", line_id="line", start_ns="start", end_ns="end"),
            "cpu_most_ns": _known(slices["most"], slices["most"] >= 0),
            "cpu_least_ns": _known(slices["least"], slices["most"] >= 0),
        },
    )
    yield (
        "samples",
        _columns(
            recording.samples,
            thread_id="thread",
            line_id="line",
            code_site_id="site",
            stack_id="stack",
            slice_start_ns="slice_start",
            at_ns="at",
            thread_cpu_ns="thread_cpu",
            process_cpu_ns="process_cpu",
        ),
    )
    gauges = recording.gauges
    yield (
        "gauges",
        {
            "process_id": gauges["process"].copy(),
            "name": _words(recording.texts[i] for i in gauges["name"].tolist()),
            **_columns(gauges, at_ns="at", value="value"),
        },
    )
    frames = [
        (number, depth, site)
        for number, stack in enumerate(recording.stacks)
        for depth, site in enumerate(stack)
    ]
    table = np.array(frames, np.int64).reshape(-1, 3)
    yield "stacks", dict(zip(COLUMNS["stacks"], table.T.copy(), strict=True))
    yield (
        "sites",
        {
            "code_site_id": np.arange(len(recording.sites)),
            "code_file_path": _words(site.path for site in recording.sites),
            "code_line_number": np.array([site.line for site in recording.sites], np.int64),
            "code_function_name": _words(site.function for site in recording.sites),
        },
    )
    yield (
        "texts",
        {"text_id": np.arange(len(recording.texts)), "text": _words(recording.texts)},
    )
    yield "client", _client(recording.client)
    yield "charges", _charges(ledger)


def _requests(recording: Recording, ledger: Ledger) -> Columns:
    requests = recording.requests
    charged = {id(request): number for number, request in enumerate(ledger.requests)}
    place = np.array([charged.get(id(request), -1) for request in requests], np.int64)
    pids = [process.pid for process in recording.processes]

    def numbers(read: str) -> Any:
        return np.array([int(getattr(request, read)) for request in requests], np.int64)

    def flags(read: str) -> Any:
        return np.array([bool(getattr(request, read)) for request in requests], np.bool_)

    return {
        "request_id": np.arange(len(requests)),
        "charged_id": _known(place, place >= 0),
        "line_id": numbers("line"),
        "process_pid": np.array([_pid(pids, request) for request in requests], np.int64),
        "http_request_method": _words(request.method for request in requests),
        "http_route": _words(request.route for request in requests),
        "http_response_status_code": numbers("status"),
        "code_site_id": numbers("handler"),
        "start_ns": numbers("start_ns"),
        "began_ns": numbers("began_ns"),
        "first_byte_ns": numbers("first_byte_ns"),
        "answered_ns": numbers("answered_ns"),
        "end_ns": numbers("end_ns"),
        "http_request_body_size": numbers("bytes_in"),
        "http_response_body_size": numbers("bytes_out"),
        **{
            name: flags(name)
            for name in ("websocket", "streamed", "disconnected", "cancelled", "failed")
        },
        "span_id": _words(
            f"{request.client.span_id:016x}" if request.client else "" for request in requests
        ),
    }


def _pid(pids: Sequence[int], request: Request) -> int:
    return pids[request.process] if request.process < len(pids) else 0


def _spans(spans: Rows) -> Columns:
    flags = spans["flags"]
    return {
        "span_kind": spans["kind"].copy(),
        "suspended": flags & SpanFlag.ASYNC > 0,
        "failed": flags & SpanFlag.FAILED > 0,
        "cancelled": flags & SpanFlag.CANCELLED > 0,
        **_columns(
            spans,
            thread_id="thread",
            line_id="line",
            code_site_id="site",
            resource_id="resource",
            start_ns="start",
            end_ns="end",
            a="a",
            b="b",
        ),
    }


def _client(calls: Sequence[ClientCall]) -> Columns:
    return {
        "span_id": _words(f"{call.span_id:016x}" for call in calls),
        "start_ns": np.array([call.start_ns for call in calls], np.int64),
        "end_ns": np.array([call.end_ns for call in calls], np.int64),
        "http_request_method": _words(call.method for call in calls),
        "name": _words(call.name for call in calls),
        "http_response_status_code": np.array([call.status for call in calls], np.int64),
        "http_response_body_size": np.array([call.bytes for call in calls], np.int64),
        "error": _words(call.error for call in calls),
    }


def _charges(ledger: Ledger) -> Columns:
    views = (ledger.direct, ledger.root, ledger.overlapped, ledger.accept_wait)
    rows = np.concatenate(views)
    return {
        "view": np.repeat(np.arange(len(views), dtype=np.uint8), [len(view) for view in views]),
        **_columns(
            rows,
            charged_id="request",
            start_ns="start",
            end_ns="end",
            activity="activity",
            mode="mode",
            code_site_id="site",
            resource_id="resource",
        ),
        "culprit_charged_id": _known(rows["culprit_request"], rows["culprit_request"] >= 0),
        **_columns(
            rows,
            culprit_activity="culprit_activity",
            culprit_mode="culprit_mode",
            culprit_site_id="culprit_site",
            culprit_resource_id="culprit_resource",
        ),
    }
