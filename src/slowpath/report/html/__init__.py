"""The page: one self-contained file that shows a run, or two runs beside each other.

Everything that comes from the app is data in it: JSON in a script element that no browser runs,
which the page's own code writes as text, never as markup. A content security policy admits this
code and these styles by their hashes, and no address but, when the page is served, its own server.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib.resources import files

import jinja2
from markdown_it import MarkdownIt
from markupsafe import Markup

from slowpath.causes import catalogue
from slowpath.report.html.compared import compare_page
from slowpath.report.html.data import page_of
from slowpath.report.html.model import Page

__all__ = ["Page", "compare_page", "page_of", "render", "serialise"]

#: In the order in which they build on each other; one script in the page.
SCRIPTS = (
    "dom",
    "words",
    "data",
    "chart",
    "zoom",
    "waterfall",
    "flame",
    "views/overview",
    "views/endpoints",
    "views/endpoint",
    "views/blame",
    "views/finding",
    "views/code",
    "views/time",
    "views/flames",
    "views/compare",
    "views/run",
    "main",
)
#: What could end a script element or, in old engines, a line of JavaScript.
_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def render(page: Page) -> str:
    """Write a page's file."""
    script, style = _script(), _style()
    connect = "'self'" if page["live"] else "'none'"
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; "
        f"img-src data:; connect-src {connect}; base-uri 'none'; form-action 'none'"
    )
    pages = {slug: cause["page"] for slug, cause in page["causes"].items()}
    if page["live"]:
        # Its findings are still to come.
        pages |= {slug: cause.page for slug, cause in sorted(catalogue().items())}
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_asset("page.html")).render(
        title=page["name"],
        policy=policy,
        script=Markup(script),
        style=Markup(style),
        data=Markup(serialise(page)),
        causes={slug: Markup(_page(text)) for slug, text in pages.items()},
    )


def serialise(page: Page) -> str:
    """Write data as JSON that may stand in a script element, whatever is in it."""
    text = json.dumps(page, ensure_ascii=False, separators=(",", ":"))
    # A lone surrogate (from a path that is no UTF-8) cannot be written to a file.
    return text.translate(_ESCAPES).encode("utf-8", "backslashreplace").decode()


def _page(text: str) -> str:
    """Render a cause's page as a part of a larger one; markup in it stays text."""
    markdown = MarkdownIt("commonmark", {"html": False})
    tokens = markdown.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1:]) + 2)}"
    return str(markdown.renderer.render(tokens, markdown.options, {}))


@cache
def _script() -> str:
    own = "\n".join(_asset(f"{name}.js") for name in SCRIPTS)
    library = _vendored("uPlot.iife.min.js")
    return f"{library}\n(() => {{\n'use strict';\n{own}\n}})();\n"


@cache
def _style() -> str:
    return f"{_vendored('uPlot.min.css')}\n{_asset('page.css')}"


def _asset(name: str) -> str:
    folder = files("slowpath.report.html") / "assets"
    return folder.joinpath(name).read_text(encoding="utf-8")


def _vendored(name: str) -> str:
    folder = files("slowpath.report.html") / "vendor" / "uplot"
    return folder.joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
