"""The folders of runs."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from slowpath.errors import UserError
from slowpath.recording import folder as folders
from slowpath.recording.folder import RunFolder

NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def make(name: str, started: str, measured: bool = True) -> RunFolder:
    made = folders.create(name, now=NOON)
    window = {"start_ns": 1, "end_ns": 2} if measured else None
    made.write({"version": 1, "name": name, "started": started, "window": window})
    return made


def test_a_folder_is_named_after_time_and_run() -> None:
    made = folders.create("my app/2", now=NOON)
    assert made.path == Path(".slowpath/runs/20260301-120000-my-app-2")
    assert Path(".slowpath/.gitignore").read_text() == "*\n"


def test_two_runs_of_one_second_do_not_share_a_folder() -> None:
    assert [folders.create("a", now=NOON).name[-3:] for _ in range(3)] == ["0-a", "a-2", "a-3"]


def test_the_variable_and_the_option_choose_the_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLOWPATH_RUNS", str(tmp_path / "by-variable"))
    assert folders.create("a").path.parent == tmp_path / "by-variable"
    assert folders.create("a", tmp_path / "by-option").path.parent == tmp_path / "by-option"


def test_the_latest_is_the_last_that_was_measured() -> None:
    make("old", "2026-03-01T12:00:00")
    newest = make("new", "2026-03-01T12:00:02")
    make("failed", "2026-03-01T12:00:03", measured=False)
    assert folders.latest() == newest == folders.resolve(None)


def test_without_a_run_there_is_a_sentence() -> None:
    with pytest.raises(UserError, match="no finished run"):
        folders.latest()


def test_a_run_is_found_by_path_name_and_prefix() -> None:
    before, after = make("before", "1"), make("after", "2")
    again = make("before", "3")
    assert folders.resolve(str(before.path)).path == before.path
    assert folders.resolve(before.name) == before
    assert folders.resolve("after") == after == folders.resolve("aft")
    assert folders.resolve("before") == again
    with pytest.raises(UserError, match="3 runs begin with '2026'") as caught:
        folders.resolve("2026")
    assert before.name in caught.value.details
    with pytest.raises(UserError, match="no run 'x'"):
        folders.resolve("x")


def test_a_broken_run_json_is_a_sentence_and_no_run() -> None:
    made = make("a", "1")
    made.run_json.write_text("{")
    with pytest.raises(UserError, match="is not JSON"):
        made.read()
    assert folders.list_runs() == []


def test_a_place_that_cannot_be_written_to_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Choose another folder with --runs"):
        folders.create("a", tmp_path / "file" / "runs")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_place_is_a_sentence(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    runs.mkdir(mode=0o500)
    with pytest.raises(UserError, match="Permission denied"):
        folders.create("a", runs)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_a_sentence_and_leaves_the_old_file(tmp_path: Path) -> None:
    made = make("a", "1")
    before = made.run_json.read_text()
    made.run_json.with_name("run.json.tmp").symlink_to("/dev/full")
    with pytest.raises(UserError, match="is full"):
        made.write({"version": 1})
    assert made.run_json.read_text() == before
