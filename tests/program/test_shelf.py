"""Pieces are there until others take their place, however many files they lie in."""

from __future__ import annotations

from pathlib import Path

from slowpath.program.shelf import Shelf


def held(path: Path, version: str = "1") -> dict[str, bytes]:
    shelf = Shelf(path, version)
    return {key: bytes(piece) for key in shelf.known() if (piece := shelf.get(key)) is not None}


def test_pieces_are_replaced_added_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "list.bin"
    Shelf(path, "1").save(1, {"a", "b", "c"}, {"a": b"1", "b": b"22", "c": b""})
    Shelf(path, "1").save(2, {"a", "b", "d"}, {"b": b"4444", "d": b"5", "e": b"6"})
    assert held(path) == {"a": b"1", "b": b"4444", "d": b"5"}
    assert Shelf(path, "1").head == 2


def test_another_version_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "list.bin"
    Shelf(path, "1").save(1, {"a"}, {"a": b"1"})
    assert Shelf(path, "2").head is None
    assert held(path, "2") == {}


def test_what_is_out_of_date_does_not_pile_up(tmp_path: Path) -> None:
    path = tmp_path / "list.bin"
    large = b"x" * 10_000
    Shelf(path, "1").save(0, {"large"}, {"large": large})
    for number in range(200):
        piece = str(number).encode() * 500
        Shelf(path, "1").save(number, {"large", "small"}, {"small": piece})
        assert held(path) == {"large": large, "small": piece}
    assert len([*tmp_path.iterdir()]) < 40
    assert sum(each.stat().st_size for each in tmp_path.iterdir()) < 40_000


def test_what_was_opened_stays_readable(tmp_path: Path) -> None:
    path = tmp_path / "list.bin"
    Shelf(path, "1").save(0, {"a"}, {"a": b"old"})
    opened = Shelf(path, "1")
    for piece in (b"new", b"newer"):
        Shelf(path, "1").save(0, {"a"}, {"a": piece * 10})
    found = opened.get("a")
    assert found is not None
    assert bytes(found) == b"old"
