"""A scan that remembers an earlier one says what a scan without memory says."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slowpath.causes.base import Cause
from slowpath.program import build
from slowpath.program.graph import Graph
from slowpath.program.model import Module
from slowpath.program.resolve import Gone
from slowpath.scan import scan
from slowpath.warm import again

LAB = Path(__file__).parents[2] / "lab"

CHAIN = {
    "app/__init__.py": "",
    "app/net.py": """\
import requests

def fetch(url):
    return requests.get(url, timeout=3)
""",
    "app/svc.py": """\
from app import net

class Billing:
    def total(self, user):
        return net.fetch(f"http://billing/{user}")

async def many(session, ids):
    found = []
    for each in ids:
        found.append(await session.execute("select 1", each))
    return found
""",
    "app/pool.py": """\
import asyncio
import numberlib

async def careful(rows):
    return await asyncio.to_thread(numberlib.crunch, rows)
""",
    "app/hasty.py": """\
import numberlib

async def hasty(rows):
    return numberlib.crunch(rows)
""",
    "app/main.py": """\
from fastapi import FastAPI
from app.svc import Billing, many

app = FastAPI()

@app.get("/total")
async def total(user: str):
    return Billing().total(user)
""",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for name, text in CHAIN.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def assert_as_cold(root: Path, cache: Path) -> None:
    warm, cold = scan(root, cache=cache), scan(root)
    assert warm.findings == cold.findings
    assert (warm.files, warm.lines, warm.errors) == (cold.files, cold.lines, cold.errors)
    assert warm.ignores == cold.ignores


EDITS = {
    "a comment above": ("app/net.py", "import requests", "# talks\n\nimport requests"),
    "above a loop that a message tells": ("app/svc.py", "from app", "\n\nfrom app"),
    "above a place that a message of another file tells": (
        "app/pool.py",
        "import asyncio",
        "# here\nimport asyncio",
    ),
    "a line in two": ("app/net.py", "(url, timeout=3)", "(\n        url, timeout=3\n    )"),
    "the primitive is gone": ("app/net.py", "requests.get(url, timeout=3)", "url"),
    "the primitive is another": ("app/net.py", "requests.get", "requests.post"),
    "the helper is a coroutine": ("app/net.py", "def fetch", "async def fetch"),
    "the helper has another name": ("app/net.py", "def fetch", "def load"),
    "nobody calls it": ("app/main.py", "Billing().total(user)", "user"),
    "no longer a route": ("app/main.py", '@app.get("/total")\n', ""),
    "from somewhere else": ("app/svc.py", "from app import net", "import net"),
    "ignored": ("app/net.py", "timeout=3)", "timeout=3)  # slowpath: ignore"),
    "not Python": ("app/net.py", "def fetch(url):", "def fetch(url)"),
    "a query of its own": ("app/svc.py", "found.append(await", "await other(); found.append(await"),
}


@pytest.mark.parametrize(("name", "old", "new"), EDITS.values(), ids=EDITS.keys())
def test_after_an_edit_of_a_file_that_others_depend_on(
    name: str, old: str, new: str, project: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    assert scan(project, cache=cache).findings
    before = (project / name).read_text()
    assert old in before
    (project / name).write_text(before.replace(old, new))
    assert_as_cold(project, cache)
    (project / name).write_text(before)
    assert_as_cold(project, cache)


ALL_EDITS = [
    *EDITS.values(),
    ("app/net.py", "return requests", "time.sleep(2)\n    return requests"),
    ("app/net.py", "def fetch", "def other():\n    return 1\n\ndef fetch"),
    ("app/net.py", "def fetch", "async def slow():\n    return fetch('x')\n\ndef fetch"),
    ("app/net.py", "(url)", "(url, again=None)"),
    ("app/svc.py", "class Billing", "class Kept:\n    one = 1\n\nclass Billing"),
    ("app/svc.py", "class Billing:", "class Billing:\n    rate: int = 3\n"),
    ("app/svc.py", "class Billing:", "class Billing(Shared):"),
    ("app/svc.py", "class Billing:", "from app.base import Shared\n\nclass Billing(Shared):"),
    ("app/svc.py", "    def total", "    def end(self):\n        self.total(1)\n\n    def total"),
    ("app/base.py", "def total", "def whole"),
    ("app/base.py", "sleep(1)", "sleep(2)"),
    ("app/base.py", "    pass\n", "    def total(self, user):\n        time.sleep(3)\n"),
    ("app/main.py", "Billing().total(user)", "await many(None, [user])"),
    ("app/main.py", "Billing().total(user)", "Special().total(user)"),
    ("app/main.py", "from app.svc import Billing", "from app.svc import Billing as Billing"),
    ("app/main.py", "FastAPI()", "FastAPI()\n\n@app.get('/')\ndef plain():\n    return 1"),
    ("app/hasty.py", "numberlib.crunch(rows)", "len(rows)"),
    ("app/pool.py", "asyncio.to_thread(numberlib.crunch, rows)", "asyncio.sleep(0)"),
    ("app/pool.py", "async def careful", "async def more():\n    pass\n\nasync def careful"),
    ("app/__init__.py", "", "from app.net import fetch\n"),
    # What others see of it.
    ("app/net.py", "(url)", "(url, timeout, *, retry=False)"),
    ("app/net.py", "def fetch(url):", "def fetch(url) -> Client:"),
    ("app/net.py", "import requests", "import requests\nfrom app.base import Special as Client"),
    ("app/net.py", "def fetch", "@wrapped\ndef fetch"),
    ("app/net.py", "def fetch(url):\n    return requests.get(url, timeout=3)\n", ""),
    ("app/base.py", "class Special(Shared)", "class Special"),
    ("app/base.py", "class Special(Shared)", "class Special(requests.Session)"),
    ("app/base.py", "class Shared:", "from app.svc import Billing\n\nclass Shared(Billing):"),
    ("app/base.py", "    @property\n", ""),
    ("app/base.py", "def rate(self)", "def rate(self, of=None)"),
    ("app/base.py", "class Special", "class Other"),
    ("app/svc.py", "self, user", "self, user=None, off=False"),
    ("app/svc.py", "from app import net", "from app import bridge as net"),
    ("app/bridge.py", "from app.net import fetch", "from app.base import fetch"),
    ("app/bridge.py", "from app.net import fetch", "from app.net import *"),
    ("app/bridge.py", "from app.net", "from app.wire"),
    ("app/bridge.py", "Billing", "Billing as Paying"),
    ("app/main.py", "from app.svc import", "from app.bridge import"),
    ("app/main.py", "user: str", "user: str, special: Special = Depends(Special)"),
    ("app/main.py", "FastAPI()", "FastAPI(lifespan=many)"),
    ("app/pool.py", "rows)", "rows, off=True)"),
]  # fmt: skip
BRIDGE = "from app.net import fetch\nfrom app.svc import Billing, many\n"
BASE = """\
import time

