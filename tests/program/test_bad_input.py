"""Whatever is on the disk: reported per file, and everything else still read."""

from __future__ import annotations

import os
import random
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import slowpath.program
from slowpath.program.build import read_tree
from slowpath.program.model import Function
from slowpath.scan import scan

GOOD = "import time\nasync def f():\n    time.sleep(1)\n"

BAD = {
    "a syntax error": b"def (:\n",
    "Python 2": b"print 'hello'\n",
    "a null byte": b"x = 1\0\n",
    "UTF-16": "x = 1\n".encode("utf-16"),
    "an unknown encoding": b"# -*- coding: klingon -*-\nx = 1\n",
    "bytes that are not UTF-8": b"x = '\xff\xfe'\n",
    "nesting without end": b"x = " + b"(" * 5000 + b")" * 5000 + b"\n",
    "operators without end": b"x = " + b"-" * 100_000 + b"1\n",
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD.keys())
def test_a_file_that_cannot_be_read_is_named_and_the_rest_is_scanned(
    content: bytes, tmp_path: Path
) -> None:
    (tmp_path / "bad.py").write_bytes(content)
    (tmp_path / "good.py").write_text(GOOD)
    result = scan(tmp_path)
    assert [path for path, _ in result.errors] == ["bad.py"]
    assert [each.path for each in result.findings] == ["good.py"]


ODD = {
    "nothing": b"",
    "latin-1, declared": b"# -*- coding: latin-1 -*-\nx = '\xe9'\n",
    "a byte-order mark": b"\xef\xbb\xbfx = 1\n",
    "Windows line ends": b"x = 1\r\ny = 2\r\n",
    "a long sum": b"x = " + b" + ".join([b"1"] * 3000) + b"\n",
    "a long ladder": b"if a:\n    pass\n" + b"elif b:\n    pass\n" * 800,
    "a cycle of names": b"a = b\nb = a\nclass A(B): ...\nclass B(A): ...\nasync def f(): a.b()\n",
    "recursion": b"def f(): g()\ndef g(): f()\nasync def h(): f()\n",
    "a callback that is handed on": b"class A:\n    def __call__(self, f):\n        f(f)\n"
    b"async def h(a: A): a(a)\n",
}


