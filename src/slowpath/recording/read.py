"""Reads what probes and the load generator wrote in a run folder, and joins it."""

from __future__ import annotations

import csv
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from slowpath.probe import wire
from slowpath.recording.model import (
    GAUGE,
    SAMPLE,
    SLICE,
    SPAN,
    ClientCall,
    Line,
    Process,
    Recording,
    Request,
    Rows,
    Site,
)

T = TypeVar("T")

_RECORD = np.dtype(wire.RECORD_FIELDS)
#: Numbers of names are below this; the probe keeps far fewer.
_NAMES_BELOW = 1 << 24
#: The load generator's calls may be joined to requests by these.
CLIENT_FILE = "client.csv"


@dataclass
class ProbeFile:
    """The content of one `probe-<pid>.bin`, with the process's own numbering."""

    meta: dict[str, Any] = field(default_factory=dict)
    sites: dict[int, Site] = field(default_factory=dict)
    texts: dict[int, str] = field(default_factory=dict)
    stacks: dict[int, tuple[int, ...]] = field(default_factory=dict)
    records: Rows = field(default_factory=lambda: np.zeros(0, _RECORD))
    torn_bytes: int = 0
    trouble: str = ""


def read_probe(path: Path) -> ProbeFile:
    """Read one probe's file; a torn tail is skipped and its bytes are counted.

    Raises:
        OSError: the file cannot be read.
    """
    data = path.read_bytes()
    result = ProbeFile()
    if not data.startswith(wire.MAGIC):
        result.torn_bytes = len(data)
        if data:
            result.trouble = f"{path.name} is not a probe's file"
        return result
    parts = []
    position = len(wire.MAGIC)
    for kind, payload, end in _frames(data, position):
        try:
            if kind == wire.META:
                result.meta |= _checked(json.loads(payload), dict)
            elif kind == wire.NAMES:
                for name in json.loads(payload):
                    _note(result, *name)
            elif kind == wire.RECORDS:
                parts.append(np.frombuffer(payload, _RECORD))
            else:
                raise ValueError(f"frames of type {kind} are unknown")
        except (ValueError, TypeError) as exc:
            result.trouble = f"{path.name} holds what no probe writes: {exc}"
            break
        position = end
    result.torn_bytes = len(data) - position
    if parts:
        result.records = np.concatenate(parts)
    return result


def _note(file: ProbeFile, table: str, number: int, value: Any) -> None:
    """Take over one name; ValueError or TypeError if it is none."""
    if not 0 < _checked(number, int) < _NAMES_BELOW:
        raise ValueError(f"{number} numbers no name")
    if table == wire.SITE:
        path, line, function = value
        site = Site(_checked(path, str), _checked(line, int), _checked(function, str))
        file.sites[number] = site
    elif table == wire.TEXT:
        file.texts[number] = _checked(value, str)
    elif table == wire.STACK:
        sites = tuple(_checked(site, int) for site in _checked(value, list))
        if not all(0 <= site < _NAMES_BELOW for site in sites):
            raise ValueError("a stack holds what numbers no site")
        file.stacks[number] = sites
    else:
        raise ValueError(f"there is no table {table!r}")


def _checked(value: Any, kind: type[T]) -> T:
    if not isinstance(value, kind):
        raise TypeError(f"{type(value).__name__} in place of {kind.__name__}")
    return value


def _frames(data: bytes, position: int) -> Iterator[tuple[int, bytes, int]]:
    """Yield (type, payload, end) of the whole frames; stop at the first that is not."""
    while position + wire.FRAME.size <= len(data):
        kind, length, checksum = wire.FRAME.unpack_from(data, position)
        start = position + wire.FRAME.size
        payload = data[start : start + length]
        if len(payload) < length or zlib.crc32(payload, kind) != checksum:
            return
        position = start + length
        yield kind, payload, position


class _Numbering:
    """One numbering of values across processes."""

    def __init__(self, none: Any) -> None:
        self.values = [none]
        self._known = {none: 0}

    def add(self, value: Any) -> int:
        number = self._known.setdefault(value, len(self.values))
        if number == len(self.values):
            self.values.append(value)
        return number

    def translation(self, local: dict[int, Any]) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Return an array from a process's numbers to ours; unknown numbers become 0."""
        table = np.zeros(max(local, default=0) + 1, np.int64)
        for number, value in local.items():
            table[number] = self.add(value)
        return table