class Shared:
    pass

class Special(Shared):
    def total(self, user):
        time.sleep(1)

    @property
    def rate(self):
        return self.total(None)
"""
MORE = """\
from app.base import Shared, Special
from app.svc import Billing

async def all_of_it(special: Special, shared: Shared):
    Billing().total(1)
    shared.total(2)
    return special.rate
"""


EVERYTHING = {
    **CHAIN,
    "app/base.py": BASE,
    "app/bridge.py": BRIDGE,
    "app/more.py": MORE,
}
#: Files that go, or come again, and those that have another name, or their old one again.
GOES = ["app/more.py", "app/base.py", "app/net.py", "app/svc.py", "app/bridge.py"]
RENAMED = [("app/net.py", "app/wire.py"), ("app/base.py", "app/shared.py"), ("app", "server")]
AnyEdit = tuple[str, str, str] | tuple[str, str] | str


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    edits=st.lists(
        st.one_of(st.sampled_from(ALL_EDITS), st.sampled_from(GOES), st.sampled_from(RENAMED)),
        min_size=1,
        max_size=6,
    ),
    by_two=st.booleans(),
)
def test_any_edits_one_after_another(
    edits: list[AnyEdit], by_two: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """However much they touch; two processes do the work of large files."""
    folder = tmp_path_factory.mktemp("edits")
    root, cache = folder / "project", folder / "cache"
    for name, text in EVERYTHING.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    with (
        patch.object(again, "_MOST", 2),
        patch.object(again, "LookupError", Gone, create=True),  # nothing is amiss in silence
        patch.object(again, "_LINES_FOR_TWO", 0 if by_two else 10_000),
        patch.object(build, "_ASIDE_FROM", 0 if by_two else 10_000),
    ):
        scan(root, cache=cache)
        for edit in edits:
            apply(edit, root)
            assert_as_cold(root, cache)


def apply(edit: AnyEdit, root: Path) -> None:
    """Make an edit, or undo it where it has been made; nothing if its file is not there."""
    if isinstance(edit, str):
        file = root / edit
        if file.exists():
            file.unlink()
        elif file.parent.exists():
            file.write_text(EVERYTHING[edit])
    elif len(edit) == 2:
        old, new = (root / each for each in edit)
        if old.exists() and not new.exists():
            old.rename(new)
        elif new.exists() and not old.exists():
            new.rename(old)
    elif (root / edit[0]).exists():
        name, old_text, new_text = edit
        text = (root / name).read_text()
        undo = bool(new_text) and new_text in text
        (root / name).write_text(
            text.replace(new_text, old_text) if undo else text.replace(old_text, new_text, 1)
        )


@pytest.mark.parametrize("edit", [*ALL_EDITS, *GOES, *RENAMED[:2]], ids=str)
def test_no_edit_of_the_sample_makes_that_everything_is_scanned(
    edit: AnyEdit, tmp_path: Path
) -> None:
    """Among many other files; an edit that makes a file unreadable is one that it goes."""
    root, cache = tmp_path / "project", tmp_path / "cache"
    others = {f"app/other_{each}.py": "async def one():\n    pass\n" for each in range(60)}
    for name, text in {**EVERYTHING, **others}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    scan(root, cache=cache)
    apply(edit, root)
    with patch("slowpath.scan._analyse", side_effect=AssertionError("scanned from the start")):
        scan(root, cache=cache)
    assert_as_cold(root, cache)


INWARD = {
    "a function more": ("app/hasty.py", "", "\ndef later(rows):\n    return len(rows)\n"),
    "a coroutine more": ("app/hasty.py", "", "\nasync def later(rows):\n    return hasty(rows)\n"),
    "another body": ("app/hasty.py", "(rows):", "(rows):\n    print(1)"),
    "another body below a route": ("app/net.py", "(url):", "(url):\n    print(1)"),
}


@pytest.fixture
def worked_on(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that causes are asked of, as they come."""
    found: list[str] = []
    ask = again.ask

    def noted(graph: Graph, causes: Mapping[str, Cause], files: Iterable[Module]) -> object:
        found.extend(each.path for each in files)
        return ask(graph, causes, files)

    monkeypatch.setattr(again, "ask", noted)
    return found


