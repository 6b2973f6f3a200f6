"""Installed packages: followed as far as the project leads, read once for each version."""

from __future__ import annotations

from pathlib import Path

from slowpath.scan import scan
from tests.scan.project import write

PROJECT = """
    from outer import go

    async def route():
        go()
    """


def installed(folder: Path, waits: str = "time.sleep(1)") -> Path:
    """An environment with a package that imports another one, in which a call waits."""
    site = folder / "env" / "lib" / "python3.12" / "site-packages"
    write(
        site,
        outer__api="from inner.deep import work\n\ndef go():\n    return work()\n",
        inner__deep="import time\n\ndef work():\n    return again()\n\n"
        f"def again():\n    {waits}\n",
    )
    (site / "outer" / "__init__.py").write_text("from outer.api import go\n")
    for name in ("outer", "inner"):
        record = site / f"{name}-1.0.dist-info" / "RECORD"
        record.parent.mkdir(exist_ok=True)
        record.write_text(f"{name}/__init__.py,,\n{name}-1.0.dist-info/RECORD,,\n")
    return folder / "env"


def culprits(folder: Path, environment: Path, cache: Path | None = None) -> list[str]:
    return [each.culprit for each in scan(folder, environment=environment, cache=cache).findings]


def test_a_package_that_a_package_imports_is_followed(tmp_path: Path) -> None:
    project = write(tmp_path / "project", main=PROJECT)
    assert culprits(project, installed(tmp_path)) == ["time.sleep"]
    [found] = scan(project, environment=tmp_path / "env").findings
    assert (found.path, found.line) == ("main.py", 5)


def test_a_package_is_read_once_for_each_version(tmp_path: Path) -> None:
    project = write(tmp_path / "project", main=PROJECT)
    cache = tmp_path / "cache"
    environment = installed(tmp_path)
    assert culprits(project, environment, cache) == ["time.sleep"]
    installed(tmp_path, waits="return 1")  # edited in place, under the same version
    assert culprits(project, environment, cache) == ["time.sleep"]
    site = environment / "lib" / "python3.12" / "site-packages"
    (site / "inner-1.0.dist-info").rename(site / "inner-1.1.dist-info")
    assert culprits(project, environment, cache) == []


def test_two_packages_that_import_each_other_come_to_an_end(tmp_path: Path) -> None:
    project = write(tmp_path / "project", main=PROJECT)
    environment = installed(tmp_path)
    site = environment / "lib" / "python3.12" / "site-packages"
    (site / "inner" / "__init__.py").write_text("import outer\n")
    assert culprits(project, environment) == ["time.sleep"]
