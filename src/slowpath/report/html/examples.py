"""What a cure changes, shown on the example of a cause's page: before and after as a diff."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import product

from markdown_it import MarkdownIt

from slowpath.report.html.model import Example

BEFORE, AFTER = "Example", "Use instead"
#: What marks the guilty line for the tests of the page.
_CULPRIT = re.compile(r"\s*# culprit: [a-z0-9, -]+$")
#: A fence's language, or none; text in another one is no code to compare.
_LANGUAGES = ("", "python", "sql")


def example_of(page: str) -> Example | None:
    """Compare the example of a cause's page with what is to be used instead.

    Of several on either side, the two that are most alike: their difference is the cure. None for a
    page that shows no such pair.

    Args:
        page: Markdown, with the headings that every `cause.md` has.
    """
    found = _blocks(page)
    pairs = [pair for pair in product(found[BEFORE], found[AFTER]) if pair[0][0] == pair[1][0]]
    if not pairs:
        return None
    (_, before), (_, after) = max(pairs, key=lambda pair: _likeness(pair[0][1], pair[1][1]))
    return {"lines": _difference(before, after)}


def _blocks(page: str) -> dict[str, list[tuple[str, list[str]]]]:
    """Return the blocks of code under each heading, with their language."""
    found: dict[str, list[tuple[str, list[str]]]] = {BEFORE: [], AFTER: []}
    tokens = MarkdownIt("commonmark").parse(page)
    heading = ""
    for number, token in enumerate(tokens):
        if token.type == "heading_open":
            heading = tokens[number + 1].content
        is_code = token.type in ("fence", "code_block") and token.info in _LANGUAGES
        if is_code and heading in found:
            lines = [_CULPRIT.sub("", line) for line in token.content.rstrip("\n").split("\n")]
            # An indented block has no language: it is what slowpath is for.
            found[heading].append((token.info or "python", lines))
    return found


def _likeness(before: Sequence[str], after: Sequence[str]) -> float:
    return SequenceMatcher(None, before, after, autojunk=False).ratio()


def _difference(before: Sequence[str], after: Sequence[str]) -> list[tuple[str, str]]:
    """Return each line with its sign: "-" goes, "+" comes, " " stays."""
    lines: list[tuple[str, str]] = []
    # An empty line that both have says nothing by itself.
    matcher = SequenceMatcher(lambda line: not line.strip(), before, after, autojunk=False)
    for _, i, j, k, m in matcher.get_opcodes():
        if before[i:j] == after[k:m]:
            lines += [(" ", line) for line in before[i:j]]
        else:
            lines += [("-", line) for line in before[i:j]]
            lines += [("+", line) for line in after[k:m]]
    return lines