def _translate(
    table: np.ndarray[Any, np.dtype[np.int64]], numbers: Any
) -> np.ndarray[Any, np.dtype[np.int64]]:
    return table[np.where(numbers < len(table), numbers, 0)]


def load(folder: Path) -> Recording:
    """Read a run folder.

    Whatever can be read is; what cannot is told in `Recording.troubles`.
    """
    troubles: list[str] = []
    run = _run(folder, troubles)
    client = list(_client(folder, troubles))
    sites, texts, stacks = _Numbering(Site("", 0, "")), _Numbering(""), _Numbering(())
    processes: list[Process] = []
    requests: list[Request] = []
    lines: dict[int, Line] = {}
    tables: dict[str, list[Rows]] = {"spans": [], "slices": [], "samples": [], "gauges": []}
    by_span = {call.span_id: call for call in client}
    for path in sorted(folder.glob("probe-*.bin")):
        try:
            file = read_probe(path)
        except OSError as exc:
            troubles.append(f"{path.name} cannot be read: {exc.strerror}")
            continue
        if file.trouble:
            troubles.append(file.trouble)
        index = len(processes)
        pid = int(path.stem.rpartition("-")[2]) if path.stem[6:].isdecimal() else 0
        processes.append(Process(pid, file.meta, file.torn_bytes))
        if file.torn_bytes:
            troubles.append(f"{path.name} ends in {file.torn_bytes} bytes of an unfinished frame")
        site_of = sites.translation(file.sites)
        text_of = texts.translation(file.texts)
        stack_of = stacks.translation(
            {
                number: tuple(_translate(site_of, np.array(stack, np.int64)).tolist())
                for number, stack in file.stacks.items()
            }
        )
        rows = file.records
        line = rows["line"].astype(np.int64) + (index << 32)
        thread = rows["thread"].astype(np.int64) + (index << 16)
        kind = rows["kind"]
        site = _translate(site_of, rows["site"])
        resource = _translate(text_of, rows["resource"])
        tables["spans"].append(
            _table(SPAN, rows, kind >= 16, thread=thread, line=line, site=site, resource=resource)
        )
        tables["slices"] += [
            _table(SLICE, rows, kind == wire.SLICE, thread=thread, line=line, most="a", least="b"),
            _single_slices(rows, thread, line),
        ]
        tables["samples"].append(
            _table(
                SAMPLE,
                rows,
                kind == wire.SAMPLE,
                thread=thread,
                line=line,
                site=site,
                stack=_translate(stack_of, rows["resource"]),
                slice_start="start",
                at="end",
                thread_cpu="a",
                process_cpu="b",
            )
        )
        tables["gauges"].append(
            _table(
                GAUGE,
                rows,
                kind == wire.GAUGE,
                process=np.full(len(rows), index),
                name=resource,
                at="start",
                value="a",
            )
        )
        for i in np.flatnonzero(kind == wire.LINE).tolist():
            row = rows[i]
            number = int(line[i])
            lines[number] = Line(
                number,
                int(row["resource"]) and int(row["resource"]) + (index << 32),
                int(row["a"]) and int(row["a"]) + (index << 32),
                int(site[i]),
                int(row["start"]),
                bool(row["flags"] & wire.LineFlag.THREAD),
            )
        requests += _requests(rows, index, line, site, resource, texts.values, by_span)
    for path in sorted(folder.glob("probe-*.error")):
        troubles.append(f"the probe did not start in process {path.stem[6:]}: {_text(path)}")
    requests.sort(key=lambda request: request.start_ns)
    spans = _joined(SPAN, tables["spans"])
    slices = _joined(SLICE, tables["slices"])
    samples = _joined(SAMPLE, tables["samples"])
    gauges = _joined(GAUGE, tables["gauges"])
    return Recording(
        run=run,
        processes=processes,
        sites=sites.values,
        texts=texts.values,
        stacks=stacks.values,
        requests=requests,
        lines=lines,
        spans=spans[np.lexsort((-spans["end"], spans["start"], spans["line"]))],
        slices=slices[np.lexsort((slices["start"], slices["line"]))],
        samples=samples[np.lexsort((samples["at"], samples["thread"]))],
        gauges=gauges[np.argsort(gauges["at"], kind="stable")],
        client=client,
        troubles=troubles,
    )