@pytest.mark.parametrize("content", ODD.values(), ids=ODD.keys())
def test_odd_files_are_read(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_bytes(content)
    assert scan(tmp_path).errors == []


def test_circular_imports_and_a_loop_of_links_end(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("from b import *\nfrom b import y\nasync def f(): y()\n")
    (tmp_path / "b.py").write_text("from a import *\nfrom a import y\n")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert scan(tmp_path).files == 2


def test_a_generated_file_of_50_000_lines_is_read(tmp_path: Path) -> None:
    (tmp_path / "table.py").write_text("ROWS = [\n" + "    (1, 'a'),\n" * 50_000 + "]\n")
    assert scan(tmp_path).lines == 50_002


def test_not_every_function_is_searched_for_every_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A generated client with 8,400 coroutine functions took 12 seconds."""
    (tmp_path / "client.py").write_text(
        "".join(
            f"async def f{each}():\n    g{each}(1)\ndef g{each}(x): ...\n" for each in range(300)
        )
    )
    mentions = Function.mentions

    def few(function: Function, *names: str) -> bool:
        assert len(names) < 300
        return mentions(function, *names)

    monkeypatch.setattr(Function, "mentions", few)
    assert scan(tmp_path).findings == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.timeout(20)
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "good.py").write_text(GOOD)
    result = scan(tmp_path)
    assert result.errors == [("pipe.py", "not a regular file")]
    assert len(result.findings) == 1


def test_a_notebook_is_named_as_not_read(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(GOOD)
    (tmp_path / "book.ipynb").write_text("{}")
    assert scan(tmp_path).errors == [("book.ipynb", "notebooks are not read")]


SOURCES = [
    path.read_text("utf-8") for path in sorted(Path(slowpath.program.__path__[0]).glob("*.py"))
]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(source=st.sampled_from(SOURCES), seed=st.integers(0, 2**32))
def test_mutated_files_never_break_the_scan(source: str, seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    lines = source.splitlines()
    for _ in range(chance.randint(1, 12)):
        where = chance.randrange(len(lines))
        match chance.randrange(4):
            case 0:
                del lines[where : where + chance.randint(1, 5)]
            case 1:
                lines[where] = lines[chance.randrange(len(lines))]
            case 2:
                lines[where] = lines[where].replace("def ", "async def ").replace("(", "(*a, ", 1)
            case _:
                lines[where] = lines[where].replace("self", "cls").replace(".", "[0].", 1)
        lines = lines or ["pass"]
    (tmp_path / "mutant.py").write_text("\n".join(lines) + "\n", "utf-8")
    scan(tmp_path)


NAMES = st.sampled_from(["a", "b", "time", "self", "f", "C", "session"])
EXPRESSIONS = st.recursive(
    NAMES | st.just("1") | st.just("'s'"),
    lambda inner: st.one_of(
        st.tuples(inner, NAMES).map(lambda p: f"{p[0]}.{p[1]}" if p[0] != "1" else p[1]),
        st.tuples(inner, st.lists(inner, max_size=2)).map(lambda p: f"({p[0]})({', '.join(p[1])})"),
        st.tuples(inner, inner).map(lambda p: f"({p[0]})[{p[1]}]"),
        st.tuples(inner, NAMES, inner).map(lambda p: f"[{p[0]} for {p[1]} in {p[2]}]"),
        inner.map(lambda e: f"(lambda a: {e})"),
        inner.map(lambda e: f"(await ({e}))"),
    ),
    max_leaves=8,
)
STATEMENTS = st.one_of(
    st.tuples(NAMES, EXPRESSIONS).map(lambda p: f"{p[0]} = {p[1]}"),
    st.tuples(NAMES, EXPRESSIONS).map(lambda p: f"for {p[0]} in {p[1]}: {p[1]}"),
    st.tuples(EXPRESSIONS, NAMES).map(lambda p: f"async with {p[0]} as {p[1]}: {p[1]}()"),
    EXPRESSIONS.map(lambda e: f"return {e}"),
    EXPRESSIONS.map(lambda e: f"import time; time.sleep({e})"),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(body=st.lists(STATEMENTS, min_size=1, max_size=8))
def test_generated_modules_never_break_the_scan(body: list[str], tmp_path: Path) -> None:
    text = "class C:\n    async def f(self, session, a=1):\n"
    text += "".join(f"        {line}\n" for line in body)
    (tmp_path / "made.py").write_text(text, "utf-8")
    assert scan(tmp_path).errors == []


def test_a_file_is_parsed_again_only_when_its_content_changed(tmp_path: Path) -> None:
    root, cache = tmp_path / "app", tmp_path / "cache"
    root.mkdir()
    (root / "a.py").write_text("from b import g\nasync def f():\n    g()\n")
    (root / "b.py").write_text("def g(): ...\n")
    assert read_tree(root, cache).read == 2
    assert read_tree(root, cache).read == 0
    (root / "b.py").write_text("import time\ndef g():\n    time.sleep(1)\n")
    again = scan(root, cache=cache)
    assert again.read == 1
    assert [(each.path, each.line) for each in again.findings] == [("b.py", 3)]


def spoil_half(content: bytes) -> bytes:
    return content[: len(content) // 2] + b"\0" * (len(content) - len(content) // 2)


@pytest.mark.parametrize("spoil", [lambda content: content[:50], spoil_half, lambda _: b""])
@pytest.mark.parametrize("number", [0, 1])
def test_a_spoiled_cache_is_done_without(
    spoil: Callable[[bytes], bytes], number: int, tmp_path: Path
) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "a.py").write_text(GOOD)
    read_tree(tmp_path / "app", tmp_path / "cache")
    stored = sorted((tmp_path / "cache").glob("scan*"))
    assert len(stored) == 2
    stored[number].write_bytes(spoil(stored[number].read_bytes()))
    assert read_tree(tmp_path / "app", tmp_path / "cache").read == 1


def test_a_folder_beneath_a_link_is_read_as_the_folder_itself(tmp_path: Path) -> None:
    package = tmp_path / "real" / "app"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "svc.py").write_text("import time\ndef work(): time.sleep(1)\n")
    (package / "main.py").write_text("from app.svc import work\nasync def go(): work()\n")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    seen = [scan(tmp_path / name).findings for name in ("real", "link")]
    assert [each.line for each in seen[0]] == [2]
    assert seen[0] == seen[1]


def test_a_setter_that_stores_the_result_of_a_call(tmp_path: Path) -> None:
    text = """\
        class Box:
            @property
            def item(self):
                return self._item

            @item.setter
            def item(self, value):
                self.check(value)
                self._item = self.wrap(value)

            async def close(self):
                self._item.close()
        """
    (tmp_path / "box.py").write_text(textwrap.dedent(text))
    assert scan(tmp_path).errors == []
