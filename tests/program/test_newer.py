"""Files written for a newer Python than the one that scans."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slowpath.program.newer import rewritten
from tests.scan.project import findings, lines

NEWER = {
    "an alias": ("type Pair[T] = tuple[T, T]", "Pair = tuple[T, T]"),
    "an alias over lines": ("type M = (\n    int\n    | str\n)", "M = (\n    int\n    | str\n)"),
    "a generic function": ("def first[T: int = str](x: T) -> T: ...", "def first(x: T) -> T: ..."),
    "a generic coroutine": ("async def first[*Ts](x): ...", "async def first(x): ..."),
    "parameters over lines": ("def f[\n    T,\n\n    *P,\n](x): ...", "def f(x): ..."),
    "a generic class": ("class Box[T](list[T]): ...", "class Box(list[T]): ..."),
    "the same quotes": ('x = f"{a["b"]}-{c}"', "x = f'{a[\"b\"]}-{c}'"),
    "a text within a text": ('x = f"{f"{a}"}"', "x = f'{f\"{a}\"}'"),
    "quotes of both kinds": ("x = f\"{a[\"b\"]}{c['d']}\"", "x = f'''{a[\"b\"]}{c['d']}'''"),
    "a field over lines": ('x = f"{get(\n    a\n)}"', "x = f'''{get(\n    a\n)}'''"),
    "a template": ('x = t"{a}"', 'x = f"{a}"'),
    "several exceptions": (
        "try: ...\nexcept ValueError, a.KeyError: ...",
        "try: ...\nexcept (ValueError, a.KeyError): ..."),
}  # fmt: skip


@pytest.mark.parametrize(("newer", "older"), NEWER.values(), ids=NEWER.keys())
def test_it_reads_like(newer: str, older: str) -> None:
    got = ast.parse(rewritten(newer))
    assert ast.dump(got) == ast.dump(ast.parse(older))
    assert rewritten(newer).count("\n") == newer.count("\n")


SAME = {
    "a name called type": "type = 1\ntype[0] = type(x)\n",
    "code in a text": "x = '''\ntype X = int\ndef f[T](): ...\nexcept A, B:\n'''\n",
    "code in a comment": "# it's def f[T](x): \"\nx = 1\n",
    "doubled braces": 'x = f"{{a["b"]}}" if 0 else f"{{{a}}}"\n'.replace('a["b"]', "a"),
    "a raw text": "x = rf'\\d{a}' + r'\\'[0:]\n".replace("r'\\'[0:]", "''"),
    "a format": 'x = f"{a!r:>{width}} {b:%H:%M}"\n',
    "exceptions in brackets": "try: ...\nexcept (A, B) as e: ...\n",
    "a subscript behind a class": "class A: x = y[0]\n",
}


@pytest.mark.parametrize("text", SAME.values(), ids=SAME.keys())
def test_what_parses_stays_what_it_is(text: str) -> None:
    assert ast.dump(ast.parse(rewritten(text))) == ast.dump(ast.parse(text))


def test_own_files_stay_what_they_are() -> None:
    for path in Path(__file__).parents[2].joinpath("src").rglob("*.py"):
        text = path.read_text("utf-8")
        assert ast.dump(ast.parse(rewritten(text))) == ast.dump(ast.parse(text)), path


@given(st.text(alphabet="ft'\"{}[]()\\\n #:=,abcdef"))
def test_any_text_keeps_its_lines(text: str) -> None:
    assert rewritten(text).count("\n") == text.count("\n")


def test_what_blocks_is_found_at_its_line(tmp_path: Path) -> None:
    found = findings(
        tmp_path,
        "blocking-call",
        main="""
            import time
            from fastapi import FastAPI

            type Row[T] = dict[str, T]
            app = FastAPI()

            def pick[
                T,
            ](rows: list[T]) -> T:
                time.sleep(1)
                return rows[0]

            @app.get("/")
            async def route(rows: list[Row[int]]):
                return f"{pick(rows)["a"]}"
        """,
    )
    assert lines(found) == [11]
