"""Apps in environments of their own: other Pythons, the oldest and the newest libraries.

slowpath is not installed in any of them; the probe comes by injection alone.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from slowpath.recording import load
from tests.probe.served import run_python, serving

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
#: With the tools of our own tests, to run those of tasks there as well.
NEWEST = ["fastapi", "uvicorn[standard]", "pytest", "pytest-timeout", "hypothesis"]
#: The oldest that the hooks know; what these leave open is of their time.
OLDEST = ["fastapi==0.110.0", "starlette==0.36.3", "pydantic==2.6.4", "uvicorn==0.27.1"]
OLDEST += ["websockets==12.0", "anyio==4.3.0"]
CASES = {
    "3.10, newest": ("3.10", NEWEST),
    "3.10, oldest": ("3.10", OLDEST),
    "3.12, newest": ("3.12", NEWEST),
    "3.13, newest": ("3.13", NEWEST),
    "3.14, newest": ("3.14", NEWEST),
}
PATHS = {
    "/v1/items/7": "/v1/items/{item_id}",
    "/v1/items/sync/8": "/v1/items/sync/{item_id}",
    "/stream": "/stream",
    "/fail": "/fail",
    "/inner/acme/deep/bob": "/inner/{tenant}/deep/{name}",
    "/nowhere": "/{unmatched}",
}


def interpreter(version: str) -> str:
    """Find a Python by its version; skip the test if there is none."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = sorted(versions.glob(f"{version}.*/bin/python{version}"))
    path = str(found[-1]) if found else shutil.which(f"python{version}")
    if path is None:
        pytest.skip(f"there is no Python {version} on this machine")
    return path


@pytest.fixture(scope="session")
def python_with(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, list[str]], str]:
    """Return the Python of an environment that has some packages; each is made once."""

    @functools.cache
    def made(version: str, *packages: str) -> str:
        folder = tmp_path_factory.mktemp("venv")
        subprocess.run([interpreter(version), "-m", "venv", str(folder)], check=True)
        install = ["install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]
        done = subprocess.run(
            [folder / "bin" / "pip", *install, *packages],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"cannot install {packages}: {done.stderr.strip()[-300:]}")
        return str(folder / "bin" / "python")

    return lambda version, packages: made(version, *packages)


@pytest.mark.parametrize("case", CASES)
def test_an_app_with_an_environment_of_its_own_is_recorded(
    case: str, python_with: Callable[[str, list[str]], str], tmp_path: Path
) -> None:
    version, packages = CASES[case]
    python = python_with(version, packages)
    command = [python, "-m", "uvicorn", "sample:app", "--port", "{port}"]
    with serving(tmp_path, command) as server:
        bodies = {path: server.get(path) for path in PATHS}
    assert bodies["/v1/items/sync/8"] == b'{"item":"8"}'
    with serving(tmp_path, command, probe=False) as server:
        assert {path: server.get(path) for path in PATHS} == bodies
    recording = load(tmp_path / "run")
    assert recording.troubles == []
    [process] = recording.processes
    assert process.meta["python"].startswith(version)
    assert {n: s for n, s in process.meta["hooks"].items() if s != "on"} == {}
    assert {"asyncio", "uvicorn", "fastapi.routing", "fastapi.fields"} <= set(process.meta["hooks"])
    counted = Counter(request.route for request in recording.requests)
    del counted["/gather"]
    assert counted == Counter(PATHS.values())
    assert {"get_item", "deep"} <= {
        recording.sites[request.handler].function for request in recording.requests
    }
    jobs = [line for line in recording.lines.values() if line.is_job]
    assert "get_sync" in {recording.sites[job.site].function for job in jobs}


@pytest.mark.parametrize("version", ["3.10", "3.12", "3.13", "3.14"])
def test_a_stepped_task_is_the_coroutine_itself_on(
    version: str, python_with: Callable[[str, list[str]], str]
) -> None:
    python = python_with(version, NEWEST)
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/probe/test_task.py"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert done.stderr == ""


OLD = ["3.6", "3.7", "3.8", "3.9"]


@pytest.mark.parametrize("version", OLD)
def test_a_python_that_is_too_old_runs_as_if_there_were_no_probe(
    version: str, tmp_path: Path
) -> None:
    source = "import sys; print('slowpath' in sys.modules)"
    assert run_python(tmp_path, "-c", source, python=interpreter(version)) == "False\n"
    assert list((tmp_path / "run").iterdir()) == []
