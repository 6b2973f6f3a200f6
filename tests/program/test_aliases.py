"""Files that import each other by names that begin below the folder scanned."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scan.project import findings, lines

WAIT = "import time\ndef wait():\n    time.sleep(1)\n"


def written(folder: Path, **files: str) -> Path:
    """Write files as they are, without making packages; `app__svc` stands for `app/svc.py`."""
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("place", "name"), [("backend/app", "app.db"), ("services/api/app", "app.db")]
)
def test_packages_below_the_folder_scanned(tmp_path: Path, place: str, name: str) -> None:
    folder = tmp_path / place
    written(folder, db=WAIT, main=f"from {name} import wait\nasync def f():\n    wait()\n")
    assert lines(findings(tmp_path, "blocking-call")) == [3]


def test_a_folder_without_init_inside_a_package(tmp_path: Path) -> None:
    main = "from shop.auth.rights import wait\nasync def f():\n    wait()\n"
    folder = written(tmp_path / "server" / "shop", auth__rights=WAIT, main=main)
    (folder / "__init__.py").touch()
    assert lines(findings(tmp_path, "blocking-call")) == [3]


def test_a_file_is_no_library_of_its_name(tmp_path: Path) -> None:
    main = "import redis\nasync def f():\n    redis.wait()\n"
    written(tmp_path / "tools", redis=WAIT)
    written(tmp_path / "web", main=main)
    assert findings(tmp_path, "blocking-call") == []


def test_two_files_of_one_shorter_name_are_neither(tmp_path: Path) -> None:
    main = "from app.db import wait\nasync def f():\n    wait()\n"
    written(tmp_path / "one" / "app", db=WAIT, main=main)
    written(tmp_path / "two" / "app", db="def wait(): ...\n")
    assert findings(tmp_path, "blocking-call") == []