@pytest.mark.parametrize(("name", "old", "new"), INWARD.values(), ids=INWARD.keys())
def test_what_an_edit_does_not_touch_is_not_worked_on(
    name: str, old: str, new: str, project: Path, tmp_path: Path, worked_on: list[str]
) -> None:
    for number in range(20):
        (project / "app" / f"other_{number}.py").write_text("async def one():\n    pass\n")
    cache = tmp_path / "cache"
    scan(project, cache=cache)
    worked_on.clear()
    text = (project / name).read_text()
    (project / name).write_text(text.replace(old, new, 1) if old else text + new)
    assert_as_cold(project, cache)
    assert name in worked_on
    assert not any("other" in each for each in worked_on)


OUTWARD = {
    "a parameter more": (
        ("app/net.py", "(url)", "(url, again=None)"),
        {"app/net.py", "app/svc.py", "app/main.py", "app/more.py"},  # ways lead through it
    ),
    "another base class": (
        ("app/base.py", "class Special(Shared)", "class Special(Other)"),
        {"app/base.py", "app/more.py"},
    ),
    "a function less": (
        ("app/svc.py", "async def many(", "async def few("),
        {"app/svc.py", "app/main.py", "app/bridge.py"},
    ),
    "a file less": ("app/base.py", {"app/more.py"}),
    "another name": (
        ("app/net.py", "app/wire.py"),
        {"app/wire.py", "app/svc.py", "app/main.py", "app/more.py", "app/__init__.py"},
    ),
}


@pytest.mark.parametrize(("edit", "whom"), OUTWARD.values(), ids=OUTWARD.keys())
def test_what_others_see_concerns_those_who_look(
    edit: AnyEdit, whom: set[str], tmp_path: Path, worked_on: list[str]
) -> None:
    root, cache = tmp_path / "project", tmp_path / "cache"
    others = {f"app/other_{each}.py": "async def one():\n    pass\n" for each in range(60)}
    for name, text in {**EVERYTHING, **others}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    scan(root, cache=cache)
    worked_on.clear()
    apply(edit, root)
    assert_as_cold(root, cache)
    assert set(worked_on) <= whom


