"""The file: self-contained, its policy fits its code, and nothing of the app's gets out."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from slowpath.causes import catalogue
from slowpath.report.html import page_of, render, serialise
from slowpath.report.html.texts import issue, prompt
from tests.report.page.busy import busy

HOSTILE = (
    "/</script><script>window.pwned=1</script>",
    "/\"onload='alert(1)'<img src=x onerror=alert(1)>",
    "/\u202egnp.\u2066live\u2028\u2029\x00\ud800/" + "x" * 10_000,
)
HOSTILE_SQL = "SELECT '<!--<script>' -- ``` \u202e ${alert(1)} {{ 7 * 7 }} </template>"


class Elements(HTMLParser):
    """Collects elements with their attributes, and the text of each script and style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_data(self, data):
        if self.cdata_elem:
            self.texts.append((self.cdata_elem, data))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    return busy(60, tmp_path_factory.mktemp("app"), routes=HOSTILE, sql=HOSTILE_SQL)


@pytest.fixture(scope="module")
def elements(hostile):
    return Elements(render(page_of(*hostile)))


def test_names_of_the_app_make_no_elements(elements, hostile, tmp_path):
    plain = Elements(render(page_of(*busy(60, tmp_path))))
    assert [tag for tag, _ in elements.found] == [tag for tag, _ in plain.found]


def test_the_data_comes_through_as_it_was(elements, hostile):
    [data] = [text for tag, text in elements.texts if tag == "script" and text.startswith("{")]
    # A lone surrogate cannot be written; it stays visible as an escape.
    routes = {endpoint["route"][:20] for endpoint in json.loads(data)["report"]["endpoints"]}
    assert HOSTILE[0][:20] in routes
    assert json.loads(data)["words"][1:2] or HOSTILE_SQL in json.loads(data)["words"]


def test_json_in_a_script_has_nothing_that_could_end_it(hostile):
    text = serialise(page_of(*hostile))
    assert not re.search("[<>&\u2028\u2029]", text)


def test_the_policy_admits_this_code_alone(elements):
    [policy] = [
        attributes["content"]
        for tag, attributes in elements.found
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'")
    assert "connect-src 'none'" in policy
    for tag, text in elements.texts:
        if not text.startswith("{"):
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            assert f"{tag}-src 'sha256-{digest}'" in policy


def test_the_file_names_no_other_file(elements):
    links = [
        value
        for _, attributes in elements.found
        for name, value in attributes.items()
        if name in ("src", "href", "action", "data")
    ]
    assert all(link.startswith(("#", "data:", "https://")) for link in links if link)
    # Links of a cause's page are for readers; nothing is loaded from them.
    loaded = {tag for tag, attributes in elements.found if "src" in attributes}
    assert loaded == set()


def test_the_pages_own_code_writes_no_markup(elements):
    [own] = [
        text.split("'use strict';")[1] for tag, text in elements.texts if "'use strict';" in text
    ]
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", own)


def test_a_page_that_is_served_may_ask_its_own_server(hostile):
    assert "connect-src 'self'" in render(page_of(*hostile, live=True)).replace("&#39;", "'")


def test_a_page_that_is_served_has_the_pages_of_findings_to_come(hostile, elements):
    def told(elements):
        return {more["id"] for tag, more in elements.found if tag == "template"}

    # Of n-plus-one and blocking-call, the others not found (yet).
    assert told(elements) == {"cause-blocking-call", "cause-n-plus-one"}
    live = Elements(render(page_of(*hostile, live=True)))
    assert told(live) == {f"cause-{slug}" for slug in catalogue()}


@pytest.mark.parametrize("write", [issue, lambda finding, report: prompt(finding, report, "page")])
def test_fences_are_closed_by_nothing_in_them(hostile, write):
    report = hostile[1]
    text = write(report["findings"][0], report)
    assert "\u202e" not in text or write is not issue
    fences = [line for line in text.splitlines() if line.startswith("```")]
    assert len(fences) % 2 == 0
    for opening, closing in zip(fences[::2], fences[1::2], strict=True):
        assert opening.rstrip("jsonpythmarkdw") == closing
