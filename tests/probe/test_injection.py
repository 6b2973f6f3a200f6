"""Injection by PYTHONPATH: it starts the probe, hides nothing, and leaves other programs alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import slowpath
from slowpath.probe import boot
from slowpath.recording import Recording, load
from tests.probe.served import environment, run_python

LOOP = """
    import asyncio

    async def main():
        await asyncio.sleep(0.001)

    asyncio.run(main())
"""
TELL = """
    import sys
    import slowpath.probe
    print("probe", slowpath.probe.installed() is not None)
"""


def program(folder: Path, source: str, name: str = "program.py") -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(source))
    return str(path)


def steps(recording: Recording, function: str) -> list[int]:
    """How many slices each task of a function took."""
    return [
        len(recording.slices_of(line.id))
        for line in recording.lines.values()
        if recording.sites[line.site].function == function
    ]


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "run").iterdir())


def test_a_program_with_a_loop_is_recorded(tmp_path: Path) -> None:
    assert run_python(tmp_path, program(tmp_path, LOOP)) == ""
    recording = load(tmp_path / "run")
    assert recording.troubles == []
    [process] = recording.processes
    assert process.meta["python"] == ".".join(map(str, sys.version_info[:3]))
    assert steps(recording, "main") == [2]


@pytest.mark.parametrize(
    "source",
    ["print('hello')", "import subprocess, json, threading, asyncio, sqlite3, http.server"],
    ids=["a script", "imports"],
)
def test_a_program_that_serves_nothing_leaves_no_file_and_no_thread(
    tmp_path: Path, source: str
) -> None:
    source += "\nimport threading\nprint([t.name for t in threading.enumerate()])"
    assert run_python(tmp_path, program(tmp_path, source)).endswith("['MainThread']\n")
    assert files(tmp_path) == []


def test_a_module_and_a_command_line_are_injected_too(tmp_path: Path) -> None:
    program(tmp_path, TELL, "package/__main__.py")
    assert run_python(tmp_path, "-m", "package") == "probe True\n"
    assert run_python(tmp_path, "-c", textwrap.dedent(TELL)) == "probe True\n"


@pytest.mark.parametrize("option", ["-E", "-I", "-S"])
def test_an_isolated_interpreter_runs_without_the_probe(tmp_path: Path, option: str) -> None:
    path = program(tmp_path, "import sys\nprint('slowpath' in sys.modules)\n")
    assert run_python(tmp_path, option, path) == "False\n"
    assert files(tmp_path) == []


# Beside others


SITE = """
    import os, sys
    print("theirs runs", __name__, sys.modules["sitecustomize"].__file__ == __file__)
    VALUE = 42
"""


def test_another_sitecustomize_runs_as_itself(tmp_path: Path) -> None:
    program(tmp_path, SITE, "theirs/sitecustomize.py")
    path = program(tmp_path, TELL + "\n    import sitecustomize\n    print(sitecustomize.VALUE)")
    printed = run_python(tmp_path, path, PYTHONPATH=str(tmp_path / "theirs"))
    assert printed.splitlines() == ["theirs runs sitecustomize True", "probe True", "42"]


def test_a_usercustomize_runs(tmp_path: Path) -> None:
    program(tmp_path, "print('user')", "theirs/usercustomize.py")
    bare = environment(None, PYTHONPATH=str(tmp_path / "theirs"))
    without = subprocess.check_output([sys.executable, "-c", "print('app')"], env=bare, text=True)
    printed = run_python(tmp_path, "-c", "print('app')", PYTHONPATH=str(tmp_path / "theirs"))
    assert printed == without


def test_an_error_of_another_sitecustomize_is_told_as_without_the_probe(tmp_path: Path) -> None:
    program(tmp_path, "raise RuntimeError('theirs')", "theirs/sitecustomize.py")
    theirs = str(tmp_path / "theirs")
    bare = subprocess.run(
        [sys.executable, "-c", "print('app')"],
        env=environment(None, PYTHONPATH=theirs),
        capture_output=True,
        text=True,
        check=True,
    )
    printed = run_python(tmp_path, "-c", "print('app')", PYTHONPATH=theirs)
    assert "RuntimeError: theirs" in bare.stderr
    assert printed.splitlines()[-1] == "app"
    assert "RuntimeError: theirs" in printed


def test_without_another_there_is_no_trace_but_ours(tmp_path: Path) -> None:
    source = "import sys; print([p for p in sys.path if 'slowpath' in p], sorted(sys.argv[1:]))"
    printed = run_python(tmp_path, "-c", source, "argument")
    assert printed == f"{[str(boot.PATH)]} ['argument']\n"


def test_only_the_probe_becomes_importable(tmp_path: Path) -> None:
    """Of slowpath's own environment the app sees nothing: neither duckdb nor the analyst."""
    source = """
        import importlib.util, json, sys
        wanted = ["duckdb", "locust", "numpy", "slowpath.probe", "typer"]
        found = {name: importlib.util.find_spec(name) is not None for name in wanted}
        print(json.dumps([found, sorted(m for m in sys.modules if m.startswith("slowpath"))]))
    """
    # Like another environment: without any site-packages, but with sitecustomize.
    path = program(tmp_path, source)
    bare = Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    if not bare.exists():
        pytest.skip(f"there is no {bare}")
    found, loaded = json.loads(run_python(tmp_path, path, python=str(bare)))
    assert found["slowpath.probe"]
    assert not found["duckdb"]
    assert not found["locust"]
    assert not any(name.startswith(("slowpath.run", "slowpath.recording")) for name in loaded)


