"""Which code is the app's own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from slowpath.probe import sites

LAUNCHER = """#!/usr/bin/python3
import re
import sys
from {package}.cli import main
if __name__ == '__main__':
    sys.exit(main())
"""


@pytest.fixture(autouse=True)
def nothing_adopted() -> Iterator[None]:
    def forget() -> None:
        sites._adopted.clear()
        sites._own.clear()

    forget()
    yield
    forget()


def launch(monkeypatch: pytest.MonkeyPatch, folder: Path, package: str, source: str) -> str:
    """Pretend that this process is an installed command; return a file of its package."""
    module = ModuleType(f"{package}.cli")
    module.__file__ = str(folder / "lib" / "site-packages" / package / "cli.py")
    main = ModuleType("__main__")
    main.__file__ = str(folder / "bin" / package)
    (folder / "bin").mkdir()
    (folder / "bin" / package).write_text(source.format(package=package))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(sys.modules, "__main__", main)
    monkeypatch.setattr(sites, "_SCRIPTS", (f"{folder}/bin/",))
    return module.__file__


def test_the_package_of_an_installed_command_is_the_app(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = launch(monkeypatch, tmp_path, "someapp", LAUNCHER)
    assert not sites.is_own(own)
    sites.adopt_main()
    assert sites.is_own(own)
    assert not sites.is_own(own.replace("someapp", "somelibrary"))


def test_a_server_s_command_is_not_the_app(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    server = launch(monkeypatch, tmp_path, "uvicorn", LAUNCHER)
    sites.adopt_main()
    assert not sites.is_own(server)


@pytest.mark.parametrize("source", ["", "import {package}", "from nowhere import it\n\xff"])
def test_a_launcher_that_imports_nothing_known_adopts_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str
) -> None:
    own = launch(monkeypatch, tmp_path, "someapp", source)
    sites.adopt_main()
    assert not sites.is_own(own)


def test_a_script_of_one_s_own_adopts_nothing_that_it_imports(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    library = launch(monkeypatch, tmp_path, "somelibrary", LAUNCHER)
    monkeypatch.setattr(sites, "_SCRIPTS", ("/elsewhere/bin/",))
    sites.adopt_main()
    assert not sites.is_own(library)
