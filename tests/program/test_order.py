"""What is known of a function does not hang on what was asked before."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slowpath.program.build import build, read_tree
from slowpath.program.graph import Graph

CIRCLES = """\
import time
import requests

class Node:
    def __init__(self, client=None):
        self.client = client or self.make()
        self.parent = self.client.parent

    def make(self):
        return self.parent.make() if self.parent else requests.Session()

    def up(self):
        return self.parent.up() or self

def even(n):
    time.sleep(1)
    return odd(n - 1)

def odd(n):
    return even(n - 1) if n else third(n)

def third(n):
    requests.get("http://x", timeout=1)
    return odd(n)

async def first(session, node: Node):
    node.up().client.get("/")
    even(3)
    return await second(session, node)

async def second(session, node):
    await last(session)
    return await first(session, node)

async def last(session):
    await first(session, Node())
    await session.execute("select 1")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("circles")
    (folder / "circles.py").write_text(CIRCLES)
    return folder


def answers(folder: Path, order: list[int]) -> dict[str, object]:
    """Everything that is known of each function, asked in an order of their numbers."""
    graph = Graph(build(read_tree(folder)))
    functions = list(graph.program.functions())
    said = {}
    for number in order:
        function = functions[number % len(functions)]
        said[function.qual] = (
            [(e.site, str(e.target), e.dotted, e.confidence) for e in graph.edges(function)],
            [([(f.qual, s) for f, s in r.hops], r.primitive) for r in graph.blocking(function)],
            graph.io(function),
            graph.opaque(function),
            str(graph.program.returned(function)),
        )
    return said


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(12)))
def test_circles_of_calls_and_values_in_any_order(order: list[int], folder: Path) -> None:
    assert answers(folder, order) == answers(folder, sorted(order))


def test_what_lies_on_a_circle_is_seen_from_all_of_it(folder: Path) -> None:
    said = answers(folder, list(range(12)))
    for name in ("even", "odd", "third"):
        beneath = {primitive.name for _, primitive in said[name][1]}  # type: ignore[index]
        assert beneath == {"time.sleep", "requests.get"}
    assert {said[name][2] for name in ("first", "second", "last")} == {  # type: ignore[index]
        frozenset({"db", "net"})
    }