def test_an_app_that_installs_the_probe_itself_has_one(tmp_path: Path) -> None:
    source = LOOP.replace(
        "import asyncio", "import asyncio, slowpath.probe\n    slowpath.probe.install('elsewhere')"
    )
    root = str(Path(slowpath.__file__).parents[1])
    assert run_python(tmp_path, program(tmp_path, source), PYTHONPATH=root) == ""
    assert len(files(tmp_path)) == 1
    assert not (tmp_path / "elsewhere").exists()


def test_installed_by_hand_it_records_where_it_is_told(tmp_path: Path) -> None:
    source = LOOP.replace(
        "import asyncio", "import asyncio, slowpath.probe\n    slowpath.probe.install('there')"
    )
    root = str(Path(slowpath.__file__).parents[1])
    path = program(tmp_path, source)
    env = environment(None, PYTHONPATH=root)
    subprocess.run([sys.executable, path], cwd=tmp_path, env=env, check=True)
    assert steps(load(tmp_path / "there"), "main") == [2]


def test_the_path_on_pythonpath_holds_nothing_but_the_boot(tmp_path: Path) -> None:
    names = {path.name for path in boot.PATH.iterdir()} - {"__pycache__"}
    assert names == {"sitecustomize.py"}
    made = boot.environment(tmp_path)
    assert made["PYTHONPATH"].split(os.pathsep)[0] == str(boot.PATH)


def test_without_a_folder_nothing_starts(tmp_path: Path) -> None:
    env = environment(None, PYTHONPATH=str(boot.PATH))
    source = "import sys; print('slowpath' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", source], env=env) == b"False\n"


def test_a_probe_that_does_not_start_is_told_of_beside_the_recording(tmp_path: Path) -> None:
    copied = tmp_path / "boot"
    copied.mkdir()
    source = (boot.PATH / "sitecustomize.py").read_text()
    (copied / "sitecustomize.py").write_text(source)  # where there is no probe to load
    env = environment(tmp_path / "run")
    env["PYTHONPATH"] = str(copied)
    done = subprocess.run(
        [sys.executable, "-S", "-c", "import sitecustomize; print('app')"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("app\n", "")
    [trouble] = load(tmp_path / "run").troubles
    assert "did not start" in trouble


# Other processes


def test_subprocesses_that_serve_nothing_leave_no_file(tmp_path: Path) -> None:
    source = """
        import asyncio, subprocess, sys

        async def main():
            process = await asyncio.create_subprocess_exec(sys.executable, "-c", "print('child')")
            assert await process.wait() == 0
            subprocess.run([sys.executable, "-c", "import asyncio"], check=True)

        asyncio.run(main())
    """
    assert run_python(tmp_path, program(tmp_path, source)) == "child\n"
    assert len(files(tmp_path)) == 1


FORK = """
    import asyncio, os, sys, time

    async def work():
        await asyncio.sleep(0.001)

    asyncio.run(work())
    children = []
    for i in range(2):
        pid = os.fork()
        if not pid:
            async def in_child():
                await work()
            asyncio.run(in_child())
            sys.exit(0)
        children.append(pid)
    for pid in children:
        assert os.waitpid(pid, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
def test_each_forked_process_writes_its_own_file(tmp_path: Path) -> None:
    assert run_python(tmp_path, program(tmp_path, FORK)) == ""
    recording = load(tmp_path / "run")
    assert recording.troubles == []
    pids = [process.meta["pid"] for process in recording.processes]
    assert len(set(pids)) == 3
    assert [process.pid for process in recording.processes] == pids
    parents = {process.meta["parent_pid"] for process in recording.processes}
    assert len(parents & set(pids)) == 1
    # None of the parent's records is told twice, and the children's names are whole.
    assert steps(recording, "work") == [2]
    assert steps(recording, "in_child") == [2, 2]
    assert len({line.id >> 32 for line in recording.lines.values()}) == 3


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_process_of_multiprocessing_is_recorded_to_its_end(tmp_path: Path, method: str) -> None:
    source = """
        import asyncio, multiprocessing, sys

        async def work():
            await asyncio.sleep(0.001)

        def child():
            asyncio.run(work())

        if __name__ == "__main__":
            process = multiprocessing.get_context(sys.argv[1]).Process(target=child)
            process.start()
            process.join()
            assert process.exitcode == 0
    """
    assert run_python(tmp_path, program(tmp_path, source), method) == ""
    recording = load(tmp_path / "run")
    assert recording.troubles == []
    assert len(recording.processes) == 1
    assert steps(recording, "work") == [2]


def test_a_process_killed_outright_loses_at_most_what_waited(tmp_path: Path) -> None:
    source = """
        import asyncio, os, signal, slowpath.probe

        async def work():
            for _ in range(100):
                await asyncio.sleep(0)
            slowpath.probe.installed().writer.flush()
            os.kill(os.getpid(), signal.SIGKILL)

        asyncio.run(work())
    """
    env = environment(tmp_path / "run")
    path = program(tmp_path, source)
    done = subprocess.run([sys.executable, path], env=env, check=False)
    assert done.returncode == -9
    recording = load(tmp_path / "run")
    assert steps(recording, "work") == [100]
    assert recording.troubles == []
