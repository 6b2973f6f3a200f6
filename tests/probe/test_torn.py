"""Files that were cut, overwritten or never the probe's: what can be read is, without an error."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slowpath.probe import core, wire
from slowpath.probe.sites import Names
from slowpath.probe.watch import Writer
from slowpath.recording import Recording, load
from slowpath.recording.read import read_probe


def frame(kind: int, payload: bytes) -> bytes:
    return wire.FRAME.pack(kind, len(payload), zlib.crc32(payload)) + payload


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file of several frames of each kind, as the probe's own writer makes it."""
    folder = tmp_path_factory.mktemp("whole")
    states = iter(range(100))
    names = Names()
    with mock.patch.object(core, "names", names):
        writer = Writer(str(folder), lambda: {"pid": 1, "state": next(states)})
        for i in range(3):
            for kind in (wire.SLICE, wire.SPAN_KINDS["sql"], wire.LINE, wire.SAMPLE, wire.GAUGE):
                site = names.place("app.py", i + 1, "f")
                core.record(kind, 0, 1, i, site, names.text(f"text {i}"), i, i + 5, -1, -1)
            writer.flush()
    [path] = folder.iterdir()
    return path.read_bytes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("torn")


def loaded(folder: Path, data: bytes) -> Recording:
    (folder / "probe-1.bin").write_bytes(data)
    return load(folder)


def rows(recording: Recording) -> int:
    return len(recording.slices) + len(recording.spans) + len(recording.lines)


def ends(data: bytes) -> list[int]:
    """Where frames end, with the end of the file's first line."""
    found = [len(wire.MAGIC)]
    while found[-1] < len(data):
        _, length, _ = wire.FRAME.unpack_from(data, found[-1])
        found.append(found[-1] + wire.FRAME.size + length)
    return found


def test_a_whole_file_has_no_trouble(file: bytes, folder: Path) -> None:
    recording = loaded(folder, file)
    assert recording.troubles == []
    assert (len(recording.slices), len(recording.spans), len(recording.samples)) == (3, 3, 3)
    assert recording.processes[0].meta["state"] == 2
    assert [recording.sites[site].line for site in recording.spans["site"]] == [1, 2, 3]


def test_a_file_cut_at_any_byte_loses_no_more_than_its_last_frame(
    file: bytes, folder: Path
) -> None:
    whole = ends(file)
    by_end = {end: rows(loaded(folder, file[:end])) for end in whole}
    assert by_end[whole[-1]] == 9
    for cut in range(len(file)):
        recording = loaded(folder, file[:cut])
        kept = max((end for end in whole if end <= cut), default=0)
        assert rows(recording) == by_end.get(kept, 0)
        assert [process.torn_bytes for process in recording.processes] == [cut - kept]
        assert bool(recording.troubles) == (cut != kept)


def test_what_the_next_process_appends_to_a_cut_file_is_not_taken_for_part_of_it(
    file: bytes, folder: Path
) -> None:
    recording = loaded(folder, file[:-7] + file)
    assert rows(recording) <= 9
    assert recording.troubles


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_byte_that_changed_is_no_error_and_spoils_nothing_before_it(
    file: bytes, folder: Path, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(file) - 1))
    changed = bytearray(file)
    changed[at] ^= data.draw(st.integers(1, 255))
    recording = loaded(folder, bytes(changed))
    before = max((end for end in ends(file) if end <= at), default=0)
    assert rows(recording) >= (rows(loaded(folder, file[:before])) if before else 0)
    assert recording.troubles


GARBAGE = st.one_of(
    st.binary(max_size=300),
    st.binary(max_size=300).map(lambda data: wire.MAGIC + data),
    st.lists(st.tuples(st.integers(0, 5), st.binary(max_size=200)), max_size=5).map(
        lambda frames: wire.MAGIC + b"".join(frame(*one) for one in frames)
    ),
)


@settings(max_examples=300, deadline=None)
@given(data=GARBAGE)
def test_garbage_is_no_error(folder: Path, data: bytes) -> None:
    recording = loaded(folder, data)
    assert len(recording.processes) == 1


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(1 << 70), 1 << 70),
        st.floats(),
        st.text(max_size=5),
        st.sampled_from([wire.SITE, wire.TEXT, wire.STACK]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)
NAMED = st.lists(
    st.tuples(
        st.sampled_from([wire.SITE, wire.TEXT, wire.STACK]),
        st.one_of(st.integers(0, 9), JSON),
        JSON,
    ),
    max_size=4,
)


@settings(max_examples=300, deadline=None)
@given(meta=JSON, names=st.one_of(NAMED, JSON), records=st.binary(max_size=200))
def test_whole_frames_of_nonsense_are_no_error(
    folder: Path, meta: Any, names: Any, records: bytes
) -> None:
    records = records[: len(records) // wire.RECORD.size * wire.RECORD.size]
    payloads = [
        (wire.META, json.dumps(meta).encode()),
        (wire.NAMES, json.dumps(names).encode()),
        (wire.RECORDS, records),
    ]
    loaded(folder, wire.MAGIC + b"".join(frame(*payload) for payload in payloads))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([*range(10), *wire.SPAN_KINDS.values(), 255]),
            st.integers(0, 255),
            st.integers(0, (1 << 16) - 1),
            *(st.one_of(st.integers(0, 3), st.integers(0, (1 << 32) - 1)) for _ in range(3)),
            *(st.integers(-(1 << 63), (1 << 63) - 1) for _ in range(4)),
        ),
        max_size=8,
    )
)
def test_whole_records_of_nonsense_are_no_error(folder: Path, records: list[Any]) -> None:
    packed = b"".join(wire.RECORD.pack(*one) for one in records)
    loaded(folder, wire.MAGIC + frame(wire.RECORDS, packed))


@settings(max_examples=40, deadline=None)
@given(run=st.binary(max_size=60), client=st.binary(max_size=200), error=st.binary(max_size=60))
def test_other_files_of_a_run_may_be_nonsense_too(
    tmp_path_factory: pytest.TempPathFactory, run: bytes, client: bytes, error: bytes
) -> None:
    folder = tmp_path_factory.mktemp("run")
    (folder / "run.json").write_bytes(run)
    (folder / "client.csv").write_bytes(b"span_id,start_ns,end_ns\n" + client)
    (folder / "probe-7.error").write_bytes(error)
    (folder / "probe-x\u00b2.bin").write_bytes(b"")
    (folder / "probe-\u00b2.bin").write_bytes(b"")
    (folder / "probe-8.bin").mkdir()
    recording = load(folder)
    assert any("process 7" in trouble for trouble in recording.troubles)
    assert any("probe-8.bin" in trouble for trouble in recording.troubles)


def test_an_empty_folder_is_an_empty_recording(tmp_path: Path) -> None:
    recording = load(tmp_path)
    assert not recording.processes
    assert not recording.requests
    assert not recording.troubles


def test_a_file_is_read_by_its_own_numbering(tmp_path: Path, file: bytes) -> None:
    (tmp_path / "probe-1.bin").write_bytes(file)
    found = read_probe(tmp_path / "probe-1.bin")
    assert set(found.records["site"].tolist()) <= {0, *found.sites}
    assert set(found.records["resource"].tolist()) <= {0, *found.texts}
