"""The engine: what it reads, where it puts imports, and when it keeps its hands off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from slowpath.causes import Safety
from slowpath.codemod import Project, Refused
from slowpath.codemod.change import Splice, check, spliced
from slowpath.codemod.imports import added, reference
from slowpath.codemod.source import Source
from slowpath.cure import offer_of_report

IMPORTS = {
    "among its like": ("import json\nimport time\n", "import json\nimport os\nimport time\n"),
    "in front of its like": ("import time\n", "import os\nimport time\n"),
    "before what is taken from others": (
        "from typing import Any\n\nimport httpx\n",
        "import os\nfrom typing import Any\n\nimport httpx\n",
    ),
    "by name, where all are": (
        "from enum import Enum\nimport json\nfrom typing import Any\n",
        "from enum import Enum\nimport json\nimport os\nfrom typing import Any\n",
    ),
    "behind its like, where there is no order": (
        "import time\nimport json\nimport httpx\n",
        "import time\nimport json\nimport os\nimport httpx\n",
    ),
    "a part of its own": ("import httpx\n", "import os\n\nimport httpx\n"),
    "behind the docstring and the future": (
        '"""What it is."""\n\nfrom __future__ import annotations\n\nx = 1\n',
        '"""What it is."""\n\nfrom __future__ import annotations\n\nimport os\n\nx = 1\n',
    ),
    "behind the first comments": (
        "#!/usr/bin/env python\n# A word.\nx = 1\n",
        "#!/usr/bin/env python\n# A word.\nimport os\n\nx = 1\n",
    ),
    "with the line ends of the file": (
        "import json\r\nimport time\r\n",
        "import json\r\nimport os\r\nimport time\r\n",
    ),
    "in an empty file": ("", "import os\n\n"),
}


@pytest.mark.parametrize(("before", "after"), IMPORTS.values(), ids=IMPORTS.keys())
def test_an_import_is_put(before: str, after: str) -> None:
    source = Source("x.py", before)
    assert spliced(before, [added(source, "import os")]) == after


def test_a_name_more_from_the_same_module() -> None:
    text = "from m import LIMIT, Zebra, cow\n"
    assert spliced(text, [added(Source("x.py", text), "from m import Horse")]) == (
        "from m import LIMIT, Horse, Zebra, cow\n"
    )
    long = "from m import (\n    cow,\n)\n"
    assert spliced(long, [added(Source("x.py", long), "from m import dog")]) == (
        long + "from m import dog\n"
    )


NAMES = {
    "import asyncio\n": "asyncio.sleep",
    "import asyncio as aio\n": "aio.sleep",
    "from asyncio import sleep\n": "sleep",
    "from asyncio import sleep as nap\n": "nap",
    "try:\n    import asyncio\nexcept ImportError:\n    pass\n": "asyncio.sleep",
}


@pytest.mark.parametrize("head", NAMES)
def test_a_name_is_written_as_the_file_does(head: str) -> None:
    source = Source("x.py", f"{head}\n\nasync def f():\n    pass\n")
    assert reference(source, source.scopes[0], "asyncio.sleep") == (NAMES[head], ())


@pytest.mark.parametrize(
    "text",
    [
        "asyncio = 1\n\n\nasync def f():\n    pass\n",
        "async def f(asyncio):\n    pass\n",
        "import other as asyncio\n\n\nasync def f():\n    pass\n",
        "async def f():\n    pass\n    import asyncio\n",
    ],
)
def test_a_name_that_is_taken_is_refused(text: str) -> None:
    source = Source("x.py", text)
    with pytest.raises(Refused, match="asyncio is taken"):
        reference(source, source.scopes[0], "asyncio.sleep", line=2)


def test_splices_of_one_place_that_differ_are_refused() -> None:
    assert spliced("abc", [Splice(1, 2, 1, "x"), Splice(1, 2, 1, "x")]) == "axc"
    assert spliced("ab", [Splice(1, 1, 1, "name"), Splice(1, 1, 0, "import ")]) == "aimport nameb"
    with pytest.raises(Refused, match="same lines"):
        spliced("abc", [Splice(0, 2, 1, "x"), Splice(1, 3, 1, "y")])


def test_what_is_no_python_is_refused() -> None:
    check("async def f():\n    await g()\n")
    with pytest.raises(Refused, match="not be Python"):
        check("def f():\n    await g()\n")


FINDING = {
    "cause": "blocking-call",
    "path": "app.py",
    "line": 5,
    "end_line": 5,
    "function": "idle",
    "culprit": "time.sleep",
    "message": "time.sleep sleeps on the event loop",
    "chain": [{"path": "app.py", "line": 5, "function": "idle"}],
}
SICK = "import time\n\n\nasync def idle():\n    time.sleep(1)\n"


def offered(folder: Path, text: str | bytes, **other: Any) -> Any:
    data = text if isinstance(text, bytes) else text.encode()
    (folder / "app.py").write_bytes(data)
    return offer_of_report(FINDING | other, Project(folder))


def test_a_finding_of_a_report_is_cured(tmp_path: Path) -> None:
    assert offered(tmp_path, SICK).safety is Safety.SAFE
    # A run names functions as Python does.
    nested = "import time\n\ndef make():\n    async def idle():\n        time.sleep(1)\n"
    assert offered(tmp_path, nested, function="make.<locals>.idle").safety is Safety.SAFE


def test_a_run_that_does_not_know_the_name_means_the_only_call_there(tmp_path: Path) -> None:
    text = "async def idle(link):\n\n\n\n    return link.ask()\n"
    made = offered(tmp_path, text, culprit="GET partner/rates")
    assert "asyncio.to_thread(link.ask)" in spliced(text, made.change.splices)
    text = text.replace("link.ask()", "link.ask(link.who())")
    assert "is not known" in offered(tmp_path, text, culprit="GET partner/rates").why


def test_a_run_knows_less_of_a_name_than_the_code(tmp_path: Path) -> None:
    assert offered(tmp_path, SICK, culprit="sleep").change.title.startswith("Await asyncio.sleep")


def test_what_a_property_does_cannot_be_awaited(tmp_path: Path) -> None:
    text = "async def idle(link):\n\n\n\n    return link.rates\n"
    assert "only read" in offered(tmp_path, text, culprit="Link.rates").why


SOURCE = {"first_line": 4, "lines": ["async def idle():", "    time.sleep(1)"], "changed": False}
CHANGED = {
    "the line moved": (f"x = 1\n{SICK}", {}, "no call of sleep"),
    "the lines shown are others": (
        SICK.replace("idle()", "idle(x)"),
        {"source": SOURCE},
        "changed",
    ),
    "the function has another name": (SICK, {"function": "rest"}, "does not lie in rest"),
    "the function is plain now": (SICK.replace("async ", ""), {}, "is a plain function"),
    "the file is shorter": ("x = 1\n", {}, "has no line 5"),
    "the call is awaited now": (
        SICK.replace("time.sleep", "await time.sleep"),
        {},
        "awaited already",
    ),
    "the file is no Python": (f"{SICK}def\n", {}, "cannot be parsed"),
    "the file is not UTF-8": (
        b"# -*- coding: latin-1 -*-\n# \xe9\nimport time\nasync def idle():\n    time.sleep(1)\n",
        {},
        "not UTF-8",
    ),
}


@pytest.mark.parametrize(("text", "other", "why"), CHANGED.values(), ids=CHANGED.keys())
def test_code_that_is_not_what_was_found_is_left_alone(
    tmp_path: Path, text: str | bytes, other: dict[str, Any], why: str
) -> None:
    made = offered(tmp_path, text, **other)
    assert (made.safety, made.change, made.defect) == (Safety.NONE, None, False)
    assert why in made.why


@pytest.mark.parametrize("path", ["../app.py", "/etc/hosts", ".venv/lib/site-packages/app.py"])
def test_what_is_not_the_projects_own_is_left_alone(tmp_path: Path, path: str) -> None:
    installed = tmp_path / ".venv" / "lib" / "site-packages"
    installed.mkdir(parents=True)
    (installed / "app.py").write_text(SICK)
    (tmp_path.parent / "app.py").write_text(SICK)
    made = offered(tmp_path, SICK, path=path)
    assert made.safety is Safety.NONE
    assert "belong" in made.why


def test_tabs_and_line_ends_stay(tmp_path: Path) -> None:
    text = "import time\r\n\r\n\r\nasync def idle():\r\n\ttime.sleep(1)\t# a while\r\n"
    made = offered(tmp_path, text)
    assert spliced(text, made.change.splices) == (
        "import asyncio\r\nimport time\r\n\r\n\r\nasync def idle():\r\n"
        "\tawait asyncio.sleep(1)\t# a while\r\n"
    )