def _table(dtype: np.dtype[np.void], rows: Rows, chosen: Any, **columns: Any) -> Rows:
    """Build rows of `dtype`: a column is an array, the name of a record's field, or its own."""
    table = np.zeros(int(np.count_nonzero(chosen)), dtype)
    for name in dtype.names or ():
        source = columns.get(name, name)
        table[name] = (rows[source] if isinstance(source, str) else source)[chosen]
    return table


def _joined(dtype: np.dtype[np.void], parts: list[Rows]) -> Rows:
    return np.concatenate(parts) if parts else np.zeros(0, dtype)


def _whole_requests(rows: Rows) -> list[int]:
    """Return where requests stand whose second record follows, as the probe writes them."""
    found = np.flatnonzero(rows["kind"][:-1] == wire.REQUEST)
    whole = rows["kind"][found + 1] == wire.REQUEST_MORE
    return [int(i) for i in found[whole]]


def _single_slices(rows: Rows, thread: Any, line: Any) -> Rows:
    """Return the slices of requests that had one only, which has no record of its own."""
    found = np.array(_whole_requests(rows), np.int64)
    found = found[rows["flags"][found] & wire.RequestFlag.SINGLE > 0]
    table = np.zeros(len(found), SLICE)
    table["thread"], table["line"] = thread[found], line[found]
    table["start"], table["end"] = rows["b"][found + 1], rows["end"][found]
    table["most"] = table["least"] = -1
    return table


def _requests(
    rows: Rows,
    process: int,
    line: Any,
    site: Any,
    resource: Any,
    texts: list[str],
    by_span: dict[int, ClientCall],
) -> Iterator[Request]:
    for i in _whole_requests(rows):
        row, other = rows[i], rows[i + 1]
        flags = int(row["flags"])
        span_id = int(other["a"])
        request = Request(
            line=int(line[i]),
            process=process,
            method=texts[int(resource[i + 1])],
            route=texts[int(resource[i])],
            handler=int(site[i]),
            status=int(row["a"]),
            start_ns=int(row["start"]),
            began_ns=int(other["b"]),
            first_byte_ns=int(other["start"]),
            complete_ns=int(other["start"]) + (int(other["site"]) - 1) * 1000
            if other["site"]
            else 0,
            end_ns=int(row["end"]),
            bytes_in=int(other["end"]),
            bytes_out=int(row["b"]),
            websocket=bool(flags & wire.RequestFlag.WEBSOCKET),
            streamed=bool(flags & wire.RequestFlag.STREAMED),
            disconnected=bool(flags & wire.RequestFlag.DISCONNECTED),
            cancelled=bool(flags & wire.RequestFlag.CANCELLED),
            failed=bool(flags & wire.RequestFlag.FAILED),
        )
        call = by_span.get(span_id % (1 << 64)) if span_id else None
        yield replace(request, client=call) if call is not None else request


def _run(folder: Path, troubles: list[str]) -> dict[str, Any]:
    try:
        run = json.loads((folder / "run.json").read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as exc:
        troubles.append(f"run.json cannot be read: {exc}")
        return {}
    return run if isinstance(run, dict) else {}


def _client(folder: Path, troubles: list[str]) -> Iterator[ClientCall]:
    try:
        with (folder / CLIENT_FILE).open(newline="", errors="replace") as file:
            torn = 0
            for row in csv.DictReader(file):
                try:
                    yield ClientCall(
                        int(row["span_id"], 16),
                        int(row["start_ns"]),
                        int(row["end_ns"]),
                        row["method"],
                        row["name"],
                        int(row["status"]),
                        int(row["bytes"]),
                        row["error"] or "",
                    )
                except (KeyError, TypeError, ValueError):
                    torn += 1
            if torn:
                troubles.append(f"{torn} lines of {CLIENT_FILE} cannot be read")
    except FileNotFoundError:
        return
    except (OSError, csv.Error) as exc:
        troubles.append(f"{CLIENT_FILE} cannot be read: {exc}")


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")[:300]
    except OSError as exc:
        return str(exc)
