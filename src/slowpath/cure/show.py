"""Offers for people: each finding, what would change, and what to look at."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.text import Text

from slowpath.causes import Safety
from slowpath.codemod import Project
from slowpath.cure.diff import diff_of
from slowpath.cure.offer import Offer

WIDTH = 80
_WORDS = {Safety.SAFE: "Safe.", Safety.UNSAFE: "Look at it first.", Safety.NONE: "No change."}
_STYLES = {Safety.SAFE: "green", Safety.UNSAFE: "yellow"}
_SIGNS = {"+": "green", "-": "red", "@": "cyan"}


def show(offers: Sequence[tuple[int, Any, Offer]], project: Project, console: Console) -> None:
    """Print them in their order, and how to make the changes."""
    for _, same in groupby(offers, key=lambda each: _same(each[2])):
        group = list(same)
        _one(group[0][0], group[0][1], group[0][2], len(group) - 1, project, console)
    _summary([offer for _, _, offer in offers], console)


def _same(offer: Offer) -> tuple[Any, ...]:
    """Several ways to one line may come to one change."""
    splices = offer.change.splices if offer.change is not None else offer.why
    return offer.cause, offer.path, offer.line, splices


def _one(
    number: int, finding: Any, offer: Offer, more: int, project: Project, console: Console
) -> None:
    head = Text(f"{number:>2}  ", "bold")
    head.append(offer.cause, "bold red")
    head.append(f"  {offer.path}:{offer.line}", "bold")
    head.append(f"  {finding['function']}")
    console.print(head, soft_wrap=True)
    change = offer.change
    word = _WORDS[offer.safety]
    if change is None:
        _say(f"{word} {offer.why}", console, "dim")
    else:
        _say(f"{word} {change.title} {change.look}".strip(), console, _STYLES[offer.safety])
        for line in diff_of(project.source(change.path), change.splices):
            console.print(Text(f"    {line}".rstrip(), _SIGNS.get(line[:1], "")), soft_wrap=True)
    if more:
        _say(f"And {more} more way{'s' if more > 1 else ''} to this line.", console)
    console.print()


def _say(text: str, console: Console, style: str = "") -> None:
    for line in textwrap.wrap(text, WIDTH - 4, break_long_words=False, break_on_hyphens=False):
        console.print(Text(f"    {line}", style), soft_wrap=True)


def _summary(offers: Iterable[Offer], console: Console) -> None:
    every = list(offers)
    counts = {safety: sum(each.safety is safety for each in every) for safety in Safety}
    if not every:
        console.print("Nothing to cure.")
        return
    console.print(
        f"{len(every)} finding{'s' if len(every) != 1 else ''}: {counts[Safety.SAFE]} with a safe "
        f"cure, {counts[Safety.UNSAFE]} with one to look at, {counts[Safety.NONE]} without.",
        highlight=False,
    )
    if counts[Safety.SAFE]:
        console.print("Make the safe ones: slowpath fix --write", highlight=False)
    if counts[Safety.UNSAFE]:
        console.print(
            "Make one that you have looked at: slowpath fix FILE:LINE --write --unsafe",
            highlight=False,
        )
