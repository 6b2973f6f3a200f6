"""The probe stays within its bounds when it cannot write, and says what was lost."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from starlette.testclient import TestClient

from slowpath.probe import core, loop, sites, wire
from slowpath.probe.sites import Names
from slowpath.probe.watch import Writer
from slowpath.recording import load
from tests.probe.apps import sample
from tests.probe.probed import probed

SLICE = wire.RECORD.size


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    """A writer into a folder of its own, with a buffer of this test's own records."""
    (tmp_path / "run").mkdir()
    writer = Writer(str(tmp_path / "run"), lambda: {"dropped": core.dropped["records"]})
    before = core.dropped["records"]
    core.dropped["records"] = 0
    yield writer
    core.dropped["records"] = before
    del core.buffer[:]


def records(count: int) -> None:
    for i in range(count):
        core.record(wire.SLICE, 0, 1, i + 1, 0, 0, i, i + 1, -1, -1)


@pytest.fixture
def small_buffer(monkeypatch: pytest.MonkeyPatch) -> int:
    bound = 100 * SLICE
    monkeypatch.setattr(core, "BOUND", bound)
    monkeypatch.setattr(loop, "BOUND", bound)
    return bound


def test_a_full_buffer_drops_and_counts(writer: Writer, small_buffer: int) -> None:
    records(150)
    assert len(core.buffer) == small_buffer
    assert core.dropped["records"] == 50
    writer.flush()
    recording = load(Path(writer.folder))
    assert len(recording.slices) == 100
    assert recording.processes[0].meta["dropped"] == 50
    records(10)
    assert core.dropped["records"] == 50


def test_a_request_of_very_many_steps_and_spans_stays_within_the_buffer(
    tmp_path: Path, small_buffer: int
) -> None:
    async def many() -> int:
        largest = 0
        for _ in range(2000):
            line = core.local.here.line
            assert line is not None
            core.emit(wire.SPAN_KINDS["sql"], line, core.now(), core.now(), 0, "select ?")
            await asyncio.sleep(0)
            largest = max(largest, len(core.buffer))
        return largest

    before = core.dropped["records"]
    with probed(tmp_path) as run, mock.patch.object(run.probe.writer, "flush"):
        # A record, and the two of a request, may begin just below the bound.
        assert asyncio.run(many()) <= small_buffer + 2 * SLICE
    assert core.dropped["records"] - before > 3000
    core.dropped["records"] = before


# A writer that cannot write


def no_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(folder)


def a_file_in_its_place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(folder)
    folder.write_text("")


def full_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("this platform has no /dev/full")
    (folder / f"probe-{os.getpid()}.bin").symlink_to("/dev/full")


def read_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    folder.chmod(0o500)


def no_more_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("slowpath.probe.watch.open", refuse, raising=False)


def an_error_nobody_thought_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slowpath.probe.watch.zlib", None)


FAULTS = [
    no_folder,
    a_file_in_its_place,
    full_disk,
    read_only,
    no_more_files,
    an_error_nobody_thought_of,
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_what_cannot_be_written_is_dropped_and_counted(
    writer: Writer, fault: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault(Path(writer.folder), monkeypatch)
    for round in range(1, 4):
        records(50)
        writer.flush()
        assert len(core.buffer) == 0
        assert core.dropped["records"] == 50 * round
    assert writer.trouble


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_an_app_answers_whatever_befalls_its_recording(
    tmp_path: Path, fault: Any, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    bare = TestClient(sample.app).get("/v1/items/7")
    folder = tmp_path / "run"
    folder.mkdir()
    with probed(folder, strict=False) as run:
        fault(folder, monkeypatch)
        with TestClient(sample.app) as client:  # its lifespan writes as well
            for _ in range(3):
                answer = client.get("/v1/items/7")
                assert (answer.status_code, answer.content) == (200, bare.content)
                run.probe.writer.flush()
        assert run.probe.describe()["dropped"] > 0
        assert run.probe.describe()["trouble"]
        link = folder / f"probe-{os.getpid()}.bin"
        if link.is_symlink():
            link.unlink()  # a device that can be read for ever
    core.dropped["records"] = 0
    assert capfd.readouterr() == ("", "")
    if folder.is_dir():
        folder.chmod(0o700)


def test_a_folder_removed_while_running_costs_only_the_recording(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with probed(folder) as run:
        client = TestClient(sample.app)
        client.get("/gather")
        run.probe.writer.flush()
        shutil.rmtree(folder)
        for _ in range(3):
            assert client.get("/gather").json() == [0, 1, 2, 3, 4]
            run.probe.writer.flush()


def test_a_frame_cut_short_by_a_full_disk_hides_nothing_that_comes_later(writer: Writer) -> None:
    records(10)
    writer.flush()
    path = next(Path(writer.folder).iterdir())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 200, limits[1]))
    try:
        records(20)
        writer.flush()  # some of it would fit
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert core.dropped["records"] == 20
    assert "OSError" in writer.trouble
    records(30)
    writer.flush()
    recording = load(Path(writer.folder))
    assert recording.troubles == []
    assert len(recording.slices) == 40
    assert recording.processes[0].meta["dropped"] == 20


def test_a_disk_full_from_the_start_may_be_freed_later(writer: Writer) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5, limits[1]))
    try:
        records(20)
        writer.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    records(30)
    writer.flush()
    recording = load(Path(writer.folder))
    assert recording.troubles == []
    assert len(recording.slices) == 30


# Names


def test_a_full_table_of_names_refuses_and_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sites, "MAX_NAMES", 10)
    names = Names()
    numbers = [names.text(f"text {i}") for i in range(15)]
    assert len(set(numbers[:10])) == 10
    assert numbers[10:] == [0] * 5
    assert names.refused == 5
    assert [names.text(f"text {i}") for i in range(10)] == numbers[:10]
    assert names.place("a.py", 1, "f") > 0  # each table has its own bound
    code = compile("x = 1\n" * 30, "b.py", "exec")
    for lasti in range(0, 60, 2):
        names.instruction(code, lasti)
    assert len(names._sites) <= 10


def test_new_names_that_two_threads_meet_at_once_get_numbers_of_their_own() -> None:
    names = Names()

    class Interrupted(dict[str, int]):
        """A table to which another thread adds between a number's making and its claim."""

        def setdefault(self, key: str, number: int = 0) -> int:
            if key == "ours":
                names.text("theirs")
            return super().setdefault(key, number)

    names._texts = Interrupted()
    numbers = {text: names.text(text) for text in ("ours", "theirs", "later", "ours")}
    assert len(set(numbers.values())) == 3
    assert {number: text for _, number, text in names.pending} == {
        number: text for text, number in numbers.items()
    }


def test_a_second_recording_of_one_process_has_all_its_names(tmp_path: Path) -> None:
    for name in ("first", "second"):
        with probed(tmp_path / name) as run:
            TestClient(sample.app).get("/v1/items/7")
        [request] = run.recording.requests
        assert request.route == "/v1/items/{item_id}"
        assert run.recording.sites[request.handler].function == "get_item"


def test_a_long_text_is_cut() -> None:
    names = Names()
    names.text("x" * 100_000)
    [(_, _, value)] = names.pending
    assert len(value) <= 2000
