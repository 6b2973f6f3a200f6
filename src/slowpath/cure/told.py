"""An offer as data, for reports and for programs."""

from __future__ import annotations

from typing import Any

from slowpath.codemod import Project
from slowpath.cure.diff import diff_of
from slowpath.cure.offer import Offer

#: Of a diff in a report; a longer one is `slowpath fix`'s to show.
MOST_LINES = 80
MOST_CHARACTERS = 400


def told(offer: Offer, project: Project) -> dict[str, Any]:
    """Say what an offer is: its safety, and its change or why there is none."""
    change = offer.change
    if change is None:
        return {"cure": str(offer.safety), "why": offer.why}
    lines = diff_of(project.source(change.path), change.splices)
    return {
        "cure": str(offer.safety),
        "title": change.title,
        "look": change.look,
        "changes": change.path,
        "diff": [line.rstrip("\r")[:MOST_CHARACTERS] for line in lines[:MOST_LINES]],
        "cut": max(0, len(lines) - MOST_LINES),
    }
