"""When a cure is safe: a function that keeps to itself, and what makes it not."""

from __future__ import annotations

import pytest

from slowpath.codemod.loopbound import what_is_shared
from slowpath.codemod.source import Source

HEAD = """\
import json
import logging

import requests

from app.settings import settings

log = logging.getLogger(__name__)
state = {}
LIMIT = 5
ROWS = [{}]


async def f(name, body):
"""
ALONE = {
    "names of its own": "found = []\nfor i in range(LIMIT):\n    found.append(i)\nreturn found",
    "the standard library": "return json.dumps({'name': name})",
    "an answer that it was given": "a = requests.get(settings.url, timeout=5)\nreturn a.json()",
    "a logger": "log.info('%s', name)\nreturn name",
}
SHARED = {
    "a variable of the module": ("return state", "`state`"),
    "one that it sets": ("global LIMIT\nLIMIT = 6", "`LIMIT`"),
    "an item of a constant": ("for row in ROWS:\n    row['name'] = name", "`row`"),
    "another name for it": ("mine = settings\nmine.name = name", "`mine`"),
    "what somebody else gave": ("body.clear()", "`body.clear(...)`"),
    "something called": ("return settings.load()", "`settings.load(...)`"),
    "what is imported": ("settings.name = name", "`settings`"),
}
READ = {
    "what may change meanwhile": ("return body.total", "`body`"),
    "an item": ("return body['total']", "`body`"),
}


def shared(body: str, gives_way: bool = False) -> str:
    text = HEAD + "".join(f"    {line}\n" for line in body.split("\n"))
    source = Source("x.py", text)
    return what_is_shared(source, source.scopes[0], "requests.get", gives_way=gives_way)


@pytest.mark.parametrize("body", ALONE.values(), ids=ALONE.keys())
def test_a_function_keeps_to_itself(body: str) -> None:
    assert shared(body) == shared(body, gives_way=True) == ""


@pytest.mark.parametrize(("body", "what"), SHARED.values(), ids=SHARED.keys())
def test_others_could_see(body: str, what: str) -> None:
    assert shared(body) == shared(body, gives_way=True) == what


@pytest.mark.parametrize(("body", "what"), READ.values(), ids=READ.keys())
def test_what_is_read_counts_where_others_run_meanwhile(body: str, what: str) -> None:
    assert shared(body) == ""
    assert shared(body, gives_way=True) == what


@pytest.mark.parametrize("given", ["= Depends(load)", ": Annotated[Body, Depends()]", ": Request"])
def test_what_is_injected_may_be_everybodys(given: str) -> None:
    text = f"async def f(body{given}):\n    mine = body.items\n    return mine\n"
    source = Source("x.py", text)
    assert what_is_shared(source, source.scopes[0]) == "`body`"
