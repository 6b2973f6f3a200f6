"""The command: what it prints, how it exits, and what the user's choices leave out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scan.project import write

SICK = """
import time


async def idle():
    time.sleep(1)
"""


def slowpath(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "slowpath.cli", "scan", *arguments],
        capture_output=True, text=True, cwd=cwd, check=False, timeout=120,
    )  # fmt: skip


def as_json(*arguments: str, cwd: Path) -> dict[str, object]:
    return json.loads(slowpath(".", "--format", "json", *arguments, cwd=cwd).stdout)  # type: ignore[no-any-return]


def test_json_follows_the_contract(tmp_path: Path) -> None:
    result = slowpath(".", "--format", "json", cwd=write(tmp_path, app__svc=SICK))
    assert result.returncode == 1
    document = json.loads(result.stdout)
    [found] = document["findings"]
    assert document["version"] == 1
    assert (document["files"], document["lines"], document["errors"]) == (2, 6, [])
    assert (found["cause"], found["path"], found["line"]) == ("blocking-call", "app/svc.py", 6)
    assert (found["culprit"], found["confidence"]) == ("time.sleep", "certain")
    assert found["entry"]["kind"] == "coroutine"
    assert found["chain"] == [{"path": "app/svc.py", "line": 6, "function": "idle"}]
    assert found["cure"] in ("safe", "unsafe", "none")


def test_nothing_found_is_exit_code_0(tmp_path: Path) -> None:
    result = slowpath(".", cwd=write(tmp_path, main="x = 1\n"))
    assert result.returncode == 0
    assert "nothing found" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("missing",), "no file or folder"),
        ((".", "--select", "blocking-cal"), "Did you mean blocking-call?"),
        ((".", "--diff", "HEAD"), "--diff needs a git repository"),
        ((".", "--select", "zzz"), "Those that do: async-lru-cache"),
        ((".", "--python", "."), "not a virtual environment"),
        (("empty",), "no Python file"),
    ],
)
def test_a_mistake_is_a_sentence_and_exit_code_2(
    arguments: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    write(tmp_path, main=SICK)
    (tmp_path / "empty").mkdir()
    result = slowpath(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert said in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr


def test_text_fits_80_columns_and_shows_the_line(tmp_path: Path) -> None:
    out = slowpath(".", cwd=write(tmp_path, main=SICK)).stdout
    assert "main.py:6  blocking-call  certain" in out
    assert "time.sleep(1)" in out
    assert max(map(len, out.splitlines())) <= 80


def test_github_names_file_and_line(tmp_path: Path) -> None:
    out = slowpath(".", "--format", "github", cwd=write(tmp_path, main=SICK)).stdout
    assert out.startswith("::error file=main.py,line=6,endLine=6,")


def test_github_warns_of_a_file_that_nobody_could_read(tmp_path: Path) -> None:
    write(tmp_path, good="x = 1\n")
    (tmp_path / "bad,one.py").write_text("def f(:\n")
    out = slowpath(".", "--format", "github", cwd=tmp_path).stdout
    [line] = out.splitlines()
    assert line.startswith("::warning file=bad%2Cone.py,title=slowpath%3A not read::")
    assert "syntax" in line.lower()


def test_sarif_has_a_rule_a_place_and_a_chain_for_each_result(tmp_path: Path) -> None:
    out = slowpath(".", "--format", "sarif", cwd=write(tmp_path, main=SICK)).stdout
    document = json.loads(out)
    [run] = document["runs"]
    [result] = run["results"]
    assert document["version"] == "2.1.0"
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "main.py"
    assert place["region"]["startLine"] == 6
    assert result["codeFlows"][0]["threadFlows"][0]["locations"]


def test_an_ignore_comment_hides_and_an_unused_one_is_told(tmp_path: Path) -> None:
    write(
        tmp_path,
        main="import time\nasync def f():\n    time.sleep(1)  # slowpath: ignore[blocking-call]\n"
        "x = 1  # slowpath: ignore[lost-task]\n",
    )
    document = as_json(cwd=tmp_path)
    assert document["findings"] == []
    assert document["unused_ignores"] == [{"path": "main.py", "line": 4, "causes": ["lost-task"]}]


def test_a_baseline_leaves_only_what_is_new(tmp_path: Path) -> None:
    write(tmp_path, main=SICK)
    first = slowpath(".", "--baseline", "known.json", cwd=tmp_path)
    assert first.returncode == 0
    write(tmp_path, main="# moved by a line\n" + SICK, other=SICK)
    document = as_json("--baseline", "known.json", cwd=tmp_path)
    assert [each["path"] for each in document["findings"]] == ["other.py"]  # type: ignore[index, attr-defined]


def test_settings_of_the_project_are_obeyed(tmp_path: Path) -> None:
    write(tmp_path, main=SICK, gen__api=SICK)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.slowpath.scan]\nper-file-ignores = {"gen/*" = ["blocking-call"]}\n'
    )
    document = as_json(cwd=tmp_path)
    assert [each["path"] for each in document["findings"]] == ["main.py"]  # type: ignore[index, attr-defined]
    (tmp_path / "pyproject.toml").write_text("[tool.slowpath.scan]\nselct = []\n")
    assert slowpath(".", cwd=tmp_path).returncode == 2


def test_only_changed_lines(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
            cwd=tmp_path, check=True, capture_output=True,
        )  # fmt: skip

    write(tmp_path, main=SICK)
    git("init", "-q")
    git("add", "main.py")
    git("commit", "-qm", "one")
    write(tmp_path, main=SICK + "    time.sleep(2)\n")
    document = as_json("--diff", "HEAD", cwd=tmp_path)
    assert [each["line"] for each in document["findings"]] == [7]  # type: ignore[index, attr-defined]


def test_installed_packages_are_followed_when_an_environment_is_given(tmp_path: Path) -> None:
    site = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    write(
        site, vendor__api="import socket\n\ndef call():\n    socket.create_connection(('h', 1))\n"
    )
    (tmp_path / "env" / "pyvenv.cfg").touch()
    write(
        tmp_path / "app",
        main="from vendor.api import call\n\nasync def go():\n    return call()\n",
    )
    without = as_json(cwd=tmp_path / "app")
    assert without["findings"] == []
    [found] = as_json("--python", "../env", cwd=tmp_path / "app")["findings"]  # type: ignore[misc, attr-defined]
    assert (found["path"], found["line"]) == ("main.py", 4)
    assert found["culprit"] == "socket.create_connection"


@pytest.mark.parametrize("pattern", ["app/*", "app", "svc.py", "app/svc.py"])
def test_patterns_may_be_written_from_where_the_settings_lie(pattern: str, tmp_path: Path) -> None:
    write(tmp_path, app__svc=SICK)
    (tmp_path / "pyproject.toml").write_text(
        f'[tool.slowpath.scan.per-file-ignores]\n"{pattern}" = ["blocking-call"]\n'
    )
    assert slowpath("app", cwd=tmp_path).returncode == 0


def test_the_cache_is_nothing_that_git_sees(tmp_path: Path) -> None:
    write(tmp_path, app__svc=SICK)
    subprocess.run(["git", "init", "-q", "."], cwd=tmp_path, check=True)
    slowpath(".", cwd=tmp_path)
    assert any((tmp_path / ".slowpath" / "cache").iterdir())
    told = subprocess.run(
        ["git", "status", "--short"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert ".slowpath" not in told.stdout
