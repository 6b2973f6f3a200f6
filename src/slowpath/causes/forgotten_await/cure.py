"""The `await` that is missing."""

from __future__ import annotations

from slowpath.codemod import Change, Site
from slowpath.codemod.calls import awaited


def cure(site: Site) -> Change:
    """Await the coroutine where it is made."""
    spot = site.spot()
    call = spot.call(site.culprit_name, site.end_line)
    return spot.change(
        {call: awaited(spot, call)},
        title=f"Await {site.culprit_name}.",
        look="Its work is done now where it was not before, and its errors are raised here.",
    )
