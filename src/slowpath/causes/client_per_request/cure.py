"""One client for the module."""

from __future__ import annotations

from slowpath.codemod import Change, Refused, Site
from slowpath.codemod.shared import made_once

# These want a running event loop when they are made.
_IN_LOOP = ("aiohttp.",)


def cure(site: Site) -> Change:
    """Make the client where the module is loaded."""
    if site.culprit.startswith(_IN_LOOP):
        raise Refused(
            f"{site.culprit} can only be made while the event loop runs: make it in the lifespan."
        )
    spot = site.spot()
    call = spot.call(site.culprit_name, site.end_line)
    return made_once(
        spot,
        call,
        what="client",
        look="It shares cookies and limits, and nobody closes it: the lifespan is a better home.",
        names=("http_client", "shared_client"),
    )