def test_calls_of_functions_that_are_gone_are_forgotten_where_nobody_wants_new_ones(
    project: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    alone = project / "app" / "alone.py"
    alone.write_text("import app.net\n\nasync def one():\n    app.net.fetch(1)\n")
    scan(project, cache=cache)
    for text in ("import app.net\n\nNAME = app.net.fetch\n", "import app.net\n\nNAME = 1\n"):
        alone.write_text(text)
        assert_as_cold(project, cache)
    apply(("app/net.py", "(url)", "(url, again=None)"), project)
    assert_as_cold(project, cache)


LATER = "import time\n\nasync def nap():\n    time.sleep(1)\n"


def test_a_new_file_that_nobody_speaks_of_is_worked_on_alone(
    project: Path, tmp_path: Path, worked_on: list[str]
) -> None:
    cache = tmp_path / "cache"
    scan(project, cache=cache)
    worked_on.clear()
    (project / "app" / "fresh.py").write_text(LATER)
    assert_as_cold(project, cache)
    assert worked_on == ["app/fresh.py"]


@pytest.mark.parametrize(
    ("name", "importing"),
    [
        ("app/later.py", "from app.later import nap"),
        ("app/later.py", "from app import later\nnap = later.nap"),
        ("app/later.py", "import app\nnap = app.later.nap"),
        ("app/below/__init__.py", "from app.below import nap"),
        ("below/deep/later.py", "from below.deep import later\nnap = later.nap"),
    ],
)
def test_a_new_file_that_was_imported_in_vain(
    name: str, importing: str, project: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    (project / "app" / "waiting.py").write_text(
        f"{importing}\n\nasync def waits():\n    nap()\n    await nap()\n"
    )
    scan(project, cache=cache)
    (project / name).parent.mkdir(parents=True, exist_ok=True)
    (project / name).write_text(LATER)
    assert_as_cold(project, cache)


def test_a_folder_becomes_a_package(project: Path, tmp_path: Path) -> None:
    """Files below are imported by other names then, and relative imports lead elsewhere."""
    cache = tmp_path / "cache"
    (project / "inner").mkdir()
    (project / "inner" / "one.py").write_text(
        "from .two import nap\n\nasync def waits():\n    nap()\n"
    )
    (project / "inner" / "two.py").write_text("import time\n\ndef nap():\n    time.sleep(1)\n")
    scan(project / "inner", cache=cache)
    (project / "inner" / "__init__.py").touch()
    (project / "__init__.py").touch()
    assert_as_cold(project / "inner", cache)


def test_messages_of_the_sample_tell_lines(project: Path) -> None:
    messages = " ".join(each.message for each in scan(project).findings)
    assert "line 9" in messages
    assert "app/pool.py:5" in messages


def test_a_file_that_comes_and_goes(project: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    scan(project, cache=cache)
    (project / "app" / "more.py").write_text("import time\nasync def nap():\n    time.sleep(1)\n")
    assert_as_cold(project, cache)
    (project / "app" / "net.py").unlink()
    assert_as_cold(project, cache)


def test_a_choice_of_causes_is_remembered_by_itself(project: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    everything = scan(project, cache=cache).findings
    one = scan(project, cache=cache, select=["n-plus-one"]).findings
    assert {each.cause.slug for each in one} == {"n-plus-one"}
    assert scan(project, cache=cache).findings == everything


def test_a_broken_memory_is_done_without(project: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    everything = scan(project, cache=cache).findings
    for file in cache.iterdir():
        file.write_bytes(file.read_bytes()[:40])
    assert scan(project, cache=cache).findings == everything


def boundaries(text: str) -> list[int]:
    """Lines of a module (from 0) above which a comment changes nothing."""
    starts = {node.lineno - 1 for node in ast.walk(ast.parse(text)) if isinstance(node, ast.stmt)}
    lines = text.splitlines()
    return sorted(line for line in starts if ";" not in lines[line])


SICK = sorted(LAB.glob("*/sick.py"))


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_comments_anywhere_move_findings_and_change_none(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("lab")
    root, cache = folder / "project", folder / "cache"
    root.mkdir()
    for each in data.draw(st.lists(st.sampled_from(SICK), min_size=1, max_size=4, unique=True)):
        shutil.copy(each, root / f"{each.parent.name}.py")
    scan(root, cache=cache)
    for file in data.draw(st.lists(st.sampled_from(sorted(root.iterdir())), min_size=1)):
        text = file.read_text()
        lines = text.splitlines(keepends=True)
        at = data.draw(st.sampled_from(boundaries(text)))
        kind = data.draw(st.sampled_from(["# so\n", "\n", "value = len('x')\n", "cut"]))
        if kind == "cut":
            del lines[at]  # may be anything, a syntax error too
        else:
            indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
            lines.insert(at, kind if kind == "\n" else indent + kind)
        try:
            ast.parse("".join(lines))
        except SyntaxError:
            continue
        file.write_text("".join(lines))
        assert_as_cold(root, cache)
