"""A plain route, which the framework runs in a thread."""

from __future__ import annotations

from slowpath.codemod import Change, Site
from slowpath.codemod.plain import plain_route


def cure(site: Site) -> Change:
    """Take the `async` away, where FastAPI then sees to a thread."""
    return plain_route(site, site.spot())
